package verify

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/variant"
)

const null = "-" // SQL's

func textColumn(values ...string) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, v := range values {
		if v == null {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	return b.NewArray()
}

func variantColumn(t *testing.T, values ...string) arrow.Array {
	t.Helper()
	vt := extensions.NewDefaultVariantType()
	b := array.NewStructBuilder(memory.DefaultAllocator, vt.StorageType().(*arrow.StructType))
	for _, v := range values {
		if v == null {
			b.AppendNull()
			continue
		}
		doc, err := variant.Parse([]byte(v))
		if err != nil {
			t.Fatal(err)
		}
		metadata, value, err := doc.Encode()
		if err != nil {
			t.Fatal(err)
		}
		b.Append(true)
		b.FieldBuilder(0).(*array.BinaryBuilder).Append(metadata)
		b.FieldBuilder(1).(*array.BinaryBuilder).Append(value)
	}
	return array.NewExtensionArrayWithStorage(vt, b.NewArray())
}

func hashByValue(t *testing.T, column arrow.Array) Hash {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{withID(arrow.Field{Name: "doc", Type: column.DataType(), Nullable: true}, "101")}, nil)
	h, err := NewHasher(schema)
	if err != nil {
		t.Fatal(err)
	}
	h.byValue = map[string]bool{"doc": true}
	if err := h.Add(array.NewRecordBatch(schema, []arrow.Array{column}, int64(column.Len()))); err != nil {
		t.Fatal(err)
	}
	return h.Sum()
}

// Text and the variant that has its value hash alike, other values differently; JSON null is not SQL's.
func TestJSONByValue(t *testing.T) {
	texts := []string{`{"b": 1.0, "a": [null]}`, null, "null", `""`}
	same := []string{`{"a":[null],"b":1}`, null, "null", `""`}
	want := hashByValue(t, textColumn(texts...))
	if got := hashByValue(t, variantColumn(t, same...)); got != want {
		t.Errorf("variants %s, text %s", got, want)
	}
	for i, other := range []string{`{"a":[null],"b":2}`, "null", null, `"\u0000"`} {
		changed := append([]string(nil), same...)
		changed[i] = other
		if hashByValue(t, variantColumn(t, changed...)) == want {
			t.Errorf("%s hashes as %s", other, same[i])
		}
	}
	if hashByValue(t, textColumn("{")) == hashByValue(t, textColumn("{{")) || hashByValue(t, textColumn("{")) == hashByValue(t, textColumn(null)) {
		t.Error("texts that are not JSON hash alike")
	}
}

func TestJSONByValueOfOtherTypes(t *testing.T) {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.Append(1)
	if _, err := valueEncoderOf(b.NewArray()); err == nil {
		t.Error("a number was taken for JSON")
	}
}
