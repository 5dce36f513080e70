package fielddata

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// dense decodes vectors of a fixed width.
func (c *column) dense() (arrow.Array, error) {
	if dim := c.vectors.GetDim(); dim != 0 && dim != int64(c.field.Dim) {
		return nil, status.Invalid("the dim (%d) of field data(%s) is not equal to schema dim (%d)", dim, c.field.Name, c.field.Dim)
	}
	values, err := vectorBytes(c, c.vectors, c.field.Type, c.field.Dim)
	if err != nil {
		return nil, err
	}
	width := c.field.Type.DenseVectorWidth(c.field.Dim)
	if values, err = spreadWide(c, values, width); err != nil {
		return nil, err
	}
	stored := c.rows.build(&arrow.FixedSizeBinaryType{ByteWidth: width}, nil, values)
	return cell.Decode(c.field, stored, cell.Options{})
}

// vectorBytes returns the stored form of all vectors of a message, one after the other.
func vectorBytes(c *column, v *schemapb.VectorField, t milvus.DataType, dim int) ([]byte, error) {
	switch {
	case v.GetFloatVector() == nil:
	case t == milvus.TypeFloatVector:
		floats := v.GetFloatVector().GetData()
		return arrow.Float32Traits.CastToBytes(floats), c.finite(floats, dim)
	case t == milvus.TypeFloat16Vector, t == milvus.TypeBFloat16Vector:
		return narrow(c, v.GetFloatVector().GetData(), t, dim)
	}
	switch t {
	case milvus.TypeFloat16Vector:
		return v.GetFloat16Vector(), nil
	case milvus.TypeBFloat16Vector:
		return v.GetBfloat16Vector(), nil
	case milvus.TypeInt8Vector:
		return v.GetInt8Vector(), nil
	case milvus.TypeBinaryVector:
		return v.GetBinaryVector(), nil
	}
	return nil, nil
}

// narrow rounds float32 to halves.
func narrow(c *column, floats []float32, t milvus.DataType, dim int) ([]byte, error) {
	if err := c.finite(floats, dim); err != nil {
		return nil, err
	}
	if len(floats)%dim != 0 {
		return nil, status.Invalid("the length (%d) of float data should divide the dim (%d) of field %s", len(floats), dim, c.field.Name)
	}
	f := milvus.Field{Name: c.field.Name, Type: t, Dim: dim}
	to, err := cell.Type(f)
	if err != nil {
		return nil, err
	}
	all := rows{n: len(floats) / dim}
	child := rows{n: len(floats)}
	stored, err := cell.Encode(f, all.build(to, []arrow.ArrayData{child.build(arrow.PrimitiveTypes.Float32, nil, arrow.Float32Traits.CastToBytes(floats)).Data()}))
	if err != nil {
		return nil, err
	}
	return stored.Data().Buffers()[1].Bytes(), nil
}

func (c *column) sparse() (arrow.Array, error) {
	all, err := spread(c, c.vectors.GetSparseFloatVector().GetContents())
	if err != nil {
		return nil, err
	}
	stored, err := raw(c, all)
	if err != nil {
		return nil, err
	}
	return cell.Decode(c.field, stored, cell.Options{})
}

// arrays decodes lists of scalars: a row's message is its stored form.
func (c *column) arrays() (arrow.Array, error) {
	all, err := spread(c, c.scalars.GetArrayData().GetData())
	if err != nil {
		return nil, err
	}
	cells := make([][]byte, len(all))
	for i, row := range all {
		if row == nil || !c.rows.valid(i) {
			continue
		}
		if cells[i], err = proto.Marshal(row); err != nil {
			return nil, err
		}
		for _, v := range row.GetStringData().GetData() {
			if err := c.checkText(i, v); err != nil {
				return nil, err
			}
		}
	}
	stored, err := raw(c, cells)
	if err != nil {
		return nil, err
	}
	out, err := cell.Decode(c.field, stored, cell.Options{})
	if err != nil {
		return nil, err
	}
	return out, c.checkCapacity(out)
}

// checkCapacity compares the lengths of lists with max_capacity.
func (c *column) checkCapacity(a arrow.Array) error {
	limit := int64(c.field.MaxCapacity)
	list := a.(*array.List)
	for i := range list.Len() {
		if from, to := list.ValueOffsets(i); limit > 0 && to-from > limit {
			return status.Invalid("the length (%d) of %dth array exceeds max capacity (%d) of field %s", to-from, i, limit, c.field.Name)
		}
	}
	return nil
}

// vectorLists decodes lists of vectors: each row's message holds its vectors one after the other.
func (c *column) vectorLists() (arrow.Array, error) {
	all, err := spread(c, c.vectors.GetVectorArray().GetData())
	if err != nil {
		return nil, err
	}
	width := c.field.ElementType.DenseVectorWidth(c.field.Dim)
	offsets := make([]int32, len(all)+1)
	var data []byte
	for i, row := range all {
		if c.rows.valid(i) {
			vectors, err := vectorBytes(c, row, c.field.ElementType, c.field.Dim)
			if err != nil {
				return nil, err
			}
			if len(vectors)%width != 0 {
				return nil, status.Invalid("field %s, row number: %d: %d bytes are no vectors of %d dimensions", c.field.Name, i, len(vectors), c.field.Dim)
			}
			data = append(data, vectors...)
		}
		offsets[i+1] = int32(len(data) / width)
	}
	elements := rows{n: len(data) / width}
	et := &arrow.FixedSizeBinaryType{ByteWidth: width}
	child := elements.build(et, nil, data)
	t := arrow.ListOfField(arrow.Field{Name: "element", Type: et})
	out, err := cell.Decode(c.field, c.rows.build(t, []arrow.ArrayData{child.Data()}, arrow.Int32Traits.CastToBytes(offsets)), cell.Options{})
	if err != nil {
		return nil, err
	}
	return out, c.checkCapacity(out)
}

// Vectors turns the vectors of a search, one value each, into an array of the field's type. asFloats says that they are float32
// where the field has halves.
func Vectors(f milvus.Field, values [][]byte, asFloats bool) (arrow.Array, error) {
	f.Nullable, f.Default = false, nil
	to, err := cell.Type(f)
	if err != nil {
		return nil, status.Invalid("%v", err)
	}
	c := &column{field: f, rows: rows{n: len(values), present: len(values)}, to: to}
	width := f.Type.DenseVectorWidth(f.Dim)
	if asFloats {
		width = 4 * f.Dim
	}
	stored := make([][]byte, len(values))
	for i, v := range values {
		if stored[i] = v; width > 0 && len(v) != width {
			return nil, status.Invalid("vector dimension mismatch, expected vector size(byte) %d, actual %d", width, len(v))
		}
		if asFloats {
			if stored[i], err = narrow(c, arrow.Float32Traits.CastFromBytes(append([]byte(nil), v...)), f.Type, f.Dim); err != nil {
				return nil, err
			}
		}
	}
	cells, err := raw(c, stored)
	if err != nil {
		return nil, err
	}
	out, err := cell.Decode(f, cells, cell.Options{})
	if err != nil {
		return nil, status.Invalid("%v", err)
	}
	return out, nil
}
