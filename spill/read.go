package spill

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// Batch is a block of records as columns, all of one length but for Ints or Ends, of which one is empty.
type Batch struct {
	TS   []uint64
	Tags []uint32
	Rows []uint32
	Ints []int64
	Ends []uint64 // of each key in Text
	Text []byte
}

// Len returns the number of records.
func (b *Batch) Len() int { return len(b.TS) }

// Key returns a text key.
func (b *Batch) Key(i int) []byte {
	if i == 0 {
		return b.Text[:b.Ends[0]]
	}
	return b.Text[b.Ends[i-1]:b.Ends[i]]
}

// Hash returns the hash of a key.
func (b *Batch) Hash(i int) uint64 {
	if len(b.Ints) > 0 {
		return HashInt64(b.Ints[i])
	}
	return HashText(b.Key(i))
}

// reserve makes room for a block, so that nothing grows by doubling.
func (b *Batch) reserve(n int, text bool) {
	b.TS, b.Tags, b.Rows = make([]uint64, 0, n), make([]uint32, 0, n), make([]uint32, 0, n)
	if text {
		b.Ends = make([]uint64, 0, n)
		return
	}
	b.Ints = make([]int64, 0, n)
}

func (b *Batch) clear() {
	b.TS, b.Tags, b.Rows, b.Ints, b.Ends = b.TS[:0], b.Tags[:0], b.Rows[:0], b.Ints[:0], b.Ends[:0]
	if b.Text = b.Text[:0]; cap(b.Text) > 2*textBlock {
		b.Text = nil // of one long key
	}
}

// Each hands the blocks of a partition to yield. A batch is valid until yield returns.
func (s *Store) Each(part int, yield func(*Batch) error) error {
	var words []uint64 // so that columns are aligned
	for _, b := range s.parts[part].blocks {
		n := max(len(b.body), b.length)
		words = slices.Grow(words[:0], (n+7)/8)[:(n+7)/8]
		body := arrow.GetBytes(words)[:n]
		if b.body != nil {
			copy(body, b.body)
		} else if _, err := s.file.ReadAt(body, b.offset); err != nil {
			return fmt.Errorf("%s: read a temporary file in %s: %w", op, s.opts.Dir, err)
		}
		batch := s.decode(body)
		if err := yield(&batch); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) decode(body []byte) (b Batch) {
	n := int(binary.NativeEndian.Uint32(body))
	text := int(binary.NativeEndian.Uint32(body[4:]))
	take := func(size int) (column []byte) {
		column, body = body[:size], body[size:]
		return column
	}
	take(8)
	b.TS = arrow.GetData[uint64](take(8 * n))
	if s.opts.Text {
		b.Ends = arrow.GetData[uint64](take(8 * n))
	} else {
		b.Ints = arrow.GetData[int64](take(8 * n))
	}
	b.Tags, b.Rows = arrow.GetData[uint32](take(4*n)), arrow.GetData[uint32](take(4*n))
	b.Text = take(text)
	return b
}
