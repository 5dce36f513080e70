package snapfile

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/snapexport/snapexport/fault"
)

const opManifest = "decode segment manifest"

// wire is a cursor over Avro binary that reads into values or writes them, so that one description of a record
// (see entry) serves both ways. The first error stays; after it nothing is read.
type wire struct {
	writing bool
	version int
	buf     []byte // what is read, or what was written
	text    string // of what is read, once a string has been: strings are most of a manifest and share it
	off     int    // of the next byte to read
	err     error
}

func (w *wire) corrupt(format string, args ...any) {
	if w.err == nil {
		w.err = fault.Corrupt(opManifest, format, args...).At(int64(w.off))
	}
}

func (w *wire) left() int { return len(w.buf) - w.off }

// number is an Avro long; unsigned values are cast (docs/format/snapshot.md 3).
type number interface{ ~int32 | ~int64 | ~uint64 }

func num[T number](w *wire, v *T) {
	if w.writing {
		w.buf = binary.AppendVarint(w.buf, int64(*v))
		return
	}
	*v = T(w.long())
}

// int32 is an Avro int.
func (w *wire) int32(v *int32) {
	if w.writing {
		num(w, v)
		return
	}
	n := w.long()
	if n < math.MinInt32 || n > math.MaxInt32 {
		w.corrupt("the number %d does not fit an int", n)
		return
	}
	*v = int32(n)
}

func (w *wire) long() int64 {
	if w.err != nil {
		return 0
	}
	v, n := binary.Varint(w.buf[w.off:])
	switch {
	case n == 0:
		w.corrupt("the record ends in a number")
	case n < 0:
		w.corrupt("a number has more than 64 bits")
	default:
		w.off += n
	}
	return v
}

func (w *wire) bool(v *bool) {
	if w.writing {
		b := byte(0)
		if *v {
			b = 1
		}
		w.buf = append(w.buf, b)
		return
	}
	if w.err != nil {
		return
	}
	if w.left() < 1 {
		w.corrupt("the record ends before a boolean")
		return
	}
	b := w.buf[w.off]
	if b > 1 {
		w.corrupt("a boolean is %d", b)
		return
	}
	*v = b == 1
	w.off++
}

// bytes reads a copy; an empty value is nil.
func (w *wire) bytes(v *[]byte) {
	if w.writing {
		w.buf = binary.AppendVarint(w.buf, int64(len(*v)))
		w.buf = append(w.buf, *v...)
		return
	}
	if b := w.take(); len(b) > 0 {
		*v = append([]byte(nil), b...)
	}
}

func (w *wire) string(v *string) {
	if w.writing {
		w.buf = binary.AppendVarint(w.buf, int64(len(*v)))
		w.buf = append(w.buf, *v...)
		return
	}
	b := w.take()
	if !utf8.Valid(b) {
		w.corrupt("a string is not UTF-8")
		return
	}
	if w.text == "" {
		w.text = string(w.buf)
	}
	*v = w.text[w.off-len(b) : w.off]
}

func (w *wire) take() []byte {
	n := w.long()
	if w.err != nil {
		return nil
	}
	if n < 0 || n > int64(w.left()) {
		w.corrupt("a string of %d bytes is declared where %d are left", n, w.left())
		return nil
	}
	b := w.buf[w.off : w.off+int(n)]
	w.off += int(n)
	return b
}

// blockItems is the number of items in one written block, as Milvus's Avro library has it.
const blockItems = 100

// array reads or writes the items of an array. least is the size of the smallest item.
func array[T any](w *wire, items *[]T, least int, item func(*T)) {
	if w.writing {
		writeArray(w, *items, item)
		return
	}
	for w.err == nil {
		n, size := w.block(least)
		if n == 0 {
			return
		}
		start := w.off
		*items = slices.Grow(*items, int(min(n, blockItems)))
		for range n {
			var none T
			*items = append(*items, none)
			if item(&(*items)[len(*items)-1]); w.err != nil {
				return
			}
		}
		if size >= 0 && w.off-start != size {
			w.corrupt("a block of %d items has %d bytes where %d are declared", n, w.off-start, size)
		}
	}
}

// block reads a block's count of items and its size, -1 if it does not say. Zero items end the array.
func (w *wire) block(least int) (n int64, size int) {
	n, size = w.long(), -1
	if n < 0 {
		declared := w.long()
		if n == math.MinInt64 || declared < 0 || declared > int64(w.left()) {
			w.corrupt("a block of %d items and %d bytes is declared where %d are left", n, declared, w.left())
			return 0, -1
		}
		n, size = -n, int(declared)
	}
	if n > int64(w.left()/least) {
		w.corrupt("%d items are declared where %d bytes are left", n, w.left())
		return 0, -1
	}
	if w.err != nil {
		return 0, -1
	}
	return n, size
}

// writeArray writes blocks with their size, so that readers may skip them: the form that Milvus writes.
func writeArray[T any](w *wire, items []T, item func(*T)) {
	for len(items) > 0 {
		n := min(len(items), blockItems)
		outer := w.buf
		w.buf = nil
		for i := range n {
			item(&items[i])
		}
		block := w.buf
		w.buf = binary.AppendVarint(outer, int64(-n))
		w.buf = binary.AppendVarint(w.buf, int64(len(block)))
		w.buf = append(w.buf, block...)
		items = items[n:]
	}
	w.buf = append(w.buf, 0)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
