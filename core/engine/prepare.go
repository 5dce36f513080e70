package engine

import (
	"math"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

var allocator = memory.DefaultAllocator

// prepared is checked rows with all of their columns but Timestamp.
type prepared struct {
	rows    int
	columns flush.Chunk
	key     milvus.Field
	given   arrow.Array // the keys that the user gave, nil if none
	text    int         // the longest Text that can be stored, in bytes
}

// prepare checks rows and fills what the user left out. upsert: keys are needed though they are automatic, to find the older rows.
func (e *Engine) prepare(c *metastore.Collection, rows Rows, upsert bool) (*prepared, error) {
	if rows.Count <= 0 {
		return nil, status.Invalid("the number of rows should be greater than 0")
	}
	p := &prepared{rows: rows.Count, columns: flush.Chunk{}, text: math.MaxInt32}
	if e.config.StorageVersion == milvus.StorageV3 {
		p.text = maxInlineText
	}
	p.key, _ = c.Schema.PrimaryKey()
	if p.given = rows.Columns[p.key.ID]; p.key.AutoID {
		switch {
		case upsert && p.given == nil:
			return nil, status.Invalid("must assign pk when upsert, primary field: %s", p.key.Name)
		case !upsert && p.given != nil && !autoIDAllowed(c):
			return nil, status.Invalid("field %s has autoID, no values of it may be given", p.key.Name)
		}
	}
	first, err := e.store.IDs(rows.Count)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, rows.Count)
	for i := range ids {
		ids[i] = first + int64(i)
	}
	p.columns[milvus.RowIDField] = int64Array(ids)
	fields := fieldsOf(&c.Schema)
	for id := range rows.Columns {
		if !slices.ContainsFunc(fields, func(f milvus.Field) bool { return f.ID == id }) {
			return nil, status.Invalid("the collection has no field %d", id)
		}
	}
	for _, f := range fields {
		if p.columns[f.ID], err = p.column(f, rows.Columns[f.ID], ids, upsert); err != nil {
			return nil, err
		}
	}
	for _, a := range c.Schema.StructArrays {
		if err := checkMembers(a, p.columns); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// autoIDAllowed reports whether values of an automatic key may be given, a property of the collection.
func autoIDAllowed(c *metastore.Collection) bool {
	v, _ := c.Property("allow_insert_auto_id")
	return v == "true"
}

// column returns the values of a field, checked, those that were left out filled in.
func (p *prepared) column(f milvus.Field, given arrow.Array, ids []int64, upsert bool) (arrow.Array, error) {
	if f.AutoID && (given == nil || upsert) {
		if given != nil {
			if _, err := p.checked(f, given); err != nil {
				return nil, err
			}
		}
		return automatic(f, ids), nil
	}
	if given == nil {
		if !f.Nullable && f.Default == nil && !f.Dynamic {
			return nil, status.Invalid("fieldSchema(%s) has no corresponding fieldData pass in", f.Name)
		}
		return cell.Constant(f, p.rows)
	}
	return p.checked(f, given)
}

func (p *prepared) checked(f milvus.Field, given arrow.Array) (arrow.Array, error) {
	t, err := cell.Type(f)
	switch {
	case err != nil:
		return nil, err
	case !arrow.TypeEqual(given.DataType(), t):
		return nil, status.Invalid("field %s is %v, values are %v", f.Name, f.Type, given.DataType())
	case given.Len() != p.rows:
		return nil, status.Invalid("the num_rows (%d) of field (%s) is not equal to passed num_rows (%d)", given.Len(), f.Name, p.rows)
	}
	if given.NullN() > 0 {
		if given, err = fillNulls(f, given); err != nil {
			return nil, err
		}
	}
	if f.Type == milvus.TypeText {
		f.MaxLength = p.text
	}
	return checkValues(f, given)
}

// automatic returns keys made of row ids.
func automatic(f milvus.Field, ids []int64) arrow.Array {
	if f.Type == milvus.TypeInt64 {
		return int64Array(ids)
	}
	b := array.NewStringBuilder(allocator)
	defer b.Release()
	for _, id := range ids {
		b.Append(strconv.FormatInt(id, 10))
	}
	return b.NewArray()
}

// fillNulls puts the field's default in the place of NULLs.
func fillNulls(f milvus.Field, given arrow.Array) (arrow.Array, error) {
	if f.Default == nil && !f.Dynamic {
		if !f.Nullable {
			return nil, status.Invalid("the field %s is not nullable, and %d of its values are NULL", f.Name, given.NullN())
		}
		return given, nil
	}
	fill, err := cell.Constant(f, 1)
	if err != nil {
		return nil, err
	}
	var spans []span
	for i := range given.Len() {
		if given.IsNull(i) {
			spans = append(spans, span{1, 0, 1})
		} else {
			spans = appendRow(spans, 0, i)
		}
	}
	return gather(given.DataType(), []arrow.Array{given, fill}, spans)
}

// placed divides the rows by partition and shard.
func (p *prepared) placed(c *metastore.Collection, partition milvus.PartitionID) ([]placedRows, error) {
	partitions := []milvus.PartitionID{partition}
	at := make([]int, p.rows) // index in partitions
	if f, ok := partitionKey(&c.Schema); ok {
		var err error
		if partitions, err = keyedPartitions(c); err != nil {
			return nil, err
		}
		at = hashKeys(p.columns[f.ID], len(partitions))
	}
	shards := hashKeys(p.columns[p.key.ID], len(c.Channels))
	var order []place
	spans := map[place][]span{}
	for i, shard := range shards {
		where := place{partitions[at[i]], shard}
		if spans[where] == nil {
			order = append(order, where)
		}
		spans[where] = appendRow(spans[where], 0, i)
	}
	out := make([]placedRows, 0, len(order))
	for _, where := range order {
		columns := flush.Chunk{}
		for id, a := range p.columns {
			var err error
			if columns[id], err = gather(a.DataType(), []arrow.Array{a}, spans[where]); err != nil {
				return nil, err
			}
		}
		columns[milvus.TimestampField] = columns[milvus.RowIDField] // replaced by stamp; for the number of rows
		out = append(out, placedRows{where, newBlock(columns)})
	}
	return out, nil
}

// keyedPartitions returns the partitions of a partition key, in the order of the numbers in their names.
func keyedPartitions(c *metastore.Collection) ([]milvus.PartitionID, error) {
	out := make([]milvus.PartitionID, len(c.Partitions))
	for i := range out {
		name := defaultPartition + "_" + strconv.Itoa(i)
		at := slices.IndexFunc(c.Partitions, func(p milvus.Partition) bool { return p.Name == name })
		if at < 0 {
			return nil, status.PartitionNotFound(name)
		}
		out[i] = c.Partitions[at].ID
	}
	return out, nil
}

// placedKeysOf divides keys by shard.
func placedKeysOf(c *metastore.Collection, partition milvus.PartitionID, keys arrow.Array) ([]placedKeys, error) {
	spans := make([][]span, len(c.Channels))
	for i, shard := range hashKeys(keys, len(c.Channels)) {
		spans[shard] = appendRow(spans[shard], 0, i)
	}
	var out []placedKeys
	for shard, s := range spans {
		if len(s) == 0 {
			continue
		}
		some, err := gather(keys.DataType(), []arrow.Array{keys}, s)
		if err != nil {
			return nil, err
		}
		out = append(out, placedKeys{place: place{partition, shard}, keys: some})
	}
	return out, nil
}
