package form

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Vectors is the form of dense vectors.
type Vectors string

// The forms of dense vectors.
const (
	VectorsList      Vectors = "list" // the default
	VectorsBinary    Vectors = "binary"
	VectorsFixedList Vectors = "fixed-list"
)

// Sparse is the form of sparse vectors.
type Sparse string

// The forms of sparse vectors.
const (
	SparseMap    Sparse = "map" // the default
	SparseStruct Sparse = "struct"
)

// JSON is the form of JSON fields and of $meta.
type JSON string

// The forms of JSON.
const (
	JSONString  JSON = "string" // the default
	JSONVariant JSON = "variant"
)

// Options choose forms. The zero value is the defaults.
type Options struct {
	Vectors Vectors `json:"vectors,omitempty"`
	Sparse  Sparse  `json:"sparse,omitempty"`
	JSON    JSON    `json:"json,omitempty"`
}

// Normal returns the options with "" for every default, so that equal choices are equal. ErrUnsupported for forms that do not exist.
func (o Options) Normal() (Options, error) {
	switch o.Vectors {
	case VectorsList:
		o.Vectors = ""
	case "", VectorsBinary, VectorsFixedList:
	default:
		return o, fault.Unsupported("choose forms", "vectors as %q", o.Vectors).WithHint("there are list, binary and fixed-list")
	}
	switch o.Sparse {
	case SparseMap:
		o.Sparse = ""
	case "", SparseStruct:
	default:
		return o, fault.Unsupported("choose forms", "sparse vectors as %q", o.Sparse).WithHint("there are map and struct")
	}
	switch o.JSON {
	case JSONString:
		o.JSON = ""
	case "", JSONVariant:
	default:
		return o, fault.Unsupported("choose forms", "JSON as %q", o.JSON).WithHint("there are string and variant")
	}
	return o, nil
}

// Metadata keys of the schema's fields, as package reader sets them, and one of our own.
const (
	metaFieldID = "milvus.field_id"
	metaDoc     = "milvus.doc"

	// MetaEncoding says, on a field whose values are the bytes of vectors, how to decode them: the JSON of an [Encoding].
	MetaEncoding = "milvus.encoding"
)

// Encoding is how the bytes of a vector are made of its elements.
type Encoding struct {
	Type      string `json:"type"`    // Milvus's: FloatVector
	Element   string `json:"element"` // float32, float16, bfloat16, int8 or bit
	Dim       int    `json:"dim"`
	Bytes     int    `json:"bytes"` // of a vector
	ByteOrder string `json:"byte_order"`
}

var elements = map[milvus.DataType]string{
	milvus.TypeFloatVector: "float32", milvus.TypeFloat16Vector: "float16", milvus.TypeBFloat16Vector: "bfloat16",
	milvus.TypeInt8Vector: "int8", milvus.TypeBinaryVector: "bit",
}

// Form brings batches of one schema into the forms that were chosen. It is safe for concurrent use.
type Form struct {
	schema  *arrow.Schema
	columns []*node // nil for those that stay as they are
	changes bool
}

// New returns the form of batches with the canonical schema of a collection: fields and struct members have their Milvus field id
// under "milvus.field_id".
func New(collection *milvus.Schema, canonical *arrow.Schema, o Options) (*Form, error) {
	o, err := o.Normal()
	if err != nil {
		return nil, err
	}
	p := planner{collection, o}
	f := &Form{schema: canonical, columns: make([]*node, canonical.NumFields())}
	fields := make([]arrow.Field, canonical.NumFields())
	for i, have := range canonical.Fields() {
		if fields[i], f.columns[i], err = p.field(have); err != nil {
			return nil, fault.Place(err, have.Name)
		}
		f.changes = f.changes || f.columns[i] != nil || !fields[i].Equal(have)
	}
	if f.changes {
		meta := canonical.Metadata()
		f.schema = arrow.NewSchema(fields, &meta)
	}
	return f, nil
}

// Schema is that of converted batches.
func (f *Form) Schema() *arrow.Schema { return f.schema }

