package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// craft writes a file of one column and one row group from pages made by hand.
func craft(t testing.TB, schema []schemaElement, kind Physical, rows, values int64, pages ...[]byte) []byte {
	t.Helper()
	body := bytes.Join(pages, nil)
	meta := fileMeta{Version: 1, Schema: schema, Rows: rows, RowGroups: []rowGroupMeta{{Rows: rows, Chunks: []chunkMeta{{Meta: columnMeta{
		Type: int32(kind), Values: values, Compressed: int64(len(body)), Uncompressed: int64(len(body)), DataOffset: magicSize,
	}}}}}}
	footer := encode(t, meta)
	out := append([]byte("PAR1"), body...)
	out = append(out, footer...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(footer)))
	return append(out, "PAR1"...)
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pageV1 makes an uncompressed data page: levels, each given as hybrid runs, then the values.
func pageV1(t testing.TB, values int, e format.Encoding, levels [][]byte, data []byte) []byte {
	var body []byte
	for _, l := range levels {
		body = binary.LittleEndian.AppendUint32(body, uint32(len(l)))
		body = append(body, l...)
	}
	body = append(body, data...)
	h := pageHeader{Uncompressed: int32(len(body)), Compressed: int32(len(body)), Data: thrift.New(dataHeader{
		Values: int32(values), Encoding: int32(e), DefEncoding: int32(format.RLE), RepEncoding: int32(format.RLE)})}
	return append(encode(t, h), body...)
}

func dictPage(t testing.TB, values int, body []byte) []byte {
	h := pageHeader{Type: int32(format.DictionaryPage), Uncompressed: int32(len(body)), Compressed: int32(len(body)),
		Dict: thrift.New(dictHeader{Values: int32(values)})}
	return append(encode(t, h), body...)
}

// runsOf writes each value as a run of its own.
func runsOf(values ...byte) (out []byte) {
	for _, v := range values {
		out = append(out, 2, v)
	}
	return out
}

// run is count times a value.
func run(count int, value ...byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(count)<<1), value...)
}

func int64s(values ...int64) (out []byte) {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, uint64(v))
	}
	return out
}

func listSchema() []schemaElement {
	opt := thrift.New(optional)
	return []schemaElement{
		{Name: "schema", Children: thrift.New(int32(1))},
		{Name: "l", Children: thrift.New(int32(1)), Repetition: opt, Converted: thrift.New(int32(3))},
		{Name: "list", Children: thrift.New(int32(1)), Repetition: thrift.New(repeated)},
		{Name: "element", Type: thrift.New(int32(Int64)), Repetition: opt},
	}
}

func flatSchema(kind Physical, width int, repetition int32) []schemaElement {
	return []schemaElement{
		{Name: "schema", Children: thrift.New(int32(1))},
		{Name: "x", Type: thrift.New(int32(kind)), TypeLength: thrift.New(int32(width)), Repetition: thrift.New(repetition)},
	}
}

