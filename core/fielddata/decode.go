package fielddata

import (
	"encoding/json"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// Decode turns one column into the canonical array of its field, n rows.
func Decode(f milvus.Field, d *schemapb.FieldData, n int, o Options) (arrow.Array, error) {
	to, err := cell.Type(f)
	if err != nil {
		return nil, status.Invalid("%v", err)
	}
	rows, err := newRows(&f, d.GetValidData(), n)
	if err != nil {
		return nil, err
	}
	c := &column{field: f, rows: rows, to: to, opts: o, scalars: d.GetScalars(), vectors: d.GetVectors()}
	a, err := c.array()
	var known *status.Error
	if err != nil && !errors.As(err, &known) {
		return nil, status.Invalid("%v", err)
	}
	return a, err
}

// column is one call of Decode.
type column struct {
	field   milvus.Field
	rows    rows
	to      arrow.DataType
	opts    Options
	scalars *schemapb.ScalarField
	vectors *schemapb.VectorField
}

func (c *column) array() (arrow.Array, error) {
	switch c.field.Type {
	case milvus.TypeBool:
		return c.bools()
	case milvus.TypeInt8:
		return c.ints(math.MinInt8, math.MaxInt8)
	case milvus.TypeInt16:
		return c.ints(math.MinInt16, math.MaxInt16)
	case milvus.TypeInt32:
		return c.ints(math.MinInt32, math.MaxInt32)
	case milvus.TypeInt64:
		return fixed(c, c.scalars.GetLongData().GetData(), arrow.Int64Traits.CastToBytes)
	case milvus.TypeFloat:
		return c.floats()
	case milvus.TypeDouble:
		return c.doubles()
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText:
		return c.texts()
	case milvus.TypeJSON:
		return c.json()
	case milvus.TypeGeometry:
		return c.geometry()
	case milvus.TypeTimestamptz:
		return c.moments()
	case milvus.TypeArray:
		return c.arrays()
	case milvus.TypeSparseVector:
		return c.sparse()
	case milvus.TypeArrayOfVector:
		return c.vectorLists()
	}
	if c.field.Type.IsDenseVector() {
		return c.dense()
	}
	return nil, status.Invalid("field %s is of type %v, which requests have no column for", c.field.Name, c.field.Type)
}

// fixed builds an array of numbers.
func fixed[T any](c *column, values []T, bytes func([]T) []byte) (arrow.Array, error) {
	all, err := spread(c, values)
	if err != nil {
		return nil, err
	}
	return c.rows.build(c.to, nil, bytes(all)), nil
}

func (c *column) bools() (arrow.Array, error) {
	all, err := spread(c, c.scalars.GetBoolData().GetData())
	if err != nil {
		return nil, err
	}
	return c.rows.build(c.to, nil, bitmap(all)), nil
}

func (c *column) ints(least, most int32) (arrow.Array, error) {
	values := c.scalars.GetIntData().GetData()
	for i, v := range values {
		if v < least || v > most {
			return nil, status.Invalid("field %s, row number: %d: the value %d is out of range[%d, %d]", c.field.Name, i, v, least, most)
		}
	}
	return fixed(c, values, arrow.Int32Traits.CastToBytes)
}

func (c *column) floats() (arrow.Array, error) {
	values := c.scalars.GetFloatData().GetData()
	if err := c.finite(values, 1); err != nil {
		return nil, err
	}
	return fixed(c, values, arrow.Float32Traits.CastToBytes)
}

func (c *column) doubles() (arrow.Array, error) {
	values := c.scalars.GetDoubleData().GetData()
	for i, v := range values {
		if v-v != 0 {
			return nil, c.notFinite(i, v)
		}
	}
	return fixed(c, values, arrow.Float64Traits.CastToBytes)
}

// finite refuses NaN and infinities; width values make a row.
func (c *column) finite(values []float32, width int) error {
	for i, v := range values {
		if v-v != 0 {
			return c.notFinite(i/width, float64(v))
		}
	}
	return nil
}

func (c *column) notFinite(row int, v float64) error {
	return status.Invalid("field %s, row number: %d: value '%v' is not a number or infinity", c.field.Name, row, v)
}

func (c *column) texts() (arrow.Array, error) {
	values := c.scalars.GetStringData().GetData()
	for i, v := range values {
		if err := c.checkText(i, v); err != nil {
			return nil, err
		}
	}
	all, err := spread(c, values)
	if err != nil {
		return nil, err
	}
	return text(c, all)
}

// checkText checks a text of the field, or of its elements.
func (c *column) checkText(row int, v string) error {
	if limit := c.field.MaxLength; limit > 0 && len(v) > limit {
		return status.Invalid("length of varchar field %s exceeds max length, row number: %d, length: %d, max length: %d", c.field.Name, row, len(v), limit)
	}
	if !utf8.ValidString(v) {
		return status.Invalid("field %s, row number: %d: the text is not UTF-8", c.field.Name, row)
	}
	return nil
}

func (c *column) json() (arrow.Array, error) {
	values := c.scalars.GetJsonData().GetData()
	for i, v := range values {
		if len(v) == 0 && len(values) == c.rows.n && !c.rows.valid(i) {
			continue
		}
		if !json.Valid(v) || c.field.Dynamic && !isObject(v) {
			return nil, status.Invalid("field %s, row number: %d: the value is no %s", c.field.Name, i, c.jsonKind())
		}
	}
	all, err := spread(c, values)
	if err != nil {
		return nil, err
	}
	return text(c, all)
}

func (c *column) jsonKind() string {
	if c.field.Dynamic {
		return "JSON object"
	}
	return "JSON"
}

// isObject tells of JSON whether it is an object.
func isObject(v []byte) bool {
	for _, b := range v {
		switch b {
		case ' ', '\t', '\n', '\r':
		default:
			return b == '{'
		}
	}
	return false
}
