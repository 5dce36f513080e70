package verify

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/variant"
)

// A table whose JSON columns are variants does not have their text, which the content hash is taken of. Both sides are then
// hashed with the values of these columns instead (docs/format/content-hash.md).

// valueEncoder appends the canonical bytes of JSON values.
type valueEncoder struct {
	a     arrow.Array
	value func(r int) (variant.Value, error)
	raw   func(r int) string
}

// valueEncoderOf returns the encoder of JSON, be it text or variant.
func valueEncoderOf(a arrow.Array) (encode, error) {
	switch a := a.(type) {
	case *array.String:
		return valueEncoder{a, func(r int) (variant.Value, error) { return variant.Parse([]byte(a.Value(r))) }, a.Value}, nil
	case *extensions.VariantArray:
		parts, _ := a.Storage().(*array.Struct)
		if parts == nil || a.IsShredded() {
			break
		}
		metadata, ok := parts.Field(0).(*array.Binary)
		value, ok2 := parts.Field(1).(*array.Binary)
		if ok && ok2 { // a itself takes the JSON null for a NULL
			return valueEncoder{parts, func(r int) (variant.Value, error) { return variant.Decode(metadata.Value(r), value.Value(r)) }, value.ValueString}, nil
		}
	}
	return nil, fault.Unsupported("hash rows", "JSON as Arrow type %s", a.DataType())
}

func (e valueEncoder) isNull(r int) bool { return e.a.IsNull(r) }

// append marks what is no value with a byte that no value begins with.
func (e valueEncoder) append(dst []byte, r int) []byte {
	v, err := e.value(r)
	if err != nil {
		return append(append(dst, 0xff), e.raw(r)...)
	}
	return v.AppendCanonical(dst)
}
