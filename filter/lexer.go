package filter

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/snapexport/snapexport/fault"
)

// Token types. Keywords carry their lower-case text, strings their quotes, so that no literal of the grammar can match a string.
const (
	tokKeyword lexer.TokenType = iota + 1
	tokIdent
	tokFunc // an identifier before "("
	tokInt
	tokFloat
	tokBool
	tokString
	tokRaw // r"..."
	tokOp
)

// keywords are reserved in lower and in upper case. iso and interval are words of the language only before a string, "is" only
// before null.
var keywords = map[string]bool{"and": true, "or": true, "not": true, "in": true, "like": true, "exists": true}

// unsupportedFuncs are functions of Milvus that need an index, a tokenizer, geometry or chance.
var unsupportedFuncs = map[string]string{
	"text_match": "full-text search", "phrase_match": "full-text search", "text_match_fuzzy": "full-text search",
	"random_sample": "random sampling", "element_filter": "filters on elements of struct arrays",
	"match_all": "filters on elements", "match_any": "filters on elements", "match_least": "filters on elements",
	"match_most": "filters on elements", "match_exact": "filters on elements",
	"st_equals": "geometry", "st_touches": "geometry", "st_overlaps": "geometry", "st_crosses": "geometry",
	"st_contains": "geometry", "st_intersects": "geometry", "st_within": "geometry", "st_dwithin": "geometry",
	"st_isvalid": "geometry", "starts_with": "function calls", "empty": "function calls",
}

// definition gives the tokens to participle.
type definition struct{}

func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Keyword": tokKeyword, "Ident": tokIdent, "Func": tokFunc, "Int": tokInt, "Float": tokFloat,
		"Bool": tokBool, "String": tokString, "Raw": tokRaw, "Op": tokOp,
	}
}

func (definition) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxLength))
	if err != nil {
		return nil, err
	}
	return &tokenList{tokens: nil, scan: &scanner{source{string(b)}, 0}}, nil
}

// tokenList is a lexer over tokens that were scanned before.
type tokenList struct {
	tokens []lexer.Token
	scan   *scanner
}

// Next implements lexer.Lexer.
func (l *tokenList) Next() (lexer.Token, error) {
	if l.scan != nil {
		return l.scan.next()
	}
	t := l.tokens[0]
	if t.Type != lexer.EOF {
		l.tokens = l.tokens[1:]
	}
	return t, nil
}

// tokenize scans the whole expression and checks how deep it nests.
func tokenize(src source) ([]lexer.Token, error) {
	s := &scanner{source: src}
	var tokens []lexer.Token
	depth, prefix := 0, 0
	for {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		switch {
		case t.Type == lexer.EOF:
			return tokens, nil
		case t.Type == tokOp && (t.Value == "(" || t.Value == "["):
			depth, prefix = depth+1, 0
		case t.Type == tokOp && (t.Value == ")" || t.Value == "]"):
			depth, prefix = depth-1, 0
		case t.Type == tokKeyword && t.Value == "exists": // the only prefix that recurses
			prefix++
		default:
			prefix = 0
		}
		if depth+prefix > MaxDepth {
			return nil, src.fail(fault.ErrLimit, t.Pos.Offset, "nested deeper than %d levels", MaxDepth)
		}
	}
}

// scanner reads tokens.
type scanner struct {
	source
	at int
}

func (s *scanner) token(kind lexer.TokenType, end int, value string) (lexer.Token, error) {
	t := lexer.Token{Type: kind, Value: value, Pos: lexer.Position{Offset: s.at, Line: 1, Column: s.at + 1}}
	s.at = end
	return t, nil
}

func (s *scanner) next() (lexer.Token, error) {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	if s.at == len(s.text) {
		return s.token(lexer.EOF, s.at, "")
	}
	rest := s.text[s.at:]
	c := rest[0]
	switch {
	case c == '"' || c == '\'':
		return s.quoted(tokString, 0)
	case (c == 'r' || c == 'R') && len(rest) > 1 && (rest[1] == '"' || rest[1] == '\''):
		return s.quoted(tokRaw, 1)
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		return s.number()
	case strings.HasPrefix(rest, "$meta") && !identByte(rest, 5):
		return s.token(tokIdent, s.at+5, "$meta")
	case identByte(rest, 0):
		return s.word()
	}
	return s.operator()
}

// identByte reports whether a letter, a digit or an underscore begins at s[i:].
func identByte(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func (s *scanner) quoted(kind lexer.TokenType, skip int) (lexer.Token, error) {
	quote := s.text[s.at+skip]
	for i := s.at + skip + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case quote:
			return s.token(kind, i+1, s.text[s.at:i+1])
		case '\\':
			i++
		case '\n', '\r':
			return lexer.Token{}, s.invalid(i, "line break in a string").WithHint(`write \n`)
		}
	}
	return lexer.Token{}, s.invalid(s.at, "the string that begins here has no end").WithHint("close it with %c", quote)
}

