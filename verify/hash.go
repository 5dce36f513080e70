package verify

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/fault"
)

// Hash is a content hash: a sum of row hashes, and the number of rows. The zero value is that of no rows.
type Hash struct {
	Hi, Lo uint64
	Rows   int64
}

// Add returns the hash of the rows of both.
func (h Hash) Add(o Hash) Hash {
	lo, carry := bits.Add64(h.Lo, o.Lo, 0)
	hi, _ := bits.Add64(h.Hi, o.Hi, carry)
	return Hash{hi, lo, h.Rows + o.Rows}
}

// String returns 32 hexadecimal digits, a hyphen, and the number of rows.
func (h Hash) String() string { return fmt.Sprintf("%016x%016x-%d", h.Hi, h.Lo, h.Rows) }

// ParseHash reads what String wrote.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) < 34 || s[32] != '-' {
		return h, fault.Corrupt("parse content hash", "%q is not a content hash", s)
	}
	hi, err1 := strconv.ParseUint(s[:16], 16, 64)
	lo, err2 := strconv.ParseUint(s[16:32], 16, 64)
	rows, err3 := strconv.ParseInt(s[33:], 10, 64)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return h, fault.Corrupt("parse content hash", "%q: %w", s, err)
	}
	return Hash{hi, lo, rows}, nil
}

// Hasher computes the content hash of record batches of one schema. Not safe for concurrent use: give each worker its own
// and add their sums.
type Hasher struct {
	columns []hashColumn
	byValue map[string]bool // columns whose JSON counts by its value, not its text
	sum     Hash
	row     []byte

	key     int      // of columns
	buckets *buckets // nil: keys are not counted
	cell    []byte
}

type hashColumn struct {
	index   int    // in the batch
	id      int64  // Milvus field id
	encoder encode // of the batch at hand
	lane    lane   // which has no head if the column is none
}

// NewHasher returns a hasher of the columns that carry a Milvus field id (metadata key "milvus.field_id"), in order of that
// id; others, the system columns, are left out.
func NewHasher(schema *arrow.Schema) (*Hasher, error) {
	h := &Hasher{}
	for i, f := range schema.Fields() {
		text, ok := f.Metadata.GetValue(metaFieldID)
		if !ok {
			continue
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fault.Corrupt("hash rows", "column %s has field id %q", f.Name, text)
		}
		h.columns = append(h.columns, hashColumn{index: i, id: id})
	}
	slices.SortFunc(h.columns, func(a, b hashColumn) int { return cmp.Compare(a.id, b.id) })
	return h, nil
}

// metaFieldID is the metadata key of the Milvus field id on columns and struct members.
const metaFieldID = "milvus.field_id"

// Add adds the rows of the batch, whose schema is that of NewHasher.
func (h *Hasher) Add(batch arrow.RecordBatch) error {
	if err := h.begin(batch); err != nil {
		return err
	}
	for r := range int(batch.NumRows()) {
		row := h.row[:0]
		for i := range h.columns {
			if c := &h.columns[i]; c.lane.head != nil {
				row = c.lane.append(row, r)
			} else {
				row = appendCell(row, c.id, c.encoder, r)
			}
		}
		x := xxh3.Hash128(row)
		h.sum = h.sum.Add(Hash{x.Hi, x.Lo, 1})
		h.row = row
		if h.buckets != nil {
			h.buckets.add(h.hashCell(h.key, 0, r), Hash{x.Hi, x.Lo, 1})
		}
	}
	return nil
}

// begin prepares the columns of a batch.
func (h *Hasher) begin(batch arrow.RecordBatch) error {
	for i := range h.columns {
		c := &h.columns[i]
		var err error
		if c.encoder, err = h.encoderOf(batch, c.index); err != nil {
			return fmt.Errorf("column %s: %w", batch.ColumnName(c.index), err)
		}
		c.lane = laneOf(c.id, batch.Column(c.index), c.encoder)
	}
	return nil
}

// hashCell hashes the cell of a column of the batch at hand.
func (h *Hasher) hashCell(column int, seed uint64, r int) xxh3.Uint128 {
	c := &h.columns[column]
	if c.lane.head != nil {
		h.cell = c.lane.append(h.cell[:0], r)
	} else {
		h.cell = appendCell(h.cell[:0], c.id, c.encoder, r)
	}
	return xxh3.Hash128Seed(h.cell, seed)
}

func (h *Hasher) encoderOf(batch arrow.RecordBatch, i int) (encode, error) {
	if h.byValue[batch.ColumnName(i)] {
		return valueEncoderOf(batch.Column(i))
	}
	return encoderOf(batch.Column(i))
}

// Sum returns the hash of all rows added so far.
func (h *Hasher) Sum() Hash { return h.sum }

// appendCell appends id, null flag, and, for a value, its length and bytes.
func appendCell(dst []byte, id int64, e encode, r int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(id))
	return appendNullable(dst, e, r)
}

func appendNullable(dst []byte, e encode, r int) []byte {
	if e.isNull(r) {
		return append(dst, 1)
	}
	dst = append(dst, 0, 0, 0, 0, 0)
	start := len(dst)
	dst = e.append(dst, r)
	binary.LittleEndian.PutUint32(dst[start-4:start], uint32(len(dst)-start))
	return dst
}
