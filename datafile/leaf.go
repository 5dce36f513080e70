package datafile

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// leaf is one Parquet column of the file.
type leaf struct {
	path     []string // as in Parquet: vec, list, element
	top      int      // number of the top-level field
	id       int
	typ      arrow.DataType // in memory
	physical format.Type
	maxDef   int
	maxRep   int
	vector   bool // an element of a vector, or a vector's bytes
	dim      int  // of the vectors whose elements it is, none of them NULL; else 0
	nested   bool // below a list, map or struct, or part of a variant
	names    bool // a variant's metadata: names of members, much the same in every row
}

// bounded says whether the file has statistics of the leaf.
func (l leaf) bounded() bool { return !l.nested && !l.vector }

// repWidth and defWidth are the bits of a level.
func (l leaf) repWidth() int { return bits.Len(uint(l.maxRep)) }
func (l leaf) defWidth() int { return bits.Len(uint(l.maxDef)) }

// leaves lists the Parquet columns of the schema in their order, and the elements of the Parquet schema. It checks that each
// field has an id of its own.
func leaves(s *arrow.Schema) ([]leaf, []format.SchemaElement, error) {
	root := format.SchemaElement{Name: "schema", NumChildren: thrift.New(int32(s.NumFields()))}
	w := leafWalk{seen: map[int]string{}, elements: []format.SchemaElement{root}}
	for i, f := range s.Fields() {
		if err := w.field(f, f.Name, leaf{top: i}); err != nil {
			return nil, nil, fault.Place(err, f.Name)
		}
	}
	return w.out, w.elements, nil
}

type leafWalk struct {
	out      []leaf
	elements []format.SchemaElement
	seen     map[int]string
}

// field adds a field; l is what is known of the leaves below it.
func (w *leafWalk) field(f arrow.Field, name string, l leaf) error {
	id, err := fieldID(f)
	if err != nil {
		return err
	}
	if other, dup := w.seen[id]; dup {
		return fault.Corrupt(opWrite, "fields %q and %q have the same field id %d", other, name, id)
	}
	w.seen[id] = name
	l.id, l.path = id, append(slices.Clip(l.path), name)
	e := format.SchemaElement{Name: name, FieldID: int32(id), RepetitionType: thrift.New(format.Required)}
	if f.Nullable {
		e.RepetitionType = thrift.New(format.Optional)
		l.maxDef++
	}
	switch t := f.Type.(type) {
	case *arrow.FixedSizeListType:
		l.vector = true
		if elem, ok := t.Elem().(arrow.FixedWidthDataType); ok && !arrow.IsNested(elem.ID()) && elem.BitWidth()%8 == 0 && elem.ID() != arrow.FIXED_SIZE_BINARY && !t.ElemField().Nullable {
			l.dim = int(t.Len())
		}
		return w.list(e, l, t.ElemField())
	case *arrow.ListType:
		return w.list(e, l, t.ElemField())
	case *arrow.MapType:
		w.group(e, 1, &format.MapType{}, convertedMap)
		return w.repeated("key_value", l, []string{"key", "value"}, t.KeyField(), t.ItemField())
	case *arrow.StructType:
		w.group(e, t.NumFields(), nil, none)
		l.nested = true
		for _, m := range t.Fields() {
			if err := w.field(m, m.Name, l); err != nil {
				return err
			}
		}
		return nil
	case *extensions.VariantType: // its parts have no ids of their own
		if t.TypedValue().Type != nil {
			return fault.Unsupported(opWrite, "field %q is a shredded variant", name)
		}
		w.group(e, 2, &format.VariantType{SpecificationVersion: 1}, none)
		l.nested = true
		w.part(l, "metadata")
		w.part(l, "value")
		return nil
	}
	return w.leaf(e, l, f)
}

func (w *leafWalk) group(e format.SchemaElement, children int, logical format.LogicalTypeValue, c converted) {
	e.NumChildren = thrift.New(int32(children))
	w.elements = append(w.elements, annotate(e, logical, c))
}

func (w *leafWalk) list(e format.SchemaElement, l leaf, elem arrow.Field) error {
	w.group(e, 1, &format.ListType{}, convertedList)
	return w.repeated("list", l, []string{"element"}, elem)
}

// repeated adds the middle group of lists and maps, with what is in it.
func (w *leafWalk) repeated(name string, l leaf, names []string, fields ...arrow.Field) error {
	w.group(format.SchemaElement{Name: name, RepetitionType: thrift.New(format.Repeated)}, len(fields), nil, none)
	l.path, l.nested = append(slices.Clip(l.path), name), true
	l.maxDef++
	l.maxRep++
	for i, f := range fields {
		if err := w.field(f, names[i], l); err != nil {
			return err
		}
	}
	return nil
}

func (w *leafWalk) part(l leaf, name string) {
	l.path, l.names = append(slices.Clip(l.path), name), name == "metadata"
	l.typ, l.physical = arrow.BinaryTypes.Binary, format.ByteArray
	w.elements = append(w.elements, format.SchemaElement{Name: name, RepetitionType: thrift.New(format.Required), Type: thrift.New(l.physical)})
	w.out = append(w.out, l)
}

func (w *leafWalk) leaf(e format.SchemaElement, l leaf, f arrow.Field) error {
	s, ok := scalars[f.Type.ID()]
	if !ok || !supported(f.Type) {
		return fault.Unsupported(opWrite, "type %s of field %q", f.Type, e.Name)
	}
	l.vector = l.vector || f.Type.ID() == arrow.FIXED_SIZE_BINARY
	l.typ, l.physical = f.Type, s.physical
	e.Type = thrift.New(s.physical)
	w.elements = append(w.elements, annotate(e, s.logical, s.converted))
	w.out = append(w.out, l)
	return nil
}

// fieldID reads the Iceberg field id of a field.
func fieldID(f arrow.Field) (int, error) {
	v, ok := f.Metadata.GetValue(FieldIDKey)
	if !ok {
		return 0, fault.Corrupt(opWrite, "field %q has no %s", f.Name, FieldIDKey)
	}
	id, err := strconv.ParseInt(v, 10, 32)
	if err != nil || id <= 0 {
		return 0, fault.Corrupt(opWrite, "field %q has the field id %q", f.Name, v)
	}
	return int(id), nil
}
