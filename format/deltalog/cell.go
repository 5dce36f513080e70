package deltalog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/milvus"
)

// maxShown bounds how much of a bad cell an error repeats.
const maxShown = 80

// addCells decodes a part of a file with one text column.
func (b *builder) addCells(cells *array.Binary) error {
	text, ends := cells.ValueBytes(), cells.ValueOffsets()
	nulls := cells.NullN() > 0
	for i := range cells.Len() {
		if nulls && cells.IsNull(i) {
			return corrupt("row %d is NULL", b.row())
		}
		cell := text[ends[i]-ends[0] : ends[i+1]-ends[0]]
		if pk, ts, ok := scanInts(cell); ok && b.pkType == milvus.TypeInt64 {
			b.ints, b.ts = append(b.ints, pk), append(b.ts, ts)
		} else if err := b.addCell(cell); err != nil {
			return err
		}
	}
	return nil
}

// addCell decodes one cell of a file with one text column: a JSON object, or the older "pk,ts".
func (b *builder) addCell(cell []byte) error {
	if pk, ts, ok := scanInts(cell); ok {
		return b.addInt64(pk, ts)
	}
	if pk, isText, ts, ok := scanCell(cell); ok {
		if isText {
			return b.addString(pk, ts)
		}
		v, err := strconv.ParseInt(string(pk), 10, 64)
		if err == nil {
			return b.addInt64(v, ts)
		}
	}
	if text := bytes.TrimLeft(cell, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		return b.addObject(cell)
	}
	return b.addPair(cell)
}

