package datafile

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/snapexport/snapexport/fault"
)

// leaf is one Parquet column of the file.
type leaf struct {
	path   string // as Parquet spells it: vec.list.element
	id     int
	typ    arrow.DataType // as written
	vector bool           // an element of a vector, or a vector's bytes
	nested bool           // below a list, map or struct, or part of a variant
	names  bool           // a variant's metadata: names of members, much the same in every row
}

// leaves lists the Parquet columns of the schema in their order, and checks that each field has an id of its own.
func leaves(s *arrow.Schema) ([]leaf, error) {
	w := leafWalk{seen: map[int]string{}}
	for _, f := range s.Fields() {
		if err := w.field(f, f.Name, leaf{}); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

type leafWalk struct {
	out  []leaf
	seen map[int]string
}

func (w *leafWalk) field(f arrow.Field, path string, l leaf) error {
	id, err := fieldID(f)
	if err != nil {
		return fault.Place(err, path)
	}
	if other, dup := w.seen[id]; dup {
		return fault.Corrupt(opWrite, "fields %q and %q have the same field id %d", other, path, id)
	}
	w.seen[id] = path
	inner := leaf{vector: l.vector, nested: true}
	switch t := f.Type.(type) {
	case *arrow.FixedSizeListType:
		inner.vector = true
		return w.field(t.ElemField(), path+".list.element", inner)
	case *arrow.ListType:
		return w.field(t.ElemField(), path+".list.element", inner)
	case *arrow.MapType:
		if err := w.field(t.KeyField(), path+".key_value.key", inner); err != nil {
			return err
		}
		return w.field(t.ItemField(), path+".key_value.value", inner)
	case *arrow.StructType:
		for _, m := range t.Fields() {
			if err := w.field(m, path+"."+m.Name, inner); err != nil {
				return err
			}
		}
		return nil
	case *extensions.VariantType: // its parts have no ids of their own
		for _, part := range []string{"metadata", "value"} {
			w.out = append(w.out, leaf{path: path + "." + part, id: id, typ: arrow.BinaryTypes.Binary, nested: true, names: part == "metadata"})
		}
		return nil
	case *arrow.FixedSizeBinaryType:
		l.vector = true
	}
	l.path, l.id, l.typ = path, id, f.Type
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
