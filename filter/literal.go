package filter

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// parseInt reads an integer literal in any of its bases.
func (s source) parseInt(offset int, text string, negative bool) (scalar, error) {
	if negative {
		text = "-" + text
	}
	i, err := strconv.ParseInt(text, 0, 64)
	if err != nil || strings.ContainsAny(text, "_oO") {
		return scalar{}, s.invalid(offset, "%s is not a 64-bit integer", text)
	}
	return intScalar(i), nil
}

func (s source) parseFloat(offset int, text string, negative bool) (scalar, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Contains(text, "_") {
		return scalar{}, s.invalid(offset, "%s is not a 64-bit floating-point number", text)
	}
	if negative {
		f = -f
	}
	return floatScalar(f), nil
}

// literal turns a token of a list into its value.
func (s source) literal(item literal) (scalar, error) {
	t := item.token
	switch t.Type {
	case tokInt:
		return s.parseInt(t.Pos.Offset, t.Value, item.negative)
	case tokFloat:
		return s.parseFloat(t.Pos.Offset, t.Value, item.negative)
	case tokBool:
		return boolScalar(t.Value == "true"), nil
	}
	return s.parseString(t.Pos, t.Value)
}

func (s source) parseString(pos lexer.Position, token string) (scalar, error) {
	text, bad := unquote(token)
	if bad >= 0 {
		return scalar{}, s.invalid(pos.Offset+bad, "bad escape in a string").WithHint(`write \\ for a backslash`)
	}
	return stringScalar(text), nil
}

// simpleEscapes are the escapes of one letter.
var simpleEscapes = [256]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '\'': '\'', '"': '"', '?': '?',
}

// unquote returns what a string token stands for, and -1; or the offset of a bad escape. Raw strings keep their backslashes. An
// escape that has no meaning keeps its backslash, so that patterns can say "100\%".
func unquote(token string) (text string, bad int) {
	if token[0] == 'r' || token[0] == 'R' {
		return token[2 : len(token)-1], -1
	}
	body := token[1 : len(token)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body, -1
	}
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			out = append(out, body[i])
			i++
			continue
		}
		n, ok := unescape(&out, body[i:])
		if !ok {
			return "", i + 1
		}
		i += n
	}
	return string(out), -1
}

// unescape appends what the escape at the start of s stands for and returns its length.
func unescape(out *[]byte, s string) (n int, ok bool) {
	c := s[1] // the scanner lets no string end in a backslash
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case digits > 0:
		if len(s) < 2+digits {
			return 0, false
		}
		code, err := strconv.ParseUint(s[2:2+digits], 16, 32)
		switch {
		case err != nil:
			return 0, false
		case c == 'x':
			*out = append(*out, byte(code))
		case code > utf8.MaxRune || !utf8.ValidRune(rune(code)):
			return 0, false
		default:
			*out = utf8.AppendRune(*out, rune(code))
		}
		return 2 + digits, true
	case c >= '0' && c <= '7':
		n := 1
		for n < 4 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		code, err := strconv.ParseUint(s[1:n], 8, 8)
		*out = append(*out, byte(code))
		return n, err == nil
	case simpleEscapes[c] != 0:
		*out = append(*out, simpleEscapes[c])
	default:
		*out = append(*out, '\\', c)
	}
	return 2, true
}

// quote writes a string literal that unquote reads back, whatever bytes are in it.
func quote(s string) string {
	out := make([]byte, 0, len(s)+2)
	out = append(out, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case s[i] == '"' || s[i] == '\\':
			out = append(out, '\\', s[i])
		case s[i] == '\n':
			out = append(out, `\n`...)
		case s[i] < ' ' || s[i] == 0x7f || r == utf8.RuneError && n == 1:
			out = append(out, '\\', 'x', "0123456789abcdef"[s[i]>>4], "0123456789abcdef"[s[i]&15])
		default:
			out = append(out, s[i:i+n]...)
		}
		i += n
	}
	return string(append(out, '"'))
}