// scanCell takes a cell as Milvus writes it: {"pk":K,"ts":N,"pkType":T} without spaces, K a number with T 5, or a text
// without escapes with T 21. pk is a part of cell. Anything else is not ok, which does not mean that it is wrong.
func scanCell(cell []byte) (pk []byte, isText bool, ts uint64, ok bool) {
	rest, ok := bytes.CutPrefix(cell, []byte(`{"pk":`))
	if !ok || len(rest) == 0 {
		return nil, false, 0, false
	}
	end := []byte(`,"pkType":5}`)
	if isText = rest[0] == '"'; isText {
		end = []byte(`,"pkType":21}`)
		n := plainText(rest[1:])
		if n < 0 {
			return nil, false, 0, false
		}
		pk, rest = rest[1:1+n], rest[n+2:]
	} else {
		n := 0
		for n < len(rest) && (rest[n] == '-' || rest[n]-'0' < 10) {
			n++
		}
		pk, rest = rest[:n], rest[n:]
		if !jsonInteger(pk) {
			return nil, false, 0, false
		}
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"ts":`)); !ok {
		return nil, false, 0, false
	}
	if rest, ok = bytes.CutSuffix(rest, end); !ok {
		return nil, false, 0, false
	}
	if v, n := digits(rest); n > 0 && n == len(rest) {
		return pk, isText, v, true
	}
	if !jsonInteger(rest) {
		return nil, false, 0, false
	}
	ts, ok = parseUint(rest)
	return pk, isText, ts, ok
}

const (
	beforeKey  = `{"pk":`
	beforeTime = `,"ts":`
	afterInts  = `,"pkType":5}`
)

// scanInts is scanCell for Int64 keys in one pass: they are most of what there is.
func scanInts(cell []byte) (pk int64, ts uint64, ok bool) {
	if len(cell) < len(beforeKey) || string(cell[:len(beforeKey)]) != beforeKey {
		return 0, 0, false
	}
	rest := cell[len(beforeKey):]
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	key, n := digits(rest)
	if n == 0 || key > math.MaxInt64 || len(rest) < n+len(beforeTime) || string(rest[n:n+len(beforeTime)]) != beforeTime {
		return 0, 0, false
	}
	rest = rest[n+len(beforeTime):]
	ts, n = digits(rest)
	if n == 0 || string(rest[n:]) != afterInts {
		return 0, 0, false
	}
	if negative {
		return -int64(key), ts, true
	}
	return int64(key), ts, true
}

// digits reads a JSON number without sign, fraction and exponent; n is its length, 0 if there is none or it may be too large.
func digits(b []byte) (v uint64, n int) {
	for len(b)-n >= 8 {
		eight, ok := eightDigits(binary.LittleEndian.Uint64(b[n:]))
		if !ok {
			break
		}
		v = v*1e8 + eight
		n += 8
	}
	for n < len(b) && b[n]-'0' <= 9 {
		v = v*10 + uint64(b[n]-'0')
		n++
	}
	if n > 19 || n > 1 && b[0] == '0' { // 19 digits cannot overflow
		return 0, 0
	}
	return v, n
}

// every is a word of eight equal bytes, times a byte.
const every = 0x0101010101010101

// eightDigits reads a word of eight digits, the first in its lowest byte. Neighbours are joined to pairs, then to fours, then
// to all eight.
func eightDigits(w uint64) (v uint64, ok bool) {
	if w&(every*0xf0)|(w+every*6)&(every*0xf0)>>4 != every*0x33 {
		return 0, false
	}
	w -= every * '0'
	w = w*10 + w>>8
	const pairs = 0x000000ff000000ff
	return (w&pairs*(100+1e6<<32) + w>>16&pairs*(1+1e4<<32)) >> 32, true
}

// plainText returns the length of the text up to the closing quote, -1 if it has escapes or bytes that need care.
func plainText(b []byte) int {
	n := plainStart(b)
	ascii := true
	for i, c := range b[n:] {
		switch {
		case c == '"':
			if !ascii && !utf8.Valid(b[:n+i]) {
				return -1
			}
			return n + i
		case c == '\\' || c < ' ':
			return -1
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return -1
}

// plainStart returns how many bytes of b, by eights, are ASCII and neither quotes nor in need of care.
func plainStart(b []byte) (n int) {
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^every*'"', w^every*'\\'
		// An upper bit is set in w beyond ASCII; by subtracting, in bytes below a space, and in those that are zero of the others.
		if (w|(w-every*' ')|(quote-every)|(slash-every))&(every*0x80) != 0 {
			break
		}
	}
	return n
}

// jsonInteger reports whether b is a JSON number without fraction and exponent.
func jsonInteger(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 1 && b[0] == '0' {
		return false
	}
	for _, c := range b {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

func parseUint(b []byte) (v uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 { // 19 digits cannot overflow; longer ones take the slow way
		v, err := strconv.ParseUint(string(b), 10, 64)
		return v, err == nil
	}
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

// addObject decodes a JSON object with its keys in any order, escapes and spaces.
func (b *builder) addObject(cell []byte) error {
	bad := func(why string) error {
		return corrupt("row %d is no delete: %s: %.*q", b.row(), why, maxShown, cell)
	}
	if !utf8.Valid(cell) {
		return bad("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(cell))
	dec.UseNumber()
	dec.Token() // the brace
	found := map[string]any{}
	for dec.More() {
		key, err := dec.Token()
		name, isName := key.(string)
		if err != nil || !isName {
			return bad("not a JSON object")
		}
		value, err := dec.Token()
		if err != nil {
			return bad("not a JSON object")
		}
		if _, nested := value.(json.Delim); nested {
			return bad("key " + strconv.Quote(name) + " is not a number or text")
		}
		if _, twice := found[name]; twice {
			return bad("key " + strconv.Quote(name) + " occurs twice")
		}
		found[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return bad("not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("bytes after the JSON object")
	}
	ts, ok := parseUint(number(found["ts"]))
	if !ok {
		return bad("no timestamp")
	}
	switch t := string(number(found["pkType"])); t {
	case strconv.Itoa(int(milvus.TypeInt64)):
		pk, err := strconv.ParseInt(string(number(found["pk"])), 10, 64)
		if err != nil {
			return bad("the key is not an Int64 as pkType says")
		}
		return b.addInt64(pk, ts)
	case strconv.Itoa(int(milvus.TypeVarChar)):
		pk, isText := found["pk"].(string)
		if !isText {
			return bad("the key is not a text as pkType says")
		}
		return b.addString([]byte(pk), ts)
	}
	return bad("pkType is not 5 (Int64) or 21 (VarChar)")
}

func number(v any) []byte {
	n, _ := v.(json.Number)
	return []byte(n)
}

// addPair decodes "pk,ts", the form of 2.0 and 2.1, which had Int64 keys only.
func (b *builder) addPair(cell []byte) error {
	left, right, ok := bytes.Cut(cell, []byte(","))
	if ok {
		pk, err := strconv.ParseInt(string(left), 10, 64)
		ts, good := parseUint(right)
		if err == nil && good {
			return b.addInt64(pk, ts)
		}
	}
	return corrupt("row %d is neither a JSON object nor pk,ts: %.*q", b.row(), maxShown, cell)
}