// Convert returns the batch in the chosen forms, or the batch itself if nothing changes; release it in either case.
// ErrCorrupt if a value has no such form.
func (f *Form) Convert(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	if !f.changes {
		batch.Retain()
		return batch, nil
	}
	columns := make([]arrow.Array, len(f.columns))
	for i, n := range f.columns {
		columns[i] = batch.Column(i)
		if n == nil {
			continue
		}
		var err error
		if columns[i], err = n.convert(columns[i]); err != nil {
			return nil, fault.Place(err, batch.ColumnName(i))
		}
	}
	return array.NewRecordBatch(f.schema, columns, batch.NumRows()), nil
}

// planner makes nodes.
type planner struct {
	collection *milvus.Schema
	opts       Options
}

// field returns the field in its form, and what converts its values, nil if nothing needs to.
func (p planner) field(f arrow.Field) (arrow.Field, *node, error) {
	text, ok := f.Metadata.GetValue(metaFieldID)
	if !ok {
		return f, nil, nil // a system column
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return f, nil, fault.Corrupt("choose forms", "the field id is %q", text)
	}
	mf, ok := p.collection.Field(milvus.FieldID(id))
	if _, plain := f.Type.(*arrow.ListType); !ok && !plain { // a struct array is no field, its members are
		return f, nil, fault.Corrupt("choose forms", "the collection has no field %d", id)
	}
	if list, ok := f.Type.(*arrow.ListType); ok && list.Elem().ID() == arrow.STRUCT {
		return p.structs(f, list)
	}
	n := p.values(mf, f.Type)
	if t, ok := f.Type.(*arrow.FixedSizeListType); ok && f.Nullable && p.opts.Vectors == VectorsFixedList {
		n = withHoles(t)
	}
	if p.opts.Vectors == VectorsBinary && vectorOf(mf).Type.IsDenseVector() {
		f.Metadata = encoded(f.Metadata, vectorOf(mf))
	}
	if n != nil {
		f.Type = n.to
	}
	return f, n, nil
}

// structs deals with a struct array.
func (p planner) structs(f arrow.Field, list *arrow.ListType) (arrow.Field, *node, error) {
	st := list.Elem().(*arrow.StructType)
	members := make([]arrow.Field, st.NumFields())
	inner := &node{kind: structs, members: make([]*node, st.NumFields())}
	changes := false
	for i, m := range st.Fields() {
		var err error
		if members[i], inner.members[i], err = p.field(m); err != nil {
			return f, nil, fault.Place(err, m.Name)
		}
		changes = changes || inner.members[i] != nil || !members[i].Equal(m)
	}
	if !changes {
		return f, nil, nil
	}
	inner.to = arrow.StructOf(members...)
	elem := list.ElemField()
	elem.Type = inner.to
	f.Type = arrow.ListOfField(elem)
	return f, &node{kind: lists, to: f.Type, elem: inner}, nil
}

// vectorOf is the field that vectors belong to: of an ArrayOfVector, or of a struct member, the elements'.
func vectorOf(f milvus.Field) milvus.Field {
	if f.Type != milvus.TypeArrayOfVector {
		return f
	}
	return milvus.Field{ID: f.ID, Name: f.Name, Type: f.ElementType, Dim: f.Dim}
}

// encoded adds to a field's metadata how its bytes are to be read.
func encoded(m arrow.Metadata, f milvus.Field) arrow.Metadata {
	e := Encoding{Type: f.Type.String(), Element: elements[f.Type], Dim: f.Dim, Bytes: f.Type.DenseVectorWidth(f.Dim), ByteOrder: "little-endian"}
	text, _ := json.Marshal(e) // numbers and strings always encode
	values := append([]string(nil), m.Values()...)
	for i, key := range m.Keys() {
		if key == metaDoc {
			values[i] += fmt.Sprintf(" (%d bytes: %d x %s, little-endian)", e.Bytes, e.Dim, e.Element)
		}
	}
	keys := append(append([]string(nil), m.Keys()...), MetaEncoding)
	return arrow.NewMetadata(keys, append(values, string(text)))
}
