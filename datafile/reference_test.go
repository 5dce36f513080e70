package datafile

import (
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/snapexport/snapexport/fault"
)

// writeReference writes the batches by arrow-go, with the same choice of codecs and row groups: what the page writer is
// compared with.
func writeReference(t testing.TB, w io.Writer, schema *arrow.Schema, opts Options, batches ...arrow.RecordBatch) {
	t.Helper()
	opts = opts.withDefaults()
	ls, _, err := leaves(schema)
	if err != nil {
		t.Fatal(err)
	}
	storage, err := storageSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	file, err := pqarrow.NewFileWriter(storage, struct{ io.Writer }{w}, writerProperties(ls, opts), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		step := rowsPerChunk(batch)
		for from := int64(0); from < batch.NumRows(); from += step {
			if file.RowGroupTotalCompressedBytes() >= opts.RowGroupBytes {
				if err := file.NewBufferedRowGroupChecked(); err != nil {
					t.Fatal(err)
				}
			}
			part := batch.NewSlice(from, min(from+step, batch.NumRows()))
			columns := make([]arrow.Array, storage.NumFields())
			for i, f := range storage.Fields() {
				data, err := toStorage(f, part.Column(i))
				if err != nil {
					t.Fatal(err)
				}
				columns[i] = array.MakeFromData(data)
			}
			if err := file.WriteBuffered(array.NewRecordBatch(storage, columns, part.NumRows())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func pathOf(l leaf) string { return strings.Join(l.path, ".") }

// batchValues is how many values the encoder takes between two looks at the page size. With vectors it is as many as fill a
// page: then a page's buffer is allocated once instead of growing step by step. No column gets more than a chunk at a time.
func batchValues(ls []leaf, o Options) int64 {
	if slices.ContainsFunc(ls, func(l leaf) bool { return l.vector && l.nested }) {
		return max(4096, o.PageBytes/4)
	}
	return 4096
}

// writerProperties chooses codec, encoding and statistics of each leaf.
func writerProperties(ls []leaf, o Options) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithCreatedBy(o.CreatedBy),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithDataPageVersion(parquet.DataPageV2), // pages begin and end with rows, vectors too
		parquet.WithDataPageSize(o.PageBytes),
		parquet.WithDictionaryPageSizeLimit(o.PageBytes),
		parquet.WithBatchSize(batchValues(ls, o)),
		parquet.WithMaxRowGroupLength(1 << 40), // row groups end by bytes
		parquet.WithDictionaryDefault(false),
		parquet.WithEncoding(parquet.Encodings.Plain), // BYTE_STREAM_SPLIT and DELTA_* are not read everywhere
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(o.Scalars.Level),
	}
	for _, l := range ls {
		switch {
		case l.vector:
			props = append(props, parquet.WithCompressionFor(pathOf(l), compress.Codecs.Uncompressed), parquet.WithStatsFor(pathOf(l), false))
		case l.typ.ID() == arrow.STRING && !slices.Contains(o.Keys, l.path[0]), l.names:
			props = append(props, parquet.WithDictionaryFor(pathOf(l), true), parquet.WithDictionaryCostFallbackFor(pathOf(l), true))
		}
		if l.nested {
			props = append(props, parquet.WithStatsFor(pathOf(l), false))
		}
	}
	return parquet.NewWriterProperties(props...)
}

// storageSchema gives the schema with the types as they are written.
func storageSchema(s *arrow.Schema) (*arrow.Schema, error) {
	fields := make([]arrow.Field, s.NumFields())
	for i, f := range s.Fields() {
		g, err := storageField(f)
		if err != nil {
			return nil, fault.Place(err, f.Name)
		}
		fields[i] = g
	}
	return arrow.NewSchema(fields, nil), nil
}

func storageField(f arrow.Field) (arrow.Field, error) {
	var err error
	switch t := f.Type.(type) {
	case *arrow.FixedSizeListType:
		f.Type, err = storageList(t.ElemField())
	case *arrow.ListType:
		f.Type, err = storageList(t.ElemField())
	case *arrow.FixedSizeBinaryType:
		f.Type = arrow.BinaryTypes.Binary
	case *arrow.MapType:
		f.Type, err = storageMap(t)
	case *arrow.StructType:
		f.Type, err = storageStruct(t)
	case *extensions.VariantType:
		if t.TypedValue().Type != nil {
			err = fault.Unsupported(opWrite, "field %q is a shredded variant", f.Name)
		}
	default:
		if _, ok := scalars[f.Type.ID()]; !ok {
			err = fault.Unsupported(opWrite, "type %s of field %q", f.Type, f.Name)
		}
	}
	return f, err
}

func storageList(elem arrow.Field) (arrow.DataType, error) {
	e, err := storageField(elem)
	e.Name = "element"
	return arrow.ListOfField(e), err
}

func storageMap(t *arrow.MapType) (arrow.DataType, error) {
	key, err := storageField(t.KeyField())
	if err != nil {
		return nil, err
	}
	item, err := storageField(t.ItemField())
	key.Name, item.Name = "key", "value"
	return arrow.MapOfFields(key, item), err
}

func storageStruct(t *arrow.StructType) (arrow.DataType, error) {
	members := make([]arrow.Field, t.NumFields())
	for i, m := range t.Fields() {
		var err error
		if members[i], err = storageField(m); err != nil {
			return nil, err
		}
	}
	return arrow.StructOf(members...), nil
}

// toStorage converts an array into the field's type, which storageField gave. Values are shared where they can be. It
// refuses NULL in a required field.
func toStorage(f arrow.Field, a arrow.Array) (arrow.ArrayData, error) {
	if !f.Nullable && a.NullN() > 0 {
		return nil, fault.Corrupt(opWrite, "NULL in the required field %q", f.Name)
	}
	switch v := a.(type) {
	case *array.FixedSizeList:
		return listToStorage(f, a, v.ListValues(), fixedRanges(v))
	case *array.Map: // before List, which it embeds
		return listToStorage(f, a, v.ListValues(), offsetRanges(v.Offsets()[v.Data().Offset():]))
	case *array.List:
		return listToStorage(f, a, v.ListValues(), offsetRanges(v.Offsets()[v.Data().Offset():]))
	case *array.Struct:
		return structToStorage(f, v)
	case *extensions.VariantArray:
		return variantToStorage(f, v)
	case *array.FixedSizeBinary:
		return fixedBinaryToStorage(v)
	}
	a.Data().Retain()
	return a.Data(), nil
}

// listToStorage rebuilds a list of any form with offsets from 0 and no values behind NULL rows.
func listToStorage(f arrow.Field, a arrow.Array, child arrow.Array, at ranges) (arrow.ArrayData, error) {
	n, hasNulls := a.Len(), a.NullN() > 0
	offsets := make([]int32, n+1)
	var runs [][2]int
	total := 0
	for i := range n {
		from, to := at(i)
		if from < to && !(hasNulls && a.IsNull(i)) {
			total += to - from
			if last := len(runs) - 1; last >= 0 && runs[last][1] == from {
				runs[last][1] = to
			} else {
				runs = append(runs, [2]int{from, to})
			}
		}
		if total > math.MaxInt32 {
			return nil, fault.Limit(opWrite, "one batch has more than %d elements in field %q", math.MaxInt32, f.Name)
		}
		offsets[i+1] = int32(total)
	}
	values, err := gather(child, runs)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	converted, err := toStorage(childField(f.Type), values)
	if err != nil {
		return nil, err
	}
	defer converted.Release()
	buffers := []*memory.Buffer{validity(a), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}
	return array.NewData(f.Type, n, buffers, []arrow.ArrayData{converted}, a.NullN(), 0), nil
}

func childField(t arrow.DataType) arrow.Field {
	if m, ok := t.(*arrow.MapType); ok {
		return m.ElemField()
	}
	return t.(*arrow.ListType).ElemField()
}

// gather returns the runs of an array, one after another: a slice if there is one run, else a copy.
func gather(a arrow.Array, runs [][2]int) (arrow.Array, error) {
	switch len(runs) {
	case 0:
		return array.NewSlice(a, 0, 0), nil
	case 1:
		return array.NewSlice(a, int64(runs[0][0]), int64(runs[0][1])), nil
	}
	parts := make([]arrow.Array, len(runs))
	for i, r := range runs {
		parts[i] = array.NewSlice(a, int64(r[0]), int64(r[1]))
		defer parts[i].Release()
	}
	return array.Concatenate(parts, memory.DefaultAllocator)
}

func structToStorage(f arrow.Field, a *array.Struct) (arrow.ArrayData, error) {
	t := f.Type.(*arrow.StructType)
	children := make([]arrow.ArrayData, t.NumFields())
	defer func() {
		for _, c := range children {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i := range children {
		var err error
		if children[i], err = toStorage(t.Field(i), a.Field(i)); err != nil {
			return nil, err
		}
	}
	return array.NewData(f.Type, a.Len(), []*memory.Buffer{validity(a)}, children, a.NullN(), 0), nil
}

func variantToStorage(f arrow.Field, a *extensions.VariantArray) (arrow.ArrayData, error) {
	parts := f
	parts.Type = f.Type.(*extensions.VariantType).StorageType()
	d, err := structToStorage(parts, a.Storage().(*array.Struct))
	if err != nil {
		return nil, err
	}
	defer d.Release()
	return array.NewData(f.Type, d.Len(), d.Buffers(), d.Children(), d.NullN(), 0), nil
}

func fixedBinaryToStorage(a *array.FixedSizeBinary) (arrow.ArrayData, error) {
	n, width, off := a.Len(), a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth, a.Data().Offset()
	if n*width > math.MaxInt32 {
		return nil, fault.Limit(opWrite, "one batch has %d bytes of one binary column", n*width)
	}
	offsets := make([]int32, n+1)
	for i := range offsets {
		offsets[i] = int32(i * width)
	}
	var bytes []byte
	if b := a.Data().Buffers()[1]; b != nil {
		bytes = b.Bytes()[off*width : (off+n)*width]
	}
	buffers := []*memory.Buffer{validity(a), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(bytes)}
	return array.NewData(arrow.BinaryTypes.Binary, n, buffers, nil, a.NullN(), 0), nil
}

// validity gives the array's validity bits from bit 0, nil if nothing is NULL.
func validity(a arrow.Array) *memory.Buffer {
	if a.NullN() == 0 {
		return nil
	}
	off, n := a.Data().Offset(), a.Len()
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	bitutil.CopyBitmap(a.NullBitmapBytes(), off, n, bits, 0)
	return memory.NewBufferBytes(bits)
}
