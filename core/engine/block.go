package engine

import (
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// place is where rows or deletes belong. Deletes may be for milvus.AllPartitions.
type place struct {
	partition milvus.PartitionID
	shard     int
}

// block is rows of one place. It does not change.
type block struct {
	rows    int
	columns flush.Chunk // RowID and Timestamp (bits of a TSO) included; fields that were added later are absent
	bytes   int64       // in memory
}

func newBlock(columns flush.Chunk) *block {
	b := &block{rows: columns[milvus.TimestampField].Len(), columns: columns}
	for _, c := range columns {
		b.bytes += int64(c.Data().SizeInBytes())
	}
	return b
}

// column returns the rows' values of a field. Rows that are older than the field have its default or NULL.
func (b *block) column(f milvus.Field) (arrow.Array, error) {
	if c := b.columns[f.ID]; c != nil {
		return c, nil
	}
	return cell.Constant(f, b.rows)
}

// timesOf returns the values of a column of timestamps, not to be changed.
func timesOf(a arrow.Array) []uint64 {
	ints := a.(*array.Int64).Int64Values()
	return arrow.Uint64Traits.CastFromBytes(arrow.Int64Traits.CastToBytes(ints))
}

// mergeBlocks returns one block of all rows, with the given fields beside the system's.
func mergeBlocks(fields []milvus.Field, blocks []*block) (*block, error) {
	if len(blocks) == 1 {
		return blocks[0], nil
	}
	spans := make([]span, len(blocks))
	for i, b := range blocks {
		spans[i] = span{i, 0, b.rows}
	}
	return gatherBlock(fields, blocks, spans)
}

// gatherBlock returns the rows of the spans as one block. Fields that no block has stay absent.
func gatherBlock(fields []milvus.Field, blocks []*block, spans []span) (*block, error) {
	columns := flush.Chunk{}
	parts := make([]arrow.Array, len(blocks))
	for _, f := range slices.Concat(flush.SystemFields(), fields) {
		if !slices.ContainsFunc(blocks, func(b *block) bool { return b.columns[f.ID] != nil }) {
			continue
		}
		for i, b := range blocks {
			var err error
			if parts[i], err = b.column(f); err != nil {
				return nil, err
			}
		}
		c, err := gather(parts[0].DataType(), parts, spans)
		if err != nil {
			return nil, err
		}
		columns[f.ID] = c
	}
	return newBlock(columns), nil
}

// tombs are deletes of one place. They do not change.
type tombs struct {
	keys arrow.Array // Int64 or String
	ts   []uint64
	set  *deltamerge.Set
}

func newTombs(keys arrow.Array, ts []uint64) *tombs {
	t := &tombs{keys: keys, ts: ts, set: deltamerge.NewSet(0)}
	switch k := keys.(type) {
	case *array.Int64:
		t.set.AddInt64(k.Int64Values(), ts)
	case *array.String:
		t.set.AddStrings(k, ts)
	}
	return t
}

func mergeTombs(all []*tombs) (*tombs, error) {
	parts := make([]arrow.Array, len(all))
	spans := make([]span, len(all))
	var ts []uint64
	for i, t := range all {
		parts[i], spans[i] = t.keys, span{i, 0, len(t.ts)}
		ts = append(ts, t.ts...)
	}
	keys, err := gather(parts[0].DataType(), parts, spans)
	if err != nil {
		return nil, err
	}
	return newTombs(keys, ts), nil
}

// deletes returns the form that files are written from.
func (t *tombs) deletes() *deltalog.Deletes {
	if s, ok := t.keys.(*array.String); ok {
		return &deltalog.Deletes{PKType: milvus.TypeVarChar, Strings: s, TS: t.ts}
	}
	return &deltalog.Deletes{PKType: milvus.TypeInt64, Int64: t.keys.(*array.Int64).Int64Values(), TS: t.ts}
}

func (t *tombs) bytes() int64 {
	return int64(t.keys.Data().SizeInBytes()) + int64(8*len(t.ts)) + t.set.Bytes()
}

// buffer is rows and deletes in memory. Lists grow like the digits of a binary number, so that there are few blocks and
// appending stays cheap: a block is merged with the one before when it is no longer much smaller.
type buffer struct {
	blocks map[place][]*block
	tombs  map[place][]*tombs
	bytes  int64
}

func newBuffer() *buffer {
	return &buffer{blocks: map[place][]*block{}, tombs: map[place][]*tombs{}}
}

func (b *buffer) empty() bool { return len(b.blocks) == 0 && len(b.tombs) == 0 }

// add appends the rows and deletes of a write. Blocks that can't be merged, being too large, stay apart.
func (b *buffer) add(fields []milvus.Field, w *write) {
	for _, p := range w.rows {
		blocks := func(last []*block) (*block, error) { return mergeBlocks(fields, last) }
		b.blocks[p.place] = appendTier(b.blocks[p.place], p.block, func(x *block) int { return x.rows }, blocks)
		b.bytes += p.block.bytes
	}
	for _, d := range w.deletes {
		t := newTombs(d.keys, d.times)
		b.tombs[d.place] = appendTier(b.tombs[d.place], t, func(x *tombs) int { return len(x.ts) }, mergeTombs)
		b.bytes += t.bytes()
	}
}

// appendTier appends to a list that others may be reading.
func appendTier[T any](list []T, last T, size func(T) int, merge func([]T) (T, error)) []T {
	list = append(slices.Clone(list), last)
	for n := len(list); n > 1 && 2*size(list[n-1]) > size(list[n-2]); n = len(list) {
		merged, err := merge(list[n-2:])
		if err != nil {
			break
		}
		list = append(list[:n-2], merged)
	}
	return list
}

// dropPartition forgets what belongs to the partition alone.
func (b *buffer) dropPartition(id milvus.PartitionID) {
	maps.DeleteFunc(b.blocks, func(p place, _ []*block) bool { return p.partition == id })
	maps.DeleteFunc(b.tombs, func(p place, _ []*tombs) bool { return p.partition == id })
}

// join puts the older buffer's contents before b's.
func (b *buffer) join(older *buffer) {
	for p, list := range older.blocks {
		b.blocks[p] = slices.Concat(list, b.blocks[p])
	}
	for p, list := range older.tombs {
		b.tombs[p] = slices.Concat(list, b.tombs[p])
	}
	b.bytes += older.bytes
}

// rows counts all rows, deleted ones included.
func (b *buffer) rows() (n int64) {
	for _, list := range b.blocks {
		for _, x := range list {
			n += int64(x.rows)
		}
	}
	return n
}
