package packed

import (
	"bytes"
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/snapexport/snapexport/fault"
)

// write writes columns in row groups.
func write(fields []arrow.Field, footer metadata.KeyValueMetadata, columns []arrow.Array, groups []rowGroup, props *parquet.WriterProperties) ([]byte, error) {
	root, err := schemaOf(fields, props)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	out, err := file.NewParquetWriterWithError(&buf, root, file.WithWriterProps(props), file.WithWriteMetadata(footer))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		rg, err := out.AppendRowGroupChecked()
		if err != nil {
			return nil, err
		}
		for i, c := range columns {
			w, err := rg.NextColumn()
			if err == nil {
				err = writeColumn(w, c, fields[i].Nullable, g)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				return nil, err
			}
		}
		if err := rg.Close(); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// schemaOf gives int32 and int64 columns no logical type: Milvus's library writes none, arrow-go would.
func schemaOf(fields []arrow.Field, props *parquet.WriterProperties) (*schema.GroupNode, error) {
	s, err := pqarrow.ToParquet(arrow.NewSchema(fields, nil), props, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, err
	}
	nodes := make(schema.FieldList, len(fields))
	for i, f := range fields {
		nodes[i] = s.Root().Field(i)
		if n, ok := nodes[i].(*schema.PrimitiveNode); ok && (f.Type.ID() == arrow.INT32 || f.Type.ID() == arrow.INT64) {
			if nodes[i], err = schema.NewPrimitiveNode(n.Name(), n.RepetitionType(), n.PhysicalType(), n.FieldID(), -1); err != nil {
				return nil, err
			}
		}
	}
	return schema.NewGroupNode(s.Root().Name(), s.Root().RepetitionType(), nodes, -1)
}

// writeColumn writes one row group's rows of a column.
func writeColumn(w file.ColumnChunkWriter, c arrow.Array, optional bool, g rowGroup) error {
	part := array.NewSlice(c, int64(g.first), int64(g.first+g.rows))
	defer part.Release()
	ctx := pqarrow.NewArrowWriteContext(context.Background(), nil)
	if list, ok := part.(*array.List); ok {
		return writeList(ctx, w, list, optional)
	}
	var def []int16
	if optional {
		def = make([]int16, g.rows)
		for i := range def {
			if part.IsValid(i) {
				def[i] = 1
			}
		}
	}
	return pqarrow.WriteArrowToColumn(ctx, w, part, def, nil, optional)
}

// writeList writes lists of elements that are nullable in type only: a three-level LIST.
func writeList(ctx context.Context, w file.ColumnChunkWriter, list *array.List, optional bool) error {
	empty := int16(0)
	if optional {
		empty = 1
	}
	at := offsets(list.Data())
	var def, rep []int16
	for i := range list.Len() {
		n := at[i+1] - at[i]
		switch {
		case list.IsNull(i) && n > 0:
			return fault.Corrupt(op, "row %d is NULL and has %d elements", i, n)
		case list.IsNull(i):
			def, rep = append(def, 0), append(rep, 0)
		case n == 0:
			def, rep = append(def, empty), append(rep, 0)
		}
		for j := range n {
			def, rep = append(def, empty+2), append(rep, int16(min(1, j)))
		}
	}
	elements := array.NewSlice(list.ListValues(), int64(at[0]), int64(at[list.Len()]))
	defer elements.Release()
	return pqarrow.WriteArrowToColumn(ctx, w, elements, def, rep, true)
}
