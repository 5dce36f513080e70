package cell

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

var mem = memory.DefaultAllocator

// binaries makes a binary array; "-" is NULL, else hex.
func binaries(values ...string) arrow.Array {
	b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
	for _, v := range values {
		if v == "-" {
			b.AppendNull()
			continue
		}
		raw, err := hex.DecodeString(strings.ReplaceAll(v, " ", ""))
		if err != nil {
			panic(err)
		}
		b.Append(raw)
	}
	return b.NewArray()
}

// fixed makes a fixed_size_binary array.
func fixed(width int, values ...string) arrow.Array {
	b := array.NewFixedSizeBinaryBuilder(mem, &arrow.FixedSizeBinaryType{ByteWidth: width})
	for _, v := range values {
		if v == "-" {
			b.AppendNull()
			continue
		}
		raw, err := hex.DecodeString(strings.ReplaceAll(v, " ", ""))
		if err != nil {
			panic(err)
		}
		b.Append(raw)
	}
	return b.NewArray()
}

func ints32(values ...int32) arrow.Array {
	b := array.NewInt32Builder(mem)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func ints64(values ...int64) arrow.Array {
	b := array.NewInt64Builder(mem)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func lists(width int, rows ...[]string) arrow.Array {
	b := array.NewListBuilder(mem, &arrow.FixedSizeBinaryType{ByteWidth: width})
	for _, r := range rows {
		if r == nil {
			b.AppendNull()
			continue
		}
		b.Append(true)
		for _, v := range r {
			raw, _ := hex.DecodeString(v)
			b.ValueBuilder().(*array.FixedSizeBinaryBuilder).Append(raw)
		}
	}
	return b.NewArray()
}

func field(t milvus.DataType, change ...func(*milvus.Field)) milvus.Field {
	f := milvus.Field{ID: 101, Name: "x", Type: t}
	for _, c := range change {
		c(&f)
	}
	return f
}

func dim(n int) func(*milvus.Field)            { return func(f *milvus.Field) { f.Dim = n } }
func of(t milvus.DataType) func(*milvus.Field) { return func(f *milvus.Field) { f.ElementType = t } }
func nullable(f *milvus.Field)                 { f.Nullable = true }
func elementNullable(f *milvus.Field)          { f.ElementNullable = true }
func arrayOf(t milvus.DataType) milvus.Field   { return field(milvus.TypeArray, of(t)) }
func defaults(v any) func(*milvus.Field)       { return func(f *milvus.Field) { f.Default = v } }

// decoding cases: want is Arrow's own spelling of the result.
var decodings = []struct {
	name  string
	field milvus.Field
	raw   arrow.Array
	want  string
}{
	{"int8", field(milvus.TypeInt8), ints32(-128, 0, 127), "[-128 0 127]"},
	{"timestamptz", field(milvus.TypeTimestamptz), ints64(0, 1689754856908123), "[0 1689754856908123]"},
	{"date", field(milvus.TypeDate), ints32(0, -1, 19557), "[1970-01-01 1969-12-31 2023-07-19]"},
	{"time", field(milvus.TypeTime), ints64(86399999999), "[86399999999]"},
	{"text", field(milvus.TypeVarChar), binaries("", "4772c3bcc39f65", "f09f9880"), `["" "Grüße" "😀"]`},
	{"text null", field(milvus.TypeVarChar, nullable), binaries("61", "-", "62"), `["a" (null) "b"]`},
	{"json", field(milvus.TypeJSON), binaries("6e756c6c", "7b7d"), `["null" "{}"]`},
	{"geometry", field(milvus.TypeGeometry), binaries("0101"), `["\x01\x01"]`},
	{"float vector", field(milvus.TypeFloatVector, dim(2)), fixed(8, "0000803f00000040", "000000800000c07f"), "[[1 2] [-0 NaN]]"},
	{"float vector nullable", field(milvus.TypeFloatVector, dim(1), nullable), binaries("0000803f", "-", "00000040"), "[[1] (null) [2]]"},
	{"float vector nullable without nulls", field(milvus.TypeFloatVector, dim(1), nullable), binaries("0000803f", "00000040"), "[[1] [2]]"},
	{"float vector nullable, fixed", field(milvus.TypeFloatVector, dim(1), nullable), fixed(4, "0000803f", "-"), "[[1] (null)]"},
	{"float16", field(milvus.TypeFloat16Vector, dim(3)), fixed(6, "003c00c00100", "ff7b007c00fc"), "[[1 -2 5.9604645e-08] [65504 +Inf -Inf]]"},
	{"bfloat16", field(milvus.TypeBFloat16Vector, dim(2)), fixed(4, "803f00c0"), "[[1 -2]]"},
	{"int8 vector", field(milvus.TypeInt8Vector, dim(3)), fixed(3, "00ff80"), "[[0 -1 -128]]"},
	{"binary vector", field(milvus.TypeBinaryVector, dim(16)), fixed(2, "abcd"), `["\xab\xcd"]`},
	{"sparse", field(milvus.TypeSparseVector, nullable), binaries("01000000 0000803f feffffff 00000040", "", "-"), "[{[1 4294967294] [1 2]} {[] []} (null)]"},
	{"array bool", arrayOf(milvus.TypeBool), binaries("0a05 0a03 010001", "0a00", ""), "[[true false true] [] []]"},
	{"array int8", arrayOf(milvus.TypeInt8), binaries("120d 0a0b 7f 80ffffffffffffffff01"), "[[127 -128]]"},
	{"array int32 unpacked", arrayOf(milvus.TypeInt32), binaries("1204 0801 0802"), "[[1 2]]"},
	{"array int32 in parts", arrayOf(milvus.TypeInt32), binaries("1203 0a0101 1202 0802 9201 00"), "[[1 2]]"},
	{"array int64", arrayOf(milvus.TypeInt64), binaries("1a0c 0a0a ffffffffffffffffff01"), "[[-1]]"},
	{"array float", arrayOf(milvus.TypeFloat), binaries("220a 0a08 0000803f0000c07f", "2205 0d 0000803f"), "[[1 NaN] [1]]"},
	{"array double", arrayOf(milvus.TypeDouble), binaries("2a0a 0a08 000000000000f03f"), "[[1]]"},
	{"array text", arrayOf(milvus.TypeVarChar), binaries("3205 0a0161 0a00", "3200"), `[["a" ""] []]`},
	{"array timestamptz", arrayOf(milvus.TypeTimestamptz), binaries("5a03 0a0100", "1a03 0a0100"), "[[0] [0]]"},
	{"array date", arrayOf(milvus.TypeDate), binaries("7a03 0a0101"), "[[1970-01-02]]"},
	{"array time", arrayOf(milvus.TypeTime), binaries("820103 0a0105"), "[[5]]"},
	{"array with null elements", field(milvus.TypeArray, of(milvus.TypeInt32), elementNullable), binaries("1204 0a020700 8a01020100", "1200"), "[[7 (null)] []]"},
	{"array empty of another member", arrayOf(milvus.TypeInt64), binaries("1200"), "[[]]"},
	{"array null", field(milvus.TypeArray, of(milvus.TypeInt64), nullable), binaries("-", "1a03 0a0109"), "[(null) [9]]"},
	{"vector lists", field(milvus.TypeArrayOfVector, of(milvus.TypeFloatVector), dim(1), nullable), lists(4, []string{"0000803f", "00000040"}, []string{}, nil, []string{"00004040"}), "[[[1] [2]] [] (null) [[3]]]"},
	{"vector lists of bits", field(milvus.TypeArrayOfVector, of(milvus.TypeBinaryVector), dim(8)), lists(1, []string{"aa"}), `[["\xaa"]]`},
}

func TestDecode(t *testing.T) {
	for _, c := range decodings {
		t.Run(c.name, func(t *testing.T) {
			for _, how := range []struct {
				name string
				raw  arrow.Array
				skip int
			}{
				{"whole", c.raw, 0},
				{"sliced", array.NewSlice(c.raw, 1, int64(c.raw.Len())), 1},
				{"empty", array.NewSlice(c.raw, 0, 0), -1},
			} {
				out, err := Decode(c.field, how.raw, Options{CheckJSON: true})
				if err != nil {
					t.Fatal(how.name, err)
				}
				want, _ := Type(c.field)
				if !arrow.TypeEqual(out.DataType(), want) || out.Len() != how.raw.Len() || out.NullN() != how.raw.NullN() {
					t.Fatalf("%s: %v, %d rows, %d NULLs", how.name, out.DataType(), out.Len(), out.NullN())
				}
				whole, _ := Decode(c.field, c.raw, Options{})
				switch {
				case how.skip == 0 && fmt.Sprint(out) != c.want:
					t.Errorf("%v, want %s", out, c.want)
				case how.skip == 1 && fmt.Sprint(out) != fmt.Sprint(array.NewSlice(whole, 1, int64(whole.Len()))):
					t.Errorf("sliced: %v of %v", out, whole)
				}
			}
		})
	}
}

// TestEncodeDecode: what Encode makes of a canonical array decodes to it again.
func TestEncodeDecode(t *testing.T) {
	for _, c := range decodings {
		canonical, err := Decode(c.field, c.raw, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []arrow.Array{canonical, array.NewSlice(canonical, 1, int64(canonical.Len()))} {
			raw, err := Encode(c.field, a)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			again, err := Decode(c.field, raw, Options{})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if fmt.Sprint(again) != fmt.Sprint(a) { // spelled, for NaN equals NaN here
				t.Errorf("%s: %v became %v", c.name, a, again)
			}
		}
	}
}

func TestBadValues(t *testing.T) {
	cases := []struct {
		name  string
		field milvus.Field
		raw   arrow.Array
		want  string // part of the message
	}{
		{"int8 range", field(milvus.TypeInt8), ints32(0, 128), "row 1: 128"},
		{"int16 range", field(milvus.TypeInt16), ints32(0, -32769), "row 1: -32769"},
		{"null", field(milvus.TypeVarChar), binaries("61", "-"), "row 1: NULL"},
		{"utf8", field(milvus.TypeVarChar), binaries("61", "ff"), "row 1: the text is not UTF-8"},
		{"utf8 across rows", field(milvus.TypeVarChar, nullable), binaries("61", "c3", "-", "bc"), "row 1: the text is not UTF-8"},
		{"json", field(milvus.TypeJSON), binaries("31", "7b"), "row 1: the text is not JSON"},
		{"vector width", field(milvus.TypeFloatVector, dim(1), nullable), binaries("-", "0000803f00"), "row 1: 5 bytes, 1 dimensions need 4"},
		{"sparse length", field(milvus.TypeSparseVector), binaries("", "0100000000000000000000"), "row 1: the length"},
		{"sparse order", field(milvus.TypeSparseVector), binaries("", "0200000000000000 0100000000000000"), "row 1: the indices do not ascend"},
		{"sparse twice", field(milvus.TypeSparseVector), binaries("", "0200000000000000 0200000000000000"), "row 1: the indices do not ascend"},
		{"sparse index", field(milvus.TypeSparseVector), binaries("", "ffffffff00000000"), "row 1: the index"},
		{"sparse nan", field(milvus.TypeSparseVector), binaries("", "010000000000c07f"), "row 1: a value is not finite"},
		{"array garbage", arrayOf(milvus.TypeInt32), binaries("1200", "12ff"), "row 1: the bytes are no protobuf"},
		{"array group", arrayOf(milvus.TypeInt32), binaries("1200", "13"), "row 1: the bytes are no protobuf"},
		{"array member", arrayOf(milvus.TypeInt32), binaries("1200", "1a030a0101"), "row 1: the elements are those of field 3"},
		{"array range", arrayOf(milvus.TypeInt8), binaries("1200", "12040a028001"), "row 1: an element"},
		{"array int32 range", arrayOf(milvus.TypeInt32), binaries("1200", "12070a05ffffffff0f"), "row 1: an element"},
		{"array packed cut", arrayOf(milvus.TypeFloat), binaries("2200", "22040a02ffff"), "row 1: an element"},
		{"array utf8", arrayOf(milvus.TypeVarChar), binaries("3200", "32030a01ff"), "row 1: an element is not UTF-8"},
		{"array wire", arrayOf(milvus.TypeInt32), binaries("1200", "12050d00000000"), "row 1: elements of wire type 5"},
		{"array null element", arrayOf(milvus.TypeInt32), binaries("1200", "12040a020700 8a01020100"), "row 1: element 1 is NULL"},
		{"array validity count", field(milvus.TypeArray, of(milvus.TypeInt32), elementNullable), binaries("1200", "12040a020700 8a010101"), "row 1: 2 elements, the validity of 1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.field, c.raw, Options{CheckJSON: true})
			if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			var rows []int
			out, err := Decode(c.field, c.raw, Options{CheckJSON: true, OnBad: func(row int, err error) error {
				rows = append(rows, row)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 || rows[0] != 1 || out.IsValid(1) || out.Len() != c.raw.Len() {
				t.Fatalf("rows %v of %v", rows, out)
			}
			stop := errors.New("stop")
			if _, err := Decode(c.field, c.raw, Options{CheckJSON: true, OnBad: func(int, error) error { return stop }}); !errors.Is(err, stop) {
				t.Fatal(err)
			}
		})
	}
}

func TestWrongStorage(t *testing.T) {
	fields := []milvus.Field{
		field(milvus.TypeBool), field(milvus.TypeInt8), field(milvus.TypeInt64), field(milvus.TypeVarChar), field(milvus.TypeDate),
		field(milvus.TypeFloatVector, dim(2)), field(milvus.TypeSparseVector), arrayOf(milvus.TypeBool),
		field(milvus.TypeArrayOfVector, of(milvus.TypeFloatVector), dim(2)),
	}
	b := array.NewFloat64Builder(mem)
	b.Append(1)
	for _, f := range fields {
		if _, err := Decode(f, b.NewArray(), Options{}); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%v: %v", f.Type, err)
		}
		b.Append(1)
	}
	for _, f := range []milvus.Field{field(milvus.TypeFloatVector, dim(2)), field(milvus.TypeBinaryVector, dim(9))} {
		if _, err := Decode(f, fixed(7, "00000000000000"), Options{}); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%v: %v", f.Type, err)
		}
	}
}

func TestTypesRefused(t *testing.T) {
	for _, f := range []milvus.Field{
		field(milvus.TypeNone), field(milvus.TypeMol), field(milvus.TypeDecimal), field(milvus.TypeUUID), field(77), field(milvus.TypeArrayOfStruct),
		arrayOf(milvus.TypeJSON), arrayOf(milvus.TypeArray), field(milvus.TypeArrayOfVector, of(milvus.TypeSparseVector), dim(4)),
	} {
		if _, err := Type(f); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%v of %v: %v", f.Type, f.ElementType, err)
		}
	}
	if _, err := Type(field(milvus.TypeFloatVector)); !errors.Is(err, fault.ErrCorrupt) {
		t.Error(err)
	}
}

func TestConstant(t *testing.T) {
	cases := []struct {
		field milvus.Field
		want  string
		class error
	}{
		{field(milvus.TypeInt16, defaults(int32(7))), "[7 7]", nil},
		{field(milvus.TypeInt64, defaults(int64(7)), nullable), "[7 7]", nil},
		{field(milvus.TypeBool, defaults(true)), "[true true]", nil},
		{field(milvus.TypeVarChar, defaults("a")), `["a" "a"]`, nil},
		{field(milvus.TypeJSON, defaults([]byte("1"))), `["1" "1"]`, nil},
		{field(milvus.TypeTimestamptz, defaults(int64(1))), "[1 1]", nil},
		{field(milvus.TypeJSON, func(f *milvus.Field) { f.Dynamic = true }), `["{}" "{}"]`, nil},
		{field(milvus.TypeJSON, nullable, func(f *milvus.Field) { f.Dynamic = true }), "[(null) (null)]", nil},
		{field(milvus.TypeFloatVector, dim(2), nullable), "[(null) (null)]", nil},
		{field(milvus.TypeSparseVector, nullable), "[(null) (null)]", nil},
		{field(milvus.TypeArray, of(milvus.TypeInt8), nullable), "[(null) (null)]", nil},
		{field(milvus.TypeInt64), "", fault.ErrMissing},
		{field(milvus.TypeInt64, defaults("7")), "", fault.ErrCorrupt},
	}
	for _, c := range cases {
		a, err := Constant(c.field, 2)
		if c.class != nil {
			if !errors.Is(err, c.class) {
				t.Errorf("%v: %v", c.field.Type, err)
			}
			continue
		}
		if err != nil || fmt.Sprint(a) != c.want {
			t.Errorf("%v, want %s: %v", a, c.want, err)
		}
	}
}

// TestHalves goes over all halves: each widens to the value that the formats define and narrows back to itself.
func TestHalves(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		wide := widenHalf(h)
		sign := 1 - 2*float64(h>>15)
		exponent, fraction := int(h>>10&31), float64(h&1023)
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		if exponent == 0 {
			want = sign * math.Ldexp(fraction/1024, -14)
		}
		got := float64(math.Float32frombits(wide))
		switch {
		case exponent == 31 && fraction == 0 && !math.IsInf(got, int(sign)), exponent == 31 && fraction != 0 && !math.IsNaN(got),
			exponent < 31 && (got != want || math.Signbit(got) != (sign < 0)):
			t.Fatalf("%04x: %v, want %v", h, got, want)
		}
		if back := narrowHalf(wide); back != h {
			t.Fatalf("%04x came back as %04x", h, back)
		}
		if back := narrowBrain(widenBrain(h)); back != h {
			t.Fatalf("bfloat16 %04x came back as %04x", h, back)
		}
	}
	for _, c := range []struct {
		in   float32
		half uint16
	}{{65519, 0x7bff}, {65520, 0x7c00}, {1e9, 0x7c00}, {-1e9, 0xfc00}, {1e-9, 0}, {2049, 0x6800}, {2051, 0x6802}, {3e-8, 1}} {
		if got := narrowHalf(math.Float32bits(c.in)); got != c.half {
			t.Errorf("%v: %04x, want %04x", c.in, got, c.half)
		}
	}
}

func TestZeroCopy(t *testing.T) {
	raw := fixed(8, "0000803f00000040", "0000803f00000040")
	out, err := Decode(field(milvus.TypeFloatVector, dim(2)), array.NewSlice(raw, 1, 2), Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw.Data().Buffers()[1].Bytes()[8] = 1
	if got := out.(*array.FixedSizeList).ListValues().(*array.Float32).Value(0); math.Float32bits(got) != 0x3f800001 {
		t.Errorf("%v does not share memory", got)
	}
	if n := testing.AllocsPerRun(100, func() { Decode(field(milvus.TypeFloatVector, dim(2)), raw, Options{}) }); n > 25 {
		t.Errorf("%v allocations", n)
	}
}

func TestMaxRows(t *testing.T) {
	if got := MaxRows(field(milvus.TypeInt8Vector, dim(256)), 1<<20); got != 1024 {
		t.Error(got)
	}
	if got := MaxRows(field(milvus.TypeBinaryVector, dim(256)), 16); got != 1 {
		t.Error(got)
	}
	many := array.MakeArrayOfNull(mem, arrow.BinaryTypes.Binary, 1<<20)
	if _, err := Decode(field(milvus.TypeFloatVector, dim(32768), nullable), many, Options{}); !errors.Is(err, fault.ErrLimit) {
		t.Error(err)
	}
}

// FuzzArrayCell: any bytes decode to a list that encodes and decodes to itself, or are refused.
func FuzzArrayCell(f *testing.F) {
	types := []milvus.DataType{milvus.TypeBool, milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeInt64, milvus.TypeFloat, milvus.TypeDouble,
		milvus.TypeVarChar, milvus.TypeTimestamptz, milvus.TypeDate, milvus.TypeTime}
	for _, c := range decodings {
		if cells, ok := c.raw.(*array.Binary); ok && c.field.Type == milvus.TypeArray {
			for i := range cells.Len() {
				for kind := range types {
					f.Add(byte(kind), true, cells.Value(i))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, elementNull bool, cell []byte) {
		x := arrayOf(types[int(kind)%len(types)])
		x.ElementNullable = elementNull
		roundTrip(t, x, cell)
	})
}

// FuzzSparseCell: as FuzzArrayCell.
func FuzzSparseCell(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 128, 63, 254, 255, 255, 255, 0, 0, 0, 64})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 128, 127})
	f.Fuzz(func(t *testing.T, cell []byte) { roundTrip(t, field(milvus.TypeSparseVector), cell) })
}