// number scans decimal, octal (017), hexadecimal (0x1f) and binary (0b101) integers, decimal and hexadecimal floats (0x1p-2).
func (s *scanner) number() (lexer.Token, error) {
	rest, i, kind := s.text[s.at:], 0, tokInt
	hex := len(rest) > 1 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X')
	for i < len(rest) {
		c := rest[i] | 0x20
		switch {
		case c == 'e' && !hex, c == 'p' && hex:
			kind = tokFloat
			if i+1 < len(rest) && (rest[i+1] == '+' || rest[i+1] == '-') {
				i++
			}
		case rest[i] == '.':
			kind = tokFloat
		case !identByte(rest, i):
			return s.token(kind, s.at+i, rest[:i])
		}
		i++
	}
	return s.token(kind, len(s.text), rest)
}

func (s *scanner) word() (lexer.Token, error) {
	rest, i := s.text[s.at:], 0
	for identByte(rest, i) {
		_, n := utf8.DecodeRuneInString(rest[i:])
		i += n
	}
	word, after := rest[:i], strings.TrimLeft(rest[i:], " \t\r\n")
	lower := strings.ToLower(word)
	oneCase := word == lower || word == strings.ToUpper(word)
	end := s.at + i
	switch {
	case word == "true" || word == "True" || word == "TRUE" || word == "false" || word == "False" || word == "FALSE":
		return s.token(tokBool, end, lower)
	case oneCase && keywords[lower]:
		return s.token(tokKeyword, end, lower)
	case oneCase && lower == "is":
		if text, n := nullTest(after); n > 0 {
			return s.token(tokKeyword, len(s.text)-len(after)+n, text)
		}
	case oneCase && (lower == "iso" || lower == "interval") && after != "" && (after[0] == '"' || after[0] == '\''):
		return s.token(tokKeyword, end, lower)
	case after != "" && after[0] == '(':
		if what, known := unsupportedFuncs[lower]; known {
			return lexer.Token{}, s.fail(fault.ErrUnsupported, s.at, "%s: %s", word, what)
		}
		return s.token(tokFunc, end, word)
	}
	return s.token(tokIdent, end, word)
}

// nullTest recognises what follows "is": null, or not null. It returns the whole keyword and the bytes consumed.
func nullTest(s string) (string, int) {
	first, n := leadingWord(s)
	if first == "null" {
		return "is null", n
	}
	if first != "not" {
		return "", 0
	}
	rest := strings.TrimLeft(s[n:], " \t\r\n")
	second, m := leadingWord(rest)
	if second != "null" {
		return "", 0
	}
	return "is not null", len(s) - len(rest) + m
}

func leadingWord(s string) (string, int) {
	i := 0
	for i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || s[i] == '_' || s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return strings.ToLower(s[:i]), i
}

var operators = []struct{ text, value string }{
	{"&&", "and"}, {"||", "or"}, {"==", ""}, {"!=", ""}, {"<=", ""}, {">=", ""}, {"**", ""}, {"<", ""}, {">", ""},
	{"+", ""}, {"-", ""}, {"*", ""}, {"/", ""}, {"%", ""}, {"(", ""}, {")", ""}, {"[", ""}, {"]", ""}, {",", ""},
	{"{", ""}, {"}", ""}, {"!", "not"},
}

var unsupportedOps = []struct{ text, what string }{
	{"<<", "bit shifts"}, {">>", "bit shifts"}, {"=~", "regular expressions"}, {"!~", "regular expressions"},
	{"&", "bitwise operators"}, {"|", "bitwise operators"}, {"^", "bitwise operators"}, {"~", "bitwise operators"},
	{"$", "elements of struct arrays"},
}

func (s *scanner) operator() (lexer.Token, error) {
	rest := s.text[s.at:]
	if strings.HasPrefix(rest, "<>") {
		return lexer.Token{}, s.invalid(s.at, "<> is not an operator").WithHint("write !=")
	}
	for _, op := range unsupportedOps {
		if strings.HasPrefix(rest, op.text) && !strings.HasPrefix(rest, "&&") && !strings.HasPrefix(rest, "||") {
			return lexer.Token{}, s.fail(fault.ErrUnsupported, s.at, "%s: %s", op.text, op.what)
		}
	}
	for _, op := range operators {
		if !strings.HasPrefix(rest, op.text) {
			continue
		}
		if op.value != "" {
			return s.token(tokKeyword, s.at+len(op.text), op.value)
		}
		return s.token(tokOp, s.at+len(op.text), op.text)
	}
	r, _ := utf8.DecodeRuneInString(rest)
	err := s.invalid(s.at, "unexpected %q", r)
	if r == '=' {
		return lexer.Token{}, err.WithHint("write == to compare")
	}
	return lexer.Token{}, err
}
