package reader

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/milvus"
)

// Identity tells rows that came out: two sets of rows of the same files are equal if and only if their identities are. It
// depends on keys and effective timestamps alone, not on the columns that were read, nor on the order or the batches.
type Identity struct {
	Hi, Lo       uint64 // sum of the rows' hashes
	Rows         int64
	MinTS, MaxTS milvus.Timestamp // effective; of no row: 0
	Keys         KeyRange
}

// KeyRange bounds the primary keys of rows, both ends included. The zero value is that of no rows.
type KeyRange struct {
	Any              bool // there are rows
	MinInt, MaxInt   int64
	MinText, MaxText string
}

// Int64 reports whether the key lies in the range.
func (k KeyRange) Int64(key int64) bool { return k.Any && k.MinInt <= key && key <= k.MaxInt }

// Text is Int64 for text keys, which are ordered by their bytes.
func (k KeyRange) Text(key string) bool { return k.Any && k.MinText <= key && key <= k.MaxText }

// Join returns the range of the rows of both.
func (k KeyRange) Join(o KeyRange) KeyRange {
	if !k.Any || !o.Any {
		if o.Any {
			return o
		}
		return k
	}
	return KeyRange{true, min(k.MinInt, o.MinInt), max(k.MaxInt, o.MaxInt), min(k.MinText, o.MinText), max(k.MaxText, o.MaxText)}
}

// Join returns the identity of the rows of both.
func (d Identity) Join(o Identity) Identity {
	switch {
	case d.Rows == 0:
		return o
	case o.Rows == 0:
		return d
	}
	lo, carry := bits.Add64(d.Lo, o.Lo, 0)
	hi, _ := bits.Add64(d.Hi, o.Hi, carry)
	return Identity{hi, lo, d.Rows + o.Rows, min(d.MinTS, o.MinTS), max(d.MaxTS, o.MaxTS), d.Keys.Join(o.Keys)}
}

// add counts the live rows in.
func (d *Identity) add(keys arrow.Array, eff []uint64, live []bool) {
	switch k := keys.(type) {
	case *array.Int64:
		d.addInts(k.Int64Values(), eff, live)
	case *array.String:
		d.addTexts(k, eff, live)
	}
}

func (d *Identity) addInts(keys []int64, eff []uint64, live []bool) {
	var row [16]byte
	for i, alive := range live {
		if !alive {
			continue
		}
		key := keys[i]
		if !d.Keys.Any {
			d.Keys = KeyRange{Any: true, MinInt: key, MaxInt: key}
		}
		d.Keys.MinInt, d.Keys.MaxInt = min(d.Keys.MinInt, key), max(d.Keys.MaxInt, key)
		binary.LittleEndian.PutUint64(row[:8], uint64(key))
		binary.LittleEndian.PutUint64(row[8:], eff[i])
		d.row(xxh3.Hash128(row[:]), eff[i])
	}
}

func (d *Identity) addTexts(keys *array.String, eff []uint64, live []bool) {
	var row []byte
	for i, alive := range live {
		if !alive {
			continue
		}
		key := keys.Value(i) // of memory that the batch owns
		if !d.Keys.Any {
			d.Keys = KeyRange{Any: true, MinText: string([]byte(key)), MaxText: string([]byte(key))}
		}
		if key < d.Keys.MinText {
			d.Keys.MinText = string([]byte(key))
		}
		if key > d.Keys.MaxText {
			d.Keys.MaxText = string([]byte(key))
		}
		row = append(binary.LittleEndian.AppendUint64(row[:0], eff[i]), key...)
		d.row(xxh3.Hash128(row), eff[i])
	}
}

func (d *Identity) row(h xxh3.Uint128, ts uint64) {
	var carry uint64
	d.Lo, carry = bits.Add64(d.Lo, h.Lo, 0)
	d.Hi, _ = bits.Add64(d.Hi, h.Hi, carry)
	if d.Rows == 0 {
		d.MinTS, d.MaxTS = milvus.Timestamp(ts), milvus.Timestamp(ts)
	}
	d.Rows++
	d.MinTS, d.MaxTS = min(d.MinTS, milvus.Timestamp(ts)), max(d.MaxTS, milvus.Timestamp(ts))
}
