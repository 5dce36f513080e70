package spill

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
)

const (
	recordBytes = 24       // of a record beside the text of its key: timestamp, key or end of the key, tag, row
	textBlock   = 32 << 10 // of texts after which a block is full
)

// Writer adds records to a store. It is used by one goroutine. Flush it.
type Writer struct {
	store *Store
	open  []Batch
	body  []byte
}

// Writer returns a new one.
func (s *Store) Writer() *Writer { return &Writer{store: s, open: make([]Batch, len(s.parts))} }

// AddInt64 adds a record of an Int64 key; hash is that of HashInt64.
func (w *Writer) AddInt64(hash uint64, key int64, ts uint64, tag, row uint32) error {
	p := part(hash, w.store.log)
	b := &w.open[p]
	if b.Ints == nil {
		b.reserve(w.store.opts.Block, false)
	}
	b.Ints = append(b.Ints, key)
	return w.add(b, p, ts, tag, row)
}

// AddText adds a record of a text key; hash is that of HashText.
func (w *Writer) AddText(hash uint64, key []byte, ts uint64, tag, row uint32) error {
	p := part(hash, w.store.log)
	b := &w.open[p]
	if b.Ends == nil {
		b.reserve(w.store.opts.Block, true)
	}
	b.Text = append(b.Text, key...)
	b.Ends = append(b.Ends, uint64(len(b.Text)))
	err := w.add(b, p, ts, tag, row)
	if err == nil && len(b.Text) >= textBlock {
		err = w.flush(p)
	}
	return err
}

func (w *Writer) add(b *Batch, part int, ts uint64, tag, row uint32) error {
	b.TS, b.Tags, b.Rows = append(b.TS, ts), append(b.Tags, tag), append(b.Rows, row)
	if len(b.TS) < w.store.opts.Block {
		return nil
	}
	return w.flush(part)
}

// Flush hands over what is not full.
func (w *Writer) Flush() error {
	for p := range w.open {
		if err := w.flush(p); err != nil {
			return err
		}
	}
	return nil
}

// flush encodes a block: the number of records and of bytes of text, then one column after the other.
func (w *Writer) flush(part int) error {
	b := &w.open[part]
	n := len(b.TS)
	if n == 0 {
		return nil
	}
	w.body = binary.NativeEndian.AppendUint32(w.body[:0], uint32(n))
	w.body = binary.NativeEndian.AppendUint32(w.body, uint32(len(b.Text)))
	w.body = append(w.body, arrow.GetBytes(b.TS)...)
	if w.store.opts.Text {
		w.body = append(w.body, arrow.GetBytes(b.Ends)...)
	} else {
		w.body = append(w.body, arrow.GetBytes(b.Ints)...)
	}
	w.body = append(append(w.body, arrow.GetBytes(b.Tags)...), arrow.GetBytes(b.Rows)...)
	w.body = append(w.body, b.Text...)
	b.clear()
	return w.store.put(part, w.body, n)
}
