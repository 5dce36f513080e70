package filter

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonKind is the type of a JSON value; jsonMissing is a path that leads nowhere.
type jsonKind uint8

const (
	jsonMissing jsonKind = iota
	jsonNull
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a value as it stands in its document: raw has its text, quotes and brackets included.
type jsonValue struct {
	kind    jsonKind
	raw     string
	escaped bool // a string with backslashes
}

var errJSON = errors.New("malformed JSON")

// findJSON walks a document along the path, reading no more of it than that takes. The first of equal keys counts. An index is
// also a key, and a key of digits an index, as in Milvus, where both are JSON pointers.
func findJSON(doc string, steps []step) (jsonValue, error) {
	s := jsonScanner{text: doc}
	s.space()
	for _, step := range steps {
		var found bool
		var err error
		switch s.peek() {
		case '{':
			found, err = s.enterKey(step.key)
		case '[':
			found, err = s.enterIndex(step.index)
		default:
			_, err = s.value()
		}
		if err != nil || !found {
			return jsonValue{}, err
		}
	}
	return s.value()
}

// jsonScanner reads JSON text. It checks what it has to understand, not more: documents were validated when they were stored.
type jsonScanner struct {
	text string
	at   int
}

func (s *jsonScanner) space() {
	for s.at < len(s.text) && s.text[s.at] <= ' ' {
		s.at++
	}
}

// peek returns the next byte, 0 at the end.
func (s *jsonScanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// expect skips c, which must come, and the spaces around it.
func (s *jsonScanner) expect(c byte) error {
	s.space()
	if s.peek() != c {
		return errJSON
	}
	s.at++
	s.space()
	return nil
}

// enterKey moves from the { of an object to the value of a key.
func (s *jsonScanner) enterKey(key string) (bool, error) {
	s.at++
	s.space()
	for s.peek() != '}' {
		escaped, start := false, s.at
		if err := s.skipString(&escaped); err != nil {
			return false, err
		}
		name := s.text[start+1 : s.at-1]
		if err := s.expect(':'); err != nil {
			return false, err
		}
		if escaped {
			var err error
			if name, err = unescapeJSON(name); err != nil {
				return false, err
			}
		}
		if name == key {
			return true, nil
		}
		if more, err := s.skipMember('}'); err != nil || !more {
			return false, err
		}
	}
	return false, nil
}

// enterIndex moves from the [ of an array to an element.
func (s *jsonScanner) enterIndex(index int) (bool, error) {
	if index < 0 {
		return false, nil
	}
	s.at++
	s.space()
	if s.peek() == ']' {
		return false, nil
	}
	for ; index > 0; index-- {
		if more, err := s.skipMember(']'); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// skipMember skips a value and the comma behind it; it returns false at the end of the container.
func (s *jsonScanner) skipMember(end byte) (more bool, err error) {
	if _, err := s.value(); err != nil {
		return false, err
	}
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		s.space()
		return true, nil
	case end:
		return false, nil
	}
	return false, errJSON
}

// value reads the value at the scanner and moves behind it.
func (s *jsonScanner) value() (v jsonValue, err error) {
	start := s.at
	switch c := s.peek(); {
	case c == '"':
		v.kind = jsonString
		err = s.skipString(&v.escaped)
	case c == '{':
		v.kind = jsonObject
		err = s.skipContainer()
	case c == '[':
		v.kind = jsonArray
		err = s.skipContainer()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = jsonNumber
		for isNumberByte(s.peek()) {
			s.at++
		}
	case strings.HasPrefix(s.text[s.at:], "true"):
		v.kind = jsonBool
		s.at += 4
	case strings.HasPrefix(s.text[s.at:], "false"):
		v.kind = jsonBool
		s.at += 5
	case strings.HasPrefix(s.text[s.at:], "null"):
		v.kind = jsonNull
		s.at += 4
	default:
		err = errJSON
	}
	v.raw = s.text[start:s.at]
	return v, err
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c|0x20 == 'e'
}

// skipString moves behind a string and reports whether it has escapes.
func (s *jsonScanner) skipString(escaped *bool) error {
	if s.peek() != '"' {
		return errJSON
	}
	start := s.at + 1
	n := strings.IndexByte(s.text[start:], '"')
	if n < 0 {
		return errJSON
	}
	backslash := strings.IndexByte(s.text[start:start+n], '\\')
	if backslash < 0 {
		s.at = start + n + 1
		return nil
	}
	*escaped = true
	for i := start + backslash; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			s.at = i + 1
			return nil
		case '\\':
			i++
		}
	}
	return errJSON
}

// skipContainer moves behind an object or an array by counting brackets: it needs no stack, however deep they nest.
func (s *jsonScanner) skipContainer() error {
	depth := 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
				return nil
			}
		case '"':
			var escaped bool
			if err := s.skipString(&escaped); err != nil {
				return err
			}
			continue
		}
		s.at++
	}
	return errJSON
}

