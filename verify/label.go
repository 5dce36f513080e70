package verify

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/milvus"
)

// label gives the columns of a table's batch the form and the Milvus field ids of the schema's columns of the same name,
// members of structs included. Other columns are left out.
func label(batch arrow.RecordBatch, schema *arrow.Schema, collection *milvus.Schema) (arrow.RecordBatch, error) {
	var fields []arrow.Field
	var cols []arrow.Array
	for i, f := range batch.Schema().Fields() {
		want, ok := schema.FieldsByName(f.Name)
		if !ok {
			continue
		}
		col, err := form.Canonical(collection, want[0], batch.Column(i))
		if err != nil {
			return nil, err
		}
		t, err := labelType(col.DataType(), want[0].Type)
		if err != nil {
			return nil, fault.Place(err, f.Name)
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: t, Nullable: true, Metadata: want[0].Metadata})
		cols = append(cols, array.MakeFromData(relabel(col.Data(), t)))
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, batch.NumRows()), nil
}

// labelType returns have with the metadata of want's struct members.
func labelType(have, want arrow.DataType) (arrow.DataType, error) {
	switch h := have.(type) {
	case *arrow.ListType:
		w, ok := want.(arrow.ListLikeType)
		if !ok {
			return have, nil
		}
		elem := h.ElemField()
		t, err := labelType(elem.Type, w.Elem())
		elem.Type = t
		return arrow.ListOfField(elem), err
	case *arrow.StructType:
		return labelStruct(h, want)
	}
	return have, nil
}

func labelStruct(have *arrow.StructType, want arrow.DataType) (arrow.DataType, error) {
	w, ok := want.(*arrow.StructType)
	if !ok {
		return have, nil
	}
	fields := make([]arrow.Field, have.NumFields())
	for i, f := range have.Fields() {
		member, ok := w.FieldByName(f.Name)
		if !ok {
			return nil, fault.Conflict("compare with table", "the snapshot has no struct member %q", f.Name)
		}
		t, err := labelType(f.Type, member.Type)
		if err != nil {
			return nil, err
		}
		fields[i] = arrow.Field{Name: f.Name, Type: t, Nullable: f.Nullable, Metadata: member.Metadata}
	}
	return arrow.StructOf(fields...), nil
}

// relabel returns the same data with another spelling of its type.
func relabel(d arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, c := range d.Children() {
		switch t := t.(type) {
		case *arrow.ListType:
			children[i] = relabel(c, t.Elem())
		case *arrow.StructType:
			children[i] = relabel(c, t.Field(i).Type)
		default:
			children[i] = c
		}
	}
	return array.NewData(t, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
}
