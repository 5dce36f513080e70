package packed

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

const op = "write column group"

// Keys of the footer, in the order in which they are written (docs/format/storage-v2-v3.md 1.3).
const (
	KeyVersion   = "storage_version"     // layoutVersion, in V2 and V3 alike
	KeyRowGroups = "row_group_metadata"  // "bytes in memory|rows|first row" of each row group, joined with ";"
	KeyFields    = "group_field_id_list" // the fields of all groups of one write; not in data files of V3
)

const (
	layoutVersion = "1.0.0"
	zstdLevel     = 3
	fieldIDKey    = "PARQUET:field_id"
	trailer       = 8 // the footer's length and the magic
)

// Writer encodes the files of column groups. The zero value writes as V2 does.
type Writer struct {
	// Version is milvus.StorageV3, whose columns are named by field id and whose texts have a flag byte, or milvus.StorageV2.
	Version int64
	// PlainVectors leaves dense vectors of fixed width uncompressed, as the newest writers do.
	PlainVectors bool
	// RowGroupBytes is the size in memory at which row groups are cut; 0 is that of Milvus, 1 MiB.
	RowGroupBytes int64
}

func (w Writer) rowGroupBytes() int64 {
	if w.RowGroupBytes > 0 {
		return w.RowGroupBytes
	}
	return rowGroupBytes
}

func (w Writer) manifest() bool { return w.Version == milvus.StorageV3 }

// Encoded is a finished file.
type Encoded struct {
	Body       []byte
	FooterSize int64 // bytes of the Thrift footer and of the 8 bytes after it
	MemorySize int64 // bytes of the rows as Arrow data
}

// Encode returns one file for each group of one write. columns has an array for every field of every group, all of one length,
// in storage form, as cell.Encode gives it.
func (w Writer) Encode(groups []Group, columns map[milvus.FieldID]arrow.Array) ([]Encoded, error) {
	list := fieldList(groups)
	if w.manifest() {
		list = ""
	}
	out := make([]Encoded, len(groups))
	rows := -1
	for i, g := range groups {
		var members []column
		for _, f := range g.Fields {
			raw := columns[f.ID]
			if raw == nil || rows >= 0 && raw.Len() != rows {
				return nil, fault.Corrupt(op, "field %d of group %d has no values, or not as many as others", f.ID, g.ID)
			}
			rows = raw.Len()
			values, err := w.stored(f, raw)
			if err != nil {
				return nil, err
			}
			members = append(members, w.column(f, values))
		}
		var err error
		if out[i], err = encode(members, list, w.rowGroupBytes()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// EncodeDeletes returns a packed delta log, as V3 has them: Int64 or String keys and as many timestamps, in columns without
// names (docs/format/storage-v2-v3.md 3.3).
func EncodeDeletes(keys arrow.Array, timestamps *array.Int64) (Encoded, error) {
	if id := keys.DataType().ID(); id != arrow.INT64 && id != arrow.STRING || keys.NullN() > 0 || keys.Len() != timestamps.Len() {
		return Encoded{}, fault.Corrupt(op, "%d keys of type %v with %d NULLs and %d timestamps", keys.Len(), keys.DataType(), keys.NullN(), timestamps.Len())
	}
	return encode([]column{{id: 0, values: keys}, {id: 1, values: timestamps}}, "0,1", rowGroupBytes)
}

// column is a column of a file.
type column struct {
	name    string
	id      int64
	values  arrow.Array
	null    bool // OPTIONAL
	plain   bool // uncompressed
	noStats bool
}

func (w Writer) column(f milvus.Field, values arrow.Array) column {
	c := column{name: f.Name, id: int64(f.ID), values: values, null: f.Nullable}
	if w.manifest() {
		c.name = strconv.FormatInt(int64(f.ID), 10)
	}
	id := values.DataType().ID()
	c.plain = w.PlainVectors && id == arrow.FIXED_SIZE_BINARY
	c.noStats = id == arrow.FIXED_SIZE_BINARY || id == arrow.BINARY // their order is not defined
	return c
}

// path is the path of the column's leaf.
func (c column) path() string {
	if c.values.DataType().ID() == arrow.LIST {
		return c.name + ".list.element"
	}
	return c.name
}

// encode writes one file with row groups of at most limit bytes. list is left out where it is "".
func encode(columns []column, list string, limit int64) (Encoded, error) {
	fields, arrays := make([]arrow.Field, len(columns)), make([]arrow.Array, len(columns))
	props := []parquet.WriterProperty{
		parquet.WithMaxRowGroupLength(math.MaxInt64), parquet.WithDataPageVersion(parquet.DataPageV1), parquet.WithDictionaryDefault(true),
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(zstdLevel),
	}
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.values.DataType(), Nullable: c.null,
			Metadata: arrow.NewMetadata([]string{fieldIDKey}, []string{strconv.FormatInt(c.id, 10)})}
		arrays[i] = c.values
		if c.plain {
			props = append(props, parquet.WithCompressionFor(c.path(), compress.Codecs.Uncompressed), parquet.WithDictionaryCostFallbackFor(c.path(), false))
		}
		if pages.NaNsDiffer(c.values) {
			props = append(props, parquet.WithDictionaryFor(c.path(), false))
		}
		if c.noStats {
			props = append(props, parquet.WithStatsFor(c.path(), false))
		}
	}
	groups := cut(arrays, limit)
	footer := metadata.NewKeyValueMetadata()
	footer.Append(KeyVersion, layoutVersion)
	footer.Append(KeyRowGroups, spell(groups))
	if list != "" {
		footer.Append(KeyFields, list)
	}
	body, err := write(fields, footer, arrays, groups, parquet.NewWriterProperties(props...))
	if err != nil {
		return Encoded{}, fault.Corrupt(op, "Parquet: %w", err)
	}
	out := Encoded{Body: body, FooterSize: int64(binary.LittleEndian.Uint32(body[len(body)-trailer:])) + trailer}
	for _, g := range groups {
		out.MemorySize += g.memory
	}
	return out, nil
}
