package reader

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/buffer"
	"github.com/snapexport/snapexport/format/packed"
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
	users      int // columns that are still to take something from it

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
	column     int
	start, end int64
}

// newAhead plans blocks of at most most bytes of the chunks of columns in row groups. Chunks that are larger are in none.
func newAhead(f *packed.File, columns, groups []int, most int64) *ahead {
	var chunks []extent
	for _, g := range groups {
		for _, c := range columns {
			start, end := f.RowGroups()[g].Chunks[c].Range()
			if end > start && end-start <= most {
				chunks = append(chunks, extent{c, start, end})
			}
		}
	}
	slices.SortFunc(chunks, func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	a := &ahead{}
	var last *block
	taken := map[int]bool{} // columns that use the last block
	for _, c := range chunks {
		if last == nil || c.start < last.start || c.start-last.end > blockGap || max(c.end, last.end)-last.start > most {
			if last != nil && c.start < last.end {
				continue // chunks that overlap are no file of Milvus's; they are read as they come
			}
			last = &block{start: c.start, end: c.end}
			a.blocks = append(a.blocks, last)
			clear(taken)
		}
		last.end = max(last.end, c.end)
		if !taken[c.column] {
			taken[c.column] = true
			last.users++
		}
	}
	return a
}

// get returns the block that holds the n bytes at off, when it has been read, and has the next ones read; nil if none does.
func (a *ahead) get(off int64, n int) (*block, error) {
	i, found := slices.BinarySearchFunc(a.blocks, off, func(b *block, off int64) int {
		switch {
		case off < b.start:
			return 1
		case off >= b.end:
			return -1
		}
		return 0
	})
	if !found || off+int64(n) > a.blocks[i].end {
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

// leave ends a column's use of the block.
func (a *ahead) leave(b *block) {
	if b.users--; b.users > 0 {
		return
	}
	if a.reuse {
		buffer.Put(b.body)
	}
	b.body = nil
}

// lender hands the blocks of a file to one column. It implements pages.Lender.
type lender struct {
	ahead *ahead
	held  *block
}

func (l *lender) Lend(off int64, n int) ([]byte, int64, error) {
	b, err := l.ahead.get(off, n)
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
		l.ahead.leave(l.held)
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
