package cell

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Stored gives the bytes that were decoded, of every dense type, NaN payloads included.
func TestStored(t *testing.T) {
	for _, c := range []struct {
		name  string
		field milvus.Field
		raw   arrow.Array
	}{
		{"float", field(milvus.TypeFloatVector, dim(2), nullable), binaries("0000803f00000040", "-", "010080ff0100c07f", "00000080ffff7f7f")},
		{"float16", field(milvus.TypeFloat16Vector, dim(3), nullable), binaries("003c00c00100", "-", "017e017c01fe", "00fc008001fc")},
		{"bfloat16", field(milvus.TypeBFloat16Vector, dim(2), nullable), binaries("803f00c0", "817fc17f", "-", "0080ffff")},
		{"int8", field(milvus.TypeInt8Vector, dim(3), nullable), binaries("00ff80", "-", "7f0102")},
		{"binary", field(milvus.TypeBinaryVector, dim(12), nullable), binaries("abcd", "-", "0000")},
	} {
		t.Run(c.name, func(t *testing.T) {
			canonical, err := Decode(c.field, c.raw, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for from := range canonical.Len() { // slices, too
				got, err := Stored(c.field, array.NewSlice(canonical, int64(from), int64(canonical.Len())))
				if err != nil {
					t.Fatal(err)
				}
				if !arrow.TypeEqual(got.DataType(), StoredType(c.field)) {
					t.Fatalf("type %v", got.DataType())
				}
				for i := range got.Len() {
					want := c.raw.(*array.Binary)
					if got.IsNull(i) != want.IsNull(from+i) || got.IsValid(i) && !bytes.Equal(got.(*array.FixedSizeBinary).Value(i), want.Value(from+i)) {
						t.Errorf("row %d: %v, want %v", from+i, got, want)
					}
				}
				back, err := Decode(c.field, got, Options{})
				if err != nil || !array.Equal(back, array.NewSlice(canonical, int64(from), int64(canonical.Len()))) && c.name == "int8" {
					t.Errorf("decoded again: %v (%v)", back, err)
				}
			}
		})
	}
	if _, err := Stored(field(milvus.TypeJSON), binaries("7b7d")); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("JSON has stored vectors: %v", err)
	}
}

// What is JSON and no variant is bad only where variants are asked for.
func TestCheckVariant(t *testing.T) {
	raw := binaries(hex.EncodeToString([]byte(`{"a":1}`)), "-", hex.EncodeToString([]byte(`[1e999]`)), hex.EncodeToString([]byte(`{`)))
	f := field(milvus.TypeJSON, nullable)
	for _, c := range []struct {
		opts Options
		bads int
	}{{Options{}, 0}, {Options{CheckJSON: true}, 1}, {Options{CheckVariant: true}, 2}, {Options{CheckJSON: true, CheckVariant: true}, 2}} {
		var bads []string
		c.opts.OnBad = func(_ int, err error) error { bads = append(bads, err.Error()); return nil }
		if _, err := Decode(f, raw, c.opts); err != nil || len(bads) != c.bads {
			t.Errorf("%+v: %q (%v)", c.opts, bads, err)
		}
	}
	_, err := Decode(f, raw, Options{CheckVariant: true})
	if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "row 2: the JSON has a number beyond the range of a double") {
		t.Errorf("%v", err)
	}
}
