package reader

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/buffer"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/milvus"
)

// Of each file of a column group the wanted chunks are read in blocks, in the order in which they lie there: the chunks of
// neighbouring columns and row groups with one request, and the next blocks while the present one is decoded.
const (
	mostBlock   = 4 << 20   // bytes of a block, where memory allows
	leastBlock  = 256 << 10 // and where it is short
	blockGap    = 32 << 10  // bytes between wanted ones that are read along rather than asked for around
	blocksAhead = 2         // that are read while one is decoded
)

// blockBytes is the largest block of the scan.
func (s *Scan) blockBytes() int64 { return max(leastBlock, min(mostBlock, s.opts.Budget.Total()/128)) }

// block is a range of a file that is read with one request.
type block struct {
	start, end int64
	users      []milvus.FieldID // whose columns are still to take something from it; nobody else may

	done chan struct{} // nil: not asked for; closed: body or err is there
	body []byte
	err  error
}

// ahead reads blocks of one file. It is used by one goroutine, and starts others in the group.
type ahead struct {
	ctx    context.Context
	reads  *errgroup.Group
	reader *countingReader
	reuse  bool
	blocks []*block // in order, which do not overlap
}

// extent is where a chunk lies, and whose it is.
type extent struct {
	field      milvus.FieldID
	start, end int64
}

// newAhead plans blocks of at most most bytes of the chunks of fields in row groups. Chunks that are larger are in none.
func newAhead(f *packed.File, fields []milvus.Field, groups []int, most int64) *ahead {
	var chunks []extent
	for _, field := range fields {
		column, ok := f.Find(field)
		if !ok {
			continue // whoever reads it says so
		}
		for _, g := range groups {
			start, end := f.RowGroups()[g].Chunks[column].Range()
			if end > start && end-start <= most {
				chunks = append(chunks, extent{field.ID, start, end})
			}
		}
	}
	return &ahead{blocks: blocksOf(chunks, most)}
}

// blocksOf joins neighbouring chunks. Those that overlap are no file of Milvus's: they are read as they come, since whoever
// decodes a chunk in a block may overwrite it.
func blocksOf(chunks []extent, most int64) (blocks []*block) {
	slices.SortFunc(chunks, func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	var last *block
	for _, c := range chunks {
		if last != nil && c.start < last.end {
			continue
		}
		if last == nil || c.start-last.end > blockGap || c.end-last.start > most {
			last = &block{start: c.start}
			blocks = append(blocks, last)
		}
		last.end = c.end
		if !slices.Contains(last.users, c.field) {
			last.users = append(last.users, c.field)
		}
	}
	return blocks
}

// get returns the block that holds the n bytes at off for the field, when it has been read, and has the next ones read; nil if
// none does.
func (a *ahead) get(field milvus.FieldID, off int64, n int) (*block, error) {
	i, found := slices.BinarySearchFunc(a.blocks, off, func(b *block, off int64) int {
		switch {
		case off < b.start:
			return 1
		case off >= b.end:
			return -1
		}
		return 0
	})
	if !found || off+int64(n) > a.blocks[i].end || !slices.Contains(a.blocks[i].users, field) {
		return nil, nil
	}
	for _, b := range a.blocks[i:min(len(a.blocks), i+1+blocksAhead)] {
		if b.done == nil {
			b.done = make(chan struct{})
			a.reads.Go(func() error {
				defer close(b.done)
				b.body, b.err = a.reader.read(a.ctx, b.start, b.end-b.start)
				return nil // whoever wants it gets the error
			})
		}
	}
	b := a.blocks[i]
	<-b.done
	return b, b.err
}

// leave ends the field's use of the block.
func (a *ahead) leave(b *block, field milvus.FieldID) {
	b.users = slices.DeleteFunc(b.users, func(f milvus.FieldID) bool { return f == field })
	if len(b.users) > 0 {
		return
	}
	if a.reuse {
		buffer.Put(b.body)
	}
	b.body = nil
}

// lender hands the blocks of a file to the column of one field. It implements pages.Lender.
type lender struct {
	ahead *ahead
	field milvus.FieldID
	held  *block
}

func (l *lender) Lend(off int64, n int) ([]byte, int64, error) {
	b, err := l.ahead.get(l.field, off, n)
	if err != nil || b == nil {
		return nil, 0, err
	}
	if b != l.held {
		l.end()
		l.held = b
	}
	return b.body, b.start, nil
}

// end gives up the block at hand.
func (l *lender) end() {
	if l.held != nil {
		l.ahead.leave(l.held, l.field)
		l.held = nil
	}
}

// waiting is a group of reads that are cancelled and waited for.
func waiting(ctx context.Context) (context.Context, *errgroup.Group, func()) {
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	return ctx, g, sync.OnceFunc(func() {
		cancel()
		_ = g.Wait() // reads return no error
	})
}
