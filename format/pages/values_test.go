package pages

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// golden reads testdata/values.txt: column name -> values, as make.py spells them.
func golden(t testing.TB) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		out[words[0]] = words[1:]
	}
	return out
}

// spell returns value i of an array as make.py spells it.
func spell(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "-"
	}
	switch a := a.(type) {
	case *array.Boolean:
		return map[bool]string{false: "0", true: "1"}[a.Value(i)]
	case *array.Int32:
		return strconv.Itoa(int(a.Value(i)))
	case *array.Int64:
		return strconv.FormatInt(a.Value(i), 10)
	case *array.Float32:
		return fmt.Sprintf("%08x", math.Float32bits(a.Value(i)))
	case *array.Float64:
		return fmt.Sprintf("%016x", math.Float64bits(a.Value(i)))
	case *array.Binary:
		return "x" + hex.EncodeToString(a.Value(i))
	case *array.FixedSizeBinary:
		return "x" + hex.EncodeToString(a.Value(i))
	case *array.List:
		from, to := a.ValueOffsets(i)
		var parts []string
		for j := from; j < to; j++ {
			parts = append(parts, spell(a.ListValues(), int(j)))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprintf("%T", a)
}

func readColumn(t testing.TB, f *File, col int) []string {
	t.Helper()
	c, err := f.Cursor(col)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for {
		a, err := c.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if a.Len() == 0 || a.Data().Offset() != 0 || !arrow.TypeEqual(a.DataType(), c.Type()) {
			t.Fatalf("%d rows at offset %d of type %v, want %v", a.Len(), a.Data().Offset(), a.DataType(), c.Type())
		}
		nulls := 0
		for i := range a.Len() {
			out = append(out, spell(a, i))
			if a.IsNull(i) {
				nulls++
			}
		}
		if nulls != a.NullN() {
			t.Fatalf("%d NULLs, NullN says %d", nulls, a.NullN())
		}
	}
}

func TestGoldenFiles(t *testing.T) {
	want := golden(t)
	files, _ := filepath.Glob("testdata/*.parquet")
	if len(files) < 10 {
		t.Fatalf("%d files", len(files))
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"memory", "reader", "tiny reads"} {
			t.Run(filepath.Base(path)+"/"+how, func(t *testing.T) {
				f, err := OpenBytes(b)
				switch how {
				case "reader":
					f, err = Open(bytes.NewReader(b), int64(len(b)))
				case "tiny reads":
					f, err = OpenLimited(bytes.NewReader(b), int64(len(b)), Limits{ReadAhead: 1})
				}
				if err != nil {
					t.Fatal(err)
				}
				rows := 203
				if strings.Contains(path, "no-rows") {
					rows = 0
				}
				if f.NumRows() != int64(rows) || len(f.Columns()) != len(want) {
					t.Fatalf("%d rows, %d columns", f.NumRows(), len(f.Columns()))
				}
				for i, c := range f.Columns() {
					if c.FieldID != int32(i) || c.Optional != (strings.HasSuffix(c.Name, "_n") || strings.HasSuffix(c.Name, "_o") || c.Name == "l_i64_nn") {
						t.Errorf("%+v", c)
					}
					got := readColumn(t, f, i)
					if len(got) != rows {
						t.Fatalf("%s: %d rows", c.Name, len(got))
					}
					for r, v := range got {
						if v != want[c.Name][r] {
							t.Fatalf("%s row %d: %s, want %s", c.Name, r, v, want[c.Name][r])
						}
					}
				}
			})
		}
		after, _ := os.ReadFile(path)
		if !bytes.Equal(b, after) {
			t.Fatalf("%s: reading changed the bytes in memory", path)
		}
	}
}

func TestSchemaAndStats(t *testing.T) {
	b, _ := os.ReadFile("testdata/dict-fallback-zstd.parquet")
	f, err := OpenBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(f.RowGroups()); got != 3 {
		t.Fatalf("%d row groups", got)
	}
	if g := f.RowGroups()[2]; g.Rows != 23 || g.Chunks[0].Codec != "ZSTD" {
		t.Errorf("%+v", g)
	}
	cols := f.Columns()
	if c := cols[15]; c.Logical.Kind != LogicalString || c.Physical != ByteArray {
		t.Errorf("%+v", c)
	}
	if c := cols[25]; !c.List || !c.Optional || c.ElementOptional || c.TypeLength != 8 || c.MaxDef != 2 || c.MaxRep != 1 || strings.Join(c.Path, ".") != "l_fsb_n.list.element" {
		t.Errorf("%+v", c)
	}
	c, err := f.Cursor(4, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	stats := c.Stats()
	if len(stats) != 2 || stats[0].NullCount != 35 || !bytes.Equal(stats[0].Min, []byte{0, 0, 0, 0x80}) || !bytes.Equal(stats[0].Max, []byte{0xff, 0xff, 0xff, 0x7f}) {
		t.Errorf("%+v", stats)
	}
	rows := 0
	for {
		a, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rows += a.Len()
	}
	if rows != 180 {
		t.Errorf("%d rows of two row groups", rows)
	}
	if _, ok := f.KeyValue("ARROW:schema"); ok || !strings.HasPrefix(f.CreatedBy(), "parquet-cpp-arrow") {
		t.Errorf("created by %q", f.CreatedBy())
	}
}

func TestZeroCopy(t *testing.T) {
	b, _ := os.ReadFile("testdata/plain-one-page.parquet")
	f, err := OpenBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := f.Cursor(21)
	a, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	v := a.(*array.FixedSizeBinary).Value(0)
	v[0] ^= 0xff
	defer func() { v[0] ^= 0xff }()
	if g, _ := OpenBytes(b); readColumnErr(g, 21) == nil {
		t.Error("the array does not alias the file, or the checksum was not looked at")
	}
}

func readColumnErr(f *File, col int) error {
	c, err := f.Cursor(col)
	for err == nil {
		_, err = c.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}
