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
func arrowSchema(schema, storage *arrow.Schema) milvus.KeyValue {
	fields := make([]arrow.Field, storage.NumFields())
	for i, f := range storage.Fields() {
		f.Type = sized(f.Type, schema.Field(i).Type)
		fields[i] = f
	}
	var message bytes.Buffer
	_ = ipc.NewWriter(&message, ipc.WithSchema(arrow.NewSchema(fields, nil))).Close() // a buffer takes every write
	return milvus.KeyValue{Key: "ARROW:schema", Value: base64.StdEncoding.EncodeToString(message.Bytes())}
}

// sized returns the type as written, with lists of a fixed size where the type in memory has them.
func sized(written, memory arrow.DataType) arrow.DataType {
	switch m := memory.(type) {
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(m.Len(), written.(*arrow.ListType).ElemField())
	case *arrow.ListType:
		elem := written.(*arrow.ListType).ElemField()
		elem.Type = sized(elem.Type, m.Elem())
		return arrow.ListOfField(elem)
	case *arrow.StructType:
		members := append([]arrow.Field(nil), written.(*arrow.StructType).Fields()...)
		for i := range members {
			members[i].Type = sized(members[i].Type, m.Field(i).Type)
		}
		return arrow.StructOf(members...)
	}
	return written
}
