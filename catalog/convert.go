package catalog

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/fault"
)

// converter turns Arrow fields into Iceberg fields with ids that are unique and nothing more.
type converter struct{ last int }

func (c *converter) id() int { c.last++; return c.last }

func (c *converter) field(f arrow.Field) (iceberg.NestedField, error) {
	n := iceberg.NestedField{ID: c.id(), Name: f.Name, Required: !f.Nullable}
	n.Doc, _ = f.Metadata.GetValue(MilvusDocKey)
	var err error
	n.Type, err = c.typ(f.Type)
	return n, err
}

func (c *converter) typ(t arrow.DataType) (iceberg.Type, error) {
	switch t := t.(type) {
	case *arrow.ListType:
		return c.list(t.ElemField())
	case *arrow.FixedSizeListType:
		return c.list(t.ElemField())
	case *arrow.MapType:
		return c.mapped(t)
	case *arrow.StructType:
		return c.structure(t)
	case *extensions.VariantType:
		return iceberg.VariantType{}, nil
	case *arrow.FixedSizeBinaryType: // never Iceberg's fixed: a long one kills Spark's reader
		return iceberg.PrimitiveTypes.Binary, nil
	case *arrow.TimestampType:
		if t.Unit == arrow.Microsecond && t.TimeZone == "UTC" {
			return iceberg.PrimitiveTypes.TimestampTz, nil
		}
	case *arrow.Time64Type:
		if t.Unit == arrow.Microsecond {
			return iceberg.PrimitiveTypes.Time, nil
		}
	}
	if p, ok := scalars[t.ID()]; ok {
		return p, nil
	}
	return nil, fault.Unsupported("make Iceberg schema", "Arrow type %s has no column type", t)
}

var scalars = map[arrow.Type]iceberg.Type{
	arrow.BOOL:    iceberg.PrimitiveTypes.Bool,
	arrow.INT32:   iceberg.PrimitiveTypes.Int32,
	arrow.INT64:   iceberg.PrimitiveTypes.Int64,
	arrow.FLOAT32: iceberg.PrimitiveTypes.Float32,
	arrow.FLOAT64: iceberg.PrimitiveTypes.Float64,
	arrow.STRING:  iceberg.PrimitiveTypes.String,
	arrow.BINARY:  iceberg.PrimitiveTypes.Binary,
	arrow.DATE32:  iceberg.PrimitiveTypes.Date,
}

func (c *converter) list(elem arrow.Field) (iceberg.Type, error) {
	id := c.id()
	t, err := c.typ(elem.Type)
	return &iceberg.ListType{ElementID: id, Element: t, ElementRequired: !elem.Nullable}, err
}

func (c *converter) mapped(t *arrow.MapType) (iceberg.Type, error) {
	keyID, valueID := c.id(), c.id()
	key, err := c.typ(t.KeyType())
	if err != nil {
		return nil, err
	}
	value, err := c.typ(t.ItemType())
	return &iceberg.MapType{KeyID: keyID, KeyType: key, ValueID: valueID, ValueType: value, ValueRequired: !t.ItemField().Nullable}, err
}

func (c *converter) structure(t *arrow.StructType) (iceberg.Type, error) {
	out := &iceberg.StructType{}
	for _, m := range t.Fields() {
		f, err := c.field(m)
		if err != nil {
			return nil, fault.Place(err, m.Name)
		}
		out.FieldList = append(out.FieldList, f)
	}
	return out, nil
}
