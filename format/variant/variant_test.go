package variant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	pqvariant "github.com/apache/arrow-go/v18/parquet/variant"
)

// parsing cases: want is what arrow-go makes of the variant as JSON, which for an empty array is null.
var parsings = []struct{ text, want string }{
	{"null", "null"}, {" true ", "true"}, {"false", "false"},
	{"0", "0"}, {"-0", "0"}, {"-0.0", "-0"}, {"127", "127"}, {"-129", "-129"}, {"9223372036854775807", "9223372036854775807"},
	{"9223372036854775808", "9223372036854775808"}, {"12345678901234567890.5", "12345678901234567890.5"}, {"0.1", "0.1"}, {"1e3", "1000"},
	{"1.0", "1"}, {"1e-7", "1e-7"}, {"-1.7976931348623157e308", "-1.7976931348623157e+308"},
	{"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
	{`""`, `""`}, {`"Grüße 😀"`, `"Grüße 😀"`}, {`"\u00fc\ud83d\ude00\n\"\\\/\b\f\r\t"`, `"ü😀\n\"\\/\b\f\r\t"`},
	{"[]", "null"}, {"{}", "{}"}, {`[1,"a",[null],{"b":2}]`, `[1,"a",[null],{"b":2}]`},
	{`{"b":1,"a":{"z":[],"y":2}}`, `{"a":{"y":2,"z":null},"b":1}`},
	{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`}, {`{"a":1,"\u0061":2}`, `{"a":2}`},
}

func TestParse(t *testing.T) {
	for _, c := range parsings {
		v, err := Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		meta, value, err := v.Encode()
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		x, err := pqvariant.New(meta, value)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got, err := json.Marshal(x)
		if err != nil || !sameJSON(t, string(got), c.want) {
			t.Errorf("%s: %s (%v), want %s", c.text, got, err, c.want)
		}
		back, err := Decode(meta, value)
		if err != nil || !bytes.Equal(back.AppendCanonical(nil), v.AppendCanonical(nil)) {
			t.Errorf("%s: as variant %q (%v), as text %q", c.text, back.AppendCanonical(nil), err, v.AppendCanonical(nil))
		}
	}
}

// sameJSON compares with Go's own reader, numbers by their text.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	norm := func(s string) string {
		dec := json.NewDecoder(strings.NewReader(s))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		out, _ := json.Marshal(v)
		return string(out)
	}
	return norm(a) == norm(b)
}

func TestForms(t *testing.T) {
	for text, want := range map[string]pqvariant.Type{
		"1": pqvariant.Int8, "300": pqvariant.Int16, "70000": pqvariant.Int32, "5000000000": pqvariant.Int64,
		"1.5": pqvariant.Double, "0.1": pqvariant.Double, "1e400": 0, "9223372036854775808": pqvariant.Decimal16,
		"9223372036854775809": pqvariant.Decimal16, "0.12345678901234567890123": pqvariant.Decimal16,
		"123456789012345678901234567890123456789": pqvariant.Double, // 39 digits: the nearest
		"1e-400": pqvariant.Double,
	} {
		v, err := Parse([]byte(text))
		if text == "1e400" {
			if !errors.Is(err, ErrNumber) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		meta, value, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		x, err := pqvariant.New(meta, value)
		if err != nil || x.Type() != want {
			t.Errorf("%s is %v (%v), want %v", text, x.Type(), err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrNotJSON, "{": ErrNotJSON, "{'a': 1}": ErrNotJSON, "NaN": ErrNotJSON, "1 2": ErrNotJSON, "\"\xff\"": ErrNotJSON, "01": ErrNotJSON, "\"\x01\"": ErrNotJSON,
		`"\ud800"`: ErrSurrogate, `"\ud800x23456789"`: ErrSurrogate, `"\udc00\ud800"`: ErrSurrogate, `{"\ud800\u0041":1}`: ErrSurrogate, `"\ud83d\ude0"`: ErrNotJSON,
		"[1e309]": ErrNumber, "-1e999999999999999999999": ErrNumber,
		strings.Repeat("[", 1001) + strings.Repeat("]", 1001): ErrDeep,
	} {
		if err := Check([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	v, err := Parse([]byte(deep))
	if err != nil {
		t.Fatal(err)
	}
	meta, value, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(meta, value); err != nil {
		t.Errorf("what was encoded can't be decoded: %v", err)
	}
}

func TestCanonical(t *testing.T) {
	for _, equal := range [][]string{
		{"1", "1.0", "10e-1", "0.1e1", "1E0"}, {"0", "-0", "-0.0", "0e999999999999"}, {`{"a":1,"b":[2]}`, ` { "b" : [ 2.0 ], "a":1}`},
		{`"A"`, `"\u0041"`}, {"1e2", "100"}, {"12345678901234567890.5", "1234567890123456789.05e1"},
	} {
		for _, text := range equal {
			if canonical(t, text) != canonical(t, equal[0]) {
				t.Errorf("%s and %s differ", text, equal[0])
			}
		}
	}
	seen := map[string]string{}
	for _, text := range []string{"null", "true", "false", "0", "1", "-1", "10", "0.1", `"0"`, `"null"`, `""`, "[]", "{}", "[[]]", "[null]", "[1,2]", "[2,1]", "[[1],2]",
		"[[1,2]]", `{"a":1}`, `{"a":"1"}`, `{"a":null}`, `{"b":1}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, `["a",1]`, "9007199254740992", "9007199254740993", "0.30000000000000004", "0.3"} {
		c := canonical(t, text)
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s are the same", text, other)
		}
		seen[c] = text
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(v.AppendCanonical(nil))
}

// A variant that others wrote may have types that JSON does not have, and be damaged.
func TestDecodeOthers(t *testing.T) {
	encode := func(v any) (meta, value []byte) {
		var b pqvariant.Builder
		if err := b.Append(v); err != nil {
			t.Fatal(err)
		}
		x, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return x.Metadata().Bytes(), x.Bytes()
	}
	v, err := Decode(encode(float32(0.5)))
	if err != nil || string(v.AppendCanonical(nil)) != canonical(t, "0.5") {
		t.Errorf("%v: %v", v, err)
	}
	v, err = Decode(encode([]byte{1, 2}))
	if err != nil || v.kind != kindOther {
		t.Errorf("%v: %v", v, err)
	}
	if _, err := Decode([]byte{1, 0, 0}, nil); err == nil {
		t.Error("a variant without bytes was read")
	}
	if _, err := Decode([]byte{9}, []byte{0}); err == nil {
		t.Error("damaged metadata were read")
	}
}

// Objects with any number of names survive. arrow-go's reader of metadata alone does not get beyond some hundred.
func TestManyNames(t *testing.T) {
	for _, n := range []int{0, 1, 83, 84, 125, 126, 127, 128, 253, 254, 255, 256, 257, 1000, 65535, 65537} {
		object := map[string]any{}
		for i := range n {
			object[fmt.Sprintf("key %d", i)] = i
		}
		text, err := json.Marshal([]any{object, map[string]any{"one": 1}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		meta, value, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(meta, value)
		if err != nil || !bytes.Equal(back.AppendCanonical(nil), v.AppendCanonical(nil)) {
			t.Errorf("%d names: %v", n, err)
		}
		if _, err := Decode(meta[:len(meta)-1], value); err == nil {
			t.Errorf("%d names, of which the last is cut off, were read", n)
		}
	}
}

// Text that would take much more memory than it has bytes is refused.
func TestParseLimits(t *testing.T) {
	for text, want := range map[string]error{
		"[" + strings.Repeat("0,", MaxValues-2) + "0]": nil,
		"[" + strings.Repeat("0,", MaxValues-1) + "0]": ErrLarge,
		`"` + strings.Repeat("a", MaxText-2) + `"`:     nil,
		`"` + strings.Repeat("a", MaxText-1) + `"`:     ErrLarge,
	} {
		v, err := Parse([]byte(text))
		if !errors.Is(err, want) {
			t.Errorf("%.9s..., %d bytes: %v", text, len(text), err)
		}
		if _, value, _ := v.Encode(); len(value) >= 16<<20 {
			t.Errorf("%.9s..., %d bytes, is a variant of %d", text, len(text), len(value))
		}
	}
}

// What is taken is what Go's reader takes, and survives the variant.
func FuzzParse(f *testing.F) {
	for _, c := range parsings {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was taken", text)
		}
		meta, value, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(meta, value)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.AppendCanonical(nil), v.AppendCanonical(nil)) {
			t.Fatalf("%q is %q, and %q after it was a variant", text, v.AppendCanonical(nil), back.AppendCanonical(nil))
		}
	})
}

// Whatever bytes a table holds, they are a value or an error.
func FuzzDecode(f *testing.F) {
	for _, c := range parsings {
		if v, err := Parse([]byte(c.text)); err == nil {
			meta, value, _ := v.Encode()
			f.Add(meta, value)
		}
	}
	f.Fuzz(func(t *testing.T, meta, value []byte) {
		if v, err := Decode(meta, value); err == nil {
			v.AppendCanonical(nil)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"color": "red", "price": 12.5, "tags": ["a", "b", "c"], "nested": {"x": 1, "y": null, "long": 9007199254740993}}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		v, err := Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := v.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
