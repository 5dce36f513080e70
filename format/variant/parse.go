package variant

import (
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Errors of [Parse]: why text is not JSON, or JSON no variant.
var (
	ErrNotJSON   = errors.New("the text is not JSON")
	ErrDeep      = errors.New("the JSON is nested more than 1000 deep")
	ErrSurrogate = errors.New("the JSON has half of a surrogate pair, which is no character")
	ErrNumber    = errors.New("the JSON has a number beyond the range of a double")
	ErrLarge     = errors.New("the JSON has more than 8 MiB or more than 262144 values")
)

// Check tells whether [Parse] takes the text.
func Check(text []byte) error {
	_, err := Parse(text)
	return err
}

// Parse returns the value of a JSON text.
func Parse(text []byte) (Value, error) {
	if len(text) > MaxText {
		return Value{}, ErrLarge
	}
	if !utf8.Valid(text) || !json.Valid(text) {
		return Value{}, ErrNotJSON
	}
	p := parser{b: text}
	return p.value(0)
}

// parser walks over text that is known to be JSON.
type parser struct {
	b []byte
	i int
	n int // values so far
}

// next skips white space, commas and colons, and returns the byte behind them.
func (p *parser) next() byte {
	for {
		switch c := p.b[p.i]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			p.i++
		default:
			return c
		}
	}
}

func (p *parser) value(depth int) (v Value, err error) {
	if p.n++; p.n > MaxValues {
		return v, ErrLarge
	}
	switch p.next() {
	case '{', '[':
		if depth == MaxDepth {
			return v, ErrDeep
		}
		return p.container(depth + 1)
	case '"':
		v.kind = kindString
		v.text, err = p.text()
		return v, err
	case 't':
		p.i += len("true")
		return Value{kind: kindTrue}, nil
	case 'f':
		p.i += len("false")
		return Value{kind: kindFalse}, nil
	case 'n':
		p.i += len("null")
		return Value{}, nil
	}
	start := p.i
	for p.i < len(p.b) && isNumber(p.b[p.i]) {
		p.i++
	}
	v.kind = kindNumber
	v.number, err = parseNumber(string(p.b[start:p.i]))
	return v, err
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// container reads an array or an object.
func (p *parser) container(depth int) (v Value, err error) {
	v.kind = kindArray
	if p.b[p.i] == '{' {
		v.kind = kindObject
	}
	p.i++
	for {
		if c := p.next(); c == ']' || c == '}' {
			p.i++
			v.order()
			return v, nil
		}
		if v.kind == kindObject {
			key, err := p.text()
			if err != nil {
				return v, err
			}
			v.keys = append(v.keys, key)
		}
		e, err := p.value(depth)
		if err != nil {
			return v, err
		}
		v.elems = append(v.elems, e)
	}
}

// order sorts the members of an object and keeps the last of those with one name.
func (v *Value) order() {
	sort.Stable((*members)(v))
	n := 0
	for i, key := range v.keys {
		if i+1 < len(v.keys) && v.keys[i+1] == key {
			continue
		}
		v.keys[n], v.elems[n] = key, v.elems[i]
		n++
	}
	if v.kind == kindObject {
		v.keys, v.elems = v.keys[:n], v.elems[:n]
	}
}

// members are those of an object, in the order of their names' bytes.
type members Value

func (m *members) Len() int           { return len(m.keys) }
func (m *members) Less(i, j int) bool { return m.keys[i] < m.keys[j] }
func (m *members) Swap(i, j int) {
	m.keys[i], m.keys[j] = m.keys[j], m.keys[i]
	m.elems[i], m.elems[j] = m.elems[j], m.elems[i]
}

// text reads a string.
func (p *parser) text() (string, error) {
	p.i++ // the quote
	start, plain := p.i, true
	for p.b[p.i] != '"' {
		if p.b[p.i] == '\\' {
			plain = false
			p.i++
		}
		p.i++
	}
	raw := p.b[start:p.i]
	p.i++
	if plain {
		return string(raw), nil
	}
	return unescape(raw)
}

var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

func unescape(raw []byte) (string, error) {
	out := slices.Grow([]byte(nil), len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, escapes[raw[i]])
			continue
		}
		r := unit(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			if i+6 >= len(raw) || raw[i+1] != '\\' || raw[i+2] != 'u' {
				return "", ErrSurrogate
			}
			if r = utf16.DecodeRune(r, unit(raw[i+3:])); r == utf8.RuneError {
				return "", ErrSurrogate
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), nil
}

// unit reads the four hexadecimal digits of \uXXXX.
func unit(b []byte) rune {
	n, _ := strconv.ParseUint(string(b[:4]), 16, 16) // valid JSON has digits here
	return rune(n)
}