// each calls yield with the elements of an array until it returns false.
func (v jsonValue) each(yield func(jsonValue) (bool, error)) error {
	s := jsonScanner{text: v.raw, at: 1}
	s.space()
	for s.peek() != ']' {
		element, err := s.value()
		if err != nil {
			return err
		}
		if more, err := yield(element); err != nil || !more {
			return err
		}
		s.space()
		if s.peek() == ']' {
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
	return nil
}

// hollow reports whether the value is null, or an object or array with nothing in it but such values: what "exists" takes for
// absent.
func (v jsonValue) hollow() (bool, error) {
	if v.kind != jsonObject && v.kind != jsonArray {
		return v.kind <= jsonNull, nil
	}
	s := jsonScanner{text: v.raw}
	for s.at < len(s.text) {
		switch c := s.peek(); {
		case c <= ' ' || strings.IndexByte("{}[],:", c) >= 0:
			s.at++
		default:
			value, err := s.value()
			if err != nil {
				return false, err
			}
			s.space()
			if isKey := value.kind == jsonString && s.peek() == ':'; !isKey && value.kind != jsonNull {
				return false, nil
			}
		}
	}
	return true, nil
}

// scalar returns booleans, numbers and strings as values; kindNull for everything else. Integers beyond 64 bits become floats.
func (v jsonValue) scalar() (scalar, error) {
	switch v.kind {
	case jsonBool:
		return boolScalar(v.raw == "true"), nil
	case jsonNumber:
		return parseJSONNumber(v.raw)
	case jsonString:
		text, err := v.text()
		return stringScalar(text), err
	}
	return scalar{}, nil
}

// text returns a string without its quotes and escapes.
func (v jsonValue) text() (string, error) {
	body := v.raw[1 : len(v.raw)-1]
	if !v.escaped {
		return body, nil
	}
	return unescapeJSON(body)
}

func parseJSONNumber(raw string) (scalar, error) {
	if !strings.ContainsAny(raw, ".eE") {
		if i, err := strconv.ParseInt(raw, 10, 64); err == nil {
			return intScalar(i), nil
		}
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || strings.IndexByte("-0123456789", raw[0]) < 0 {
		return scalar{}, errJSON
	}
	return floatScalar(f), nil
}

func unescapeJSON(s string) (string, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c { // skipString lets no string end in a backslash
		case '"', '\\', '/':
			out = append(out, c)
		case 'b', 'f', 'n', 'r', 't':
			out = append(out, simpleEscapes[c])
		case 'u':
			r, n := unescapeUnit(s[i-1:])
			if n == 0 {
				return "", errJSON
			}
			out = utf8.AppendRune(out, r)
			i += n - 2
		default:
			return "", errJSON
		}
	}
	return string(out), nil
}

// unescapeUnit reads \uXXXX, or two of them that make one character; a lone half becomes U+FFFD. It returns the bytes read.
func unescapeUnit(s string) (r rune, n int) {
	first, ok := hexUnit(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if second, ok := hexUnit(s[6:]); ok {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, 12
		}
	}
	return utf8.RuneError, 6
}

func hexUnit(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(s[2:6], 16, 32)
	return rune(code), err == nil
}

// equals reports whether the value is the constant: numbers by value, arrays element by element.
func (v jsonValue) equals(c scalar) (bool, error) {
	if c.kind != kindList {
		got, err := v.scalar()
		order, ok := compareScalars(got, c)
		return ok && order == 0, err
	}
	if v.kind != jsonArray {
		return false, nil
	}
	i, same := 0, true
	err := v.each(func(element jsonValue) (bool, error) {
		if i == len(c.list) {
			same = false
			return false, nil
		}
		var err error
		same, err = element.equals(c.list[i])
		i++
		return same, err
	})
	return same && i == len(c.list), err
}