func roundTrip(t *testing.T, f milvus.Field, cell []byte) {
	b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
	b.Append(cell)
	b.Append(nil)
	out, err := Decode(f, b.NewArray(), Options{})
	if err != nil {
		if !errors.Is(err, fault.ErrCorrupt) {
			t.Fatal(err)
		}
		return
	}
	raw, err := Encode(f, out)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(f, raw, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(again) != fmt.Sprint(out) {
		t.Fatalf("%v became %v", out, again)
	}
}

// cpuTime returns the seconds of processor time used so far: other work on the machine does not count.
func cpuTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func BenchmarkDecode(b *testing.B) {
	const rows = 8192
	vectors := array.NewFixedSizeBinaryBuilder(mem, &arrow.FixedSizeBinaryType{ByteWidth: 512})
	text, jsons, arrays, sparse := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary), array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary),
		array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary), array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
	var list, pairs []byte
	for i := range 20 {
		list = append(list, byte(i))
		pairs = append(pairs, byte(i), 1, 0, 0, 0, 0, 128, 63)
	}
	for i := range rows {
		vectors.Append(bytes.Repeat([]byte{byte(i), 60}, 256))
		text.Append(fmt.Appendf(nil, "some text of the row with number %d, und etwas für UTF-8", i))
		doc, _ := json.Marshal(map[string]any{"id": i, "name": "a name", "tags": []string{"x", "y"}, "score": float64(i) / 3})
		jsons.Append(doc)
		arrays.Append(appendBytes(nil, 2, appendBytes(nil, 1, list)))
		sparse.Append(pairs)
	}
	vector := vectors.NewArray()
	jsonArray := jsons.NewArray()
	for _, c := range []struct {
		name  string
		field milvus.Field
		raw   arrow.Array
		opts  Options
	}{
		{"FloatVector", field(milvus.TypeFloatVector, dim(128)), vector, Options{}},
		{"Float16Vector", field(milvus.TypeFloat16Vector, dim(256)), vector, Options{}},
		{"BFloat16Vector", field(milvus.TypeBFloat16Vector, dim(256)), vector, Options{}},
		{"Int8Vector", field(milvus.TypeInt8Vector, dim(512)), vector, Options{}},
		{"VarChar", field(milvus.TypeVarChar), text.NewArray(), Options{}},
		{"JSON", field(milvus.TypeJSON), jsonArray, Options{}},
		{"JSON checked", field(milvus.TypeJSON), jsonArray, Options{CheckJSON: true}},
		{"ArrayInt32", arrayOf(milvus.TypeInt32), arrays.NewArray(), Options{}},
		{"Sparse", field(milvus.TypeSparseVector), sparse.NewArray(), Options{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			size := int64(0)
			for _, buf := range c.raw.Data().Buffers()[1:] {
				size += int64(buf.Len())
			}
			b.SetBytes(size)
			start := cpuTime(b)
			for b.Loop() {
				if _, err := Decode(c.field, c.raw, c.opts); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpuTime(b)-start), "MB/cpu-s")
		})
	}
}
