package datafile

import (
	"bytes"
	"encoding/base64"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/snapexport/snapexport/milvus"
)

// arrowSchema is the footer's key-value from which readers that know Arrow restore types: those that are written, but
// vectors with their size.
func arrowSchema(schema *arrow.Schema) milvus.KeyValue {
	fields := make([]arrow.Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = hint(f, f.Name)
	}
	var message bytes.Buffer
	_ = ipc.NewWriter(&message, ipc.WithSchema(arrow.NewSchema(fields, nil))).Close() // a buffer takes every write
	return milvus.KeyValue{Key: "ARROW:schema", Value: base64.StdEncoding.EncodeToString(message.Bytes())}
}

// hint returns the field with the names and types of the file, but with the sizes that lists have in memory.
func hint(f arrow.Field, name string) arrow.Field {
	f.Name = name
	switch t := f.Type.(type) {
	case *arrow.FixedSizeListType:
		f.Type = arrow.FixedSizeListOfField(t.Len(), hint(t.ElemField(), "element"))
	case *arrow.ListType:
		f.Type = arrow.ListOfField(hint(t.ElemField(), "element"))
	case *arrow.MapType:
		f.Type = arrow.MapOfFields(hint(t.KeyField(), "key"), hint(t.ItemField(), "value"))
	case *arrow.StructType:
		members := make([]arrow.Field, t.NumFields())
		for i, m := range t.Fields() {
			members[i] = hint(m, m.Name)
		}
		f.Type = arrow.StructOf(members...)
	case *arrow.FixedSizeBinaryType:
		f.Type = arrow.BinaryTypes.Binary
	}
	return f
}