// TestRowsOverPages: pages v1 may end inside of a list. Levels: 0 NULL, 1 empty, 2 NULL element, 3 element.
func TestRowsOverPages(t *testing.T) {
	page := func(reps, defs []byte, values ...int64) []byte {
		return pageV1(t, len(reps), format.Plain, [][]byte{runsOf(reps...), runsOf(defs...)}, int64s(values...))
	}
	b := craft(t, listSchema(), Int64, 7, 15,
		page([]byte{0, 1, 0}, []byte{3, 3, 3}, 1, 2, 3),    // [1 2] [3 ...
		page([]byte{1, 1}, []byte{2, 3}, 4),                // - 4 ...
		page([]byte{1, 0, 0, 0}, []byte{3, 0, 1, 3}, 5, 6), // 5] NULL [] [6 ...
		page([]byte{0, 0}, []byte{3, 0}, 7),                // ] [7] NULL
		page([]byte{0, 1, 1, 1}, []byte{2, 3, 3, 2}, 8, 9), // [- 8 9 -]
	)
	f, err := OpenBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	// The fifth page starts an eighth row.
	if err := readColumnErr(f, 0); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("a row too many: %v", err)
	}
	b = bytes.Replace(b, encode(t, f.meta), encode(t, withRows(f.meta, 8)), 1)
	if f, err = OpenBytes(b); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(readColumn(t, f, 0), " ")
	if want := "[1,2] [3,-,4,5] - [] [6] [7] - [-,8,9,-]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for name, pages := range map[string][][]byte{
		"starts inside of a row": {page([]byte{1}, []byte{3}, 1)},
		"goes on after NULL":     {page([]byte{0}, []byte{0}), page([]byte{1}, []byte{3}, 1)},
		"goes on after empty":    {page([]byte{0, 1}, []byte{1, 3}, 1)},
		"goes on with NULL":      {page([]byte{0, 1}, []byte{3, 0}, 1)},
		"fewer values":           {page([]byte{0, 1}, []byte{3, 3}, 1)},
		"definition level 4":     {page([]byte{0}, []byte{4}, 1)},
		"levels end":             {pageV1(t, 3, format.Plain, [][]byte{runsOf(0, 0), runsOf(3, 3, 3)}, int64s(1, 2, 3))},
	} {
		values := int64(2)
		if len(pages) == 1 && (name[0] == 's' || name[0] == 'd') {
			values = 1
		}
		if name == "levels end" {
			values = 3
		}
		f, err := OpenBytes(craft(t, listSchema(), Int64, 1, values, pages...))
		if err == nil {
			err = readColumnErr(f, 0)
		}
		if !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func withRows(m fileMeta, rows int64) fileMeta {
	m.Rows = rows
	m.RowGroups = []rowGroupMeta{{Rows: rows, Chunks: m.RowGroups[0].Chunks}}
	return m
}

// TestArraysStaySmall: pages of few bytes that stand for very many come out in arrays of bounded size.
func TestArraysStaySmall(t *testing.T) {
	const rows, width = 1 << 20, 1 << 20
	value := make([]byte, width)
	indices := append([]byte{1}, run(rows, 0)...)
	cases := map[string][]byte{
		"dictionary": craft(t, flatSchema(FixedLenByteArray, width, required), FixedLenByteArray, rows, rows,
			dictPage(t, 1, value), pageV1(t, rows, format.RLEDictionary, nil, indices)),
		"NULLs": craft(t, flatSchema(FixedLenByteArray, width, optional), FixedLenByteArray, rows, rows,
			pageV1(t, rows, format.Plain, [][]byte{run(rows, 0)}, nil)),
		"byte array dictionary": craft(t, flatSchema(ByteArray, 0, required), ByteArray, rows, rows,
			//lint:ignore SA1019 deprecated for writers; files have it
			dictPage(t, 1, append([]byte{0, 0, 16, 0}, value...)), pageV1(t, rows, format.PlainDictionary, nil, indices)),
		"lists of a dictionary": craft(t, []schemaElement{listSchema()[0], listSchema()[1], listSchema()[2],
			{Name: "element", Type: thrift.New(int32(FixedLenByteArray)), TypeLength: thrift.New(int32(width))}}, FixedLenByteArray, rows, rows,
			dictPage(t, 1, value), pageV1(t, rows, format.RLEDictionary, [][]byte{run(rows, 0), run(rows, 2)}, indices)),
	}
	for name, b := range cases {
		f, err := OpenBytes(b)
		if err != nil {
			t.Fatal(name, err)
		}
		c, err := f.Cursor(0)
		if err != nil {
			t.Fatal(name, err)
		}
		var a arrow.Array
		used := allocated(func() { a, err = c.Next() })
		if err != nil || a.Len() < 8 || used > 256<<20 {
			t.Errorf("%s: %v, %d bytes allocated", name, err, used)
		}
	}
}

// TestContradictions: what a chunk says of itself in two places must agree.
func TestContradictions(t *testing.T) {
	flat := flatSchema(Int64, 0, required)
	one := pageV1(t, 1, format.Plain, nil, int64s(1))
	two := pageV1(t, 2, format.Plain, nil, int64s(1, 2))
	text := flatSchema(ByteArray, 0, required)
	cases := map[string]struct {
		file  []byte
		class error
	}{
		"fine":                        {craft(t, flat, Int64, 3, 3, one, two), nil},
		"an empty page":               {craft(t, flat, Int64, 1, 1, one, pageV1(t, 0, format.Plain, nil, nil)), nil},
		"too few values":              {craft(t, flat, Int64, 4, 4, one, two), fault.ErrCorrupt},
		"too many values":             {craft(t, flat, Int64, 2, 2, one, two), fault.ErrCorrupt},
		"rows and values":             {craft(t, flat, Int64, 2, 3, one, two), fault.ErrCorrupt},
		"another type":                {craft(t, flat, Int32, 1, 1, one), fault.ErrCorrupt},
		"bytes behind the values":     {craft(t, flat, Int64, 1, 1, pageV1(t, 1, format.Plain, nil, append(int64s(1), 0))), fault.ErrCorrupt},
		"text behind the values":      {craft(t, text, ByteArray, 1, 1, pageV1(t, 1, format.Plain, nil, []byte{1, 0, 0, 0, 'a', 0})), fault.ErrCorrupt},
		"text":                        {craft(t, text, ByteArray, 1, 1, pageV1(t, 1, format.Plain, nil, []byte{1, 0, 0, 0, 'a'})), nil},
		"no dictionary":               {craft(t, flat, Int64, 1, 1, pageV1(t, 1, format.RLEDictionary, nil, []byte{1, 2, 0})), fault.ErrCorrupt},
		"index beyond the dictionary": {craft(t, flat, Int64, 1, 1, dictPage(t, 1, int64s(1)), pageV1(t, 1, format.RLEDictionary, nil, []byte{1, 2, 1})), fault.ErrCorrupt},
		"dictionary late":             {craft(t, flat, Int64, 1, 1, one, dictPage(t, 1, int64s(1))), fault.ErrCorrupt},
		"dictionary twice":            {craft(t, flat, Int64, 1, 1, dictPage(t, 1, int64s(1)), dictPage(t, 1, int64s(1)), one), fault.ErrCorrupt},
		"dictionary size":             {craft(t, flat, Int64, 1, 1, dictPage(t, 2, int64s(1)), one), fault.ErrCorrupt},
		"bit-packed levels":           {craft(t, flat, Int64, 1, 1, pageV1(t, 1, format.BitPacked, nil, int64s(1))), fault.ErrUnsupported},
		"delta of text":               {craft(t, text, ByteArray, 1, 1, pageV1(t, 1, format.DeltaBinaryPacked, nil, int64s(1))), fault.ErrUnsupported},
		"repeated field":              {craft(t, flatSchema(Int64, 0, repeated), Int64, 1, 1, one), fault.ErrUnsupported},
		"int96":                       {craft(t, flatSchema(Int96, 0, required), Int96, 1, 1, one), fault.ErrUnsupported},
	}
	for name, c := range cases {
		err := readAllOrUnsupported(c.file)
		if !errors.Is(err, c.class) || c.class == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.class)
		}
	}
}

func readAllOrUnsupported(b []byte) error {
	f, err := OpenBytes(b)
	if err != nil {
		return err
	}
	c, err := f.Cursor(0)
	for err == nil {
		_, err = c.Next()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
