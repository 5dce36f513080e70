package filter

import (
	"errors"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/snapexport/snapexport/fault"
)

// The syntax, from the loosest operator to the tightest. Every level is a loop, only parentheses recurse. "not" binds looser
// than comparisons, so that not a == 1 means what it says; Milvus reads it the same way where it reads it at all.
type (
	syntaxOr struct {
		Terms []*syntaxAnd `parser:"@@ ( 'or':Keyword @@ )*"`
	}
	syntaxAnd struct {
		Terms []*syntaxNot `parser:"@@ ( 'and':Keyword @@ )*"`
	}
	syntaxNot struct {
		Not  []string      `parser:"@( 'not':Keyword )*"`
		Cond *syntaxTested `parser:"@@"`
	}
	// syntaxTested is an operand and what is asked of it.
	syntaxTested struct {
		Pos  lexer.Position
		Left *syntaxSum        `parser:"@@"`
		In   *syntaxIn         `parser:"( @@"`
		Null string            `parser:"| @( 'is null':Keyword | 'is not null':Keyword )"`
		Like *syntaxSum        `parser:"| 'like':Keyword @@"`
		Rest []*syntaxRelation `parser:"| @@+ )?"`
	}
	syntaxIn struct {
		Not  bool       `parser:"@( 'not':Keyword )? 'in':Keyword"`
		List *syntaxSum `parser:"@@"`
	}
	syntaxRelation struct {
		Pos   lexer.Position
		Op    string     `parser:"@( '==':Op | '!=':Op | '<=':Op | '>=':Op | '<':Op | '>':Op )"`
		Right *syntaxSum `parser:"@@"`
	}
	syntaxSum struct {
		Left *syntaxProduct `parser:"@@"`
		Rest []*syntaxAdd   `parser:"@@*"`
	}
	syntaxAdd struct {
		Pos   lexer.Position
		Op    string         `parser:"@( '+':Op | '-':Op )"`
		Right *syntaxProduct `parser:"@@"`
	}
	syntaxProduct struct {
		Left *syntaxSigned   `parser:"@@"`
		Rest []*syntaxFactor `parser:"@@*"`
	}
	syntaxFactor struct {
		Pos   lexer.Position
		Op    string        `parser:"@( '*':Op | '/':Op | '%':Op )"`
		Right *syntaxSigned `parser:"@@"`
	}
	syntaxSigned struct {
		Pos   lexer.Position
		Signs []string     `parser:"@( '-':Op | '+':Op )*"`
		Power *syntaxPower `parser:"@@"`
	}
	syntaxPower struct {
		Base      *syntaxPrimary    `parser:"@@"`
		Exponents []*syntaxExponent `parser:"@@*"`
	}
	syntaxExponent struct {
		Pos   lexer.Position
		Signs []string       `parser:"'**':Op @( '-':Op | '+':Op )*"`
		Value *syntaxPrimary `parser:"@@"`
	}
	syntaxPrimary struct {
		Pos      lexer.Position
		Exists   *syntaxPrimary `parser:"  'exists':Keyword @@"`
		ISO      *string        `parser:"| 'iso':Keyword @( String | Raw )"`
		Interval *string        `parser:"| 'interval':Keyword @( String | Raw )"`
		Bool     *string        `parser:"| @Bool"`
		Int      *string        `parser:"| @Int"`
		Float    *string        `parser:"| @Float"`
		Text     *string        `parser:"| @( String | Raw )"`
		Template *string        `parser:"| '{':Op @Ident '}':Op"`
		Paren    *syntaxOr      `parser:"| '(':Op @@ ')':Op"`
		Literals *syntaxList    `parser:"| @@"`
		List     *syntaxItems   `parser:"| @@"`
		Call     *syntaxCall    `parser:"| @@"`
		Ref      *syntaxRef     `parser:"| @@"`
	}
	syntaxItems struct {
		Items []*syntaxOr `parser:"'[':Op ( @@ ( (?! ',':Op ']':Op ) ',':Op @@ )* ','? )? ']':Op"`
	}
	syntaxCall struct {
		Name string      `parser:"@Func '(':Op"`
		Args []*syntaxOr `parser:"( @@ ( (?! ',':Op ')':Op ) ',':Op @@ )* ','? )? ')':Op"`
	}
	syntaxRef struct {
		Name  string        `parser:"@Ident"`
		Steps []*syntaxStep `parser:"@@*"`
	}
	syntaxStep struct {
		Pos    lexer.Position
		Key    *string `parser:"'[':Op ( @( String | Raw )"`
		Index  *string `parser:"| @Int"`
		Member *string `parser:"| @Ident ) ']':Op"`
	}
)

// syntaxList is a list of nothing but literals. It is read token by token: lists are the only part of an expression that gets
// long, and a tree per element costs thirty times as much.
type syntaxList struct{ Items []literal }

// literal is one token of a list, with the sign before it.
type literal struct {
	token    lexer.Token
	negative bool
}

// Parse implements participle.Parseable.
func (l *syntaxList) Parse(lex *lexer.PeekingLexer) error {
	start := lex.MakeCheckpoint()
	if l.parse(lex) {
		return nil
	}
	lex.LoadCheckpoint(start)
	return participle.NextMatch
}

func (l *syntaxList) parse(lex *lexer.PeekingLexer) bool {
	if !isOp(lex.Peek(), "[") {
		return false
	}
	lex.Next()
	for !isOp(lex.Peek(), "]") {
		var item literal
		if isOp(lex.Peek(), "-") {
			item.negative = true
			lex.Next()
		}
		item.token = *lex.Next()
		switch item.token.Type {
		case tokInt, tokFloat:
		case tokString, tokRaw, tokBool:
			if item.negative {
				return false
			}
		default:
			return false
		}
		l.Items = append(l.Items, item)
		if !isOp(lex.Peek(), ",") {
			break
		}
		lex.Next()
	}
	return isOp(lex.Next(), "]")
}

func isOp(t *lexer.Token, value string) bool { return t.Type == tokOp && t.Value == value }

// grammar is built when first needed: commands without a filter do not pay for it.
var grammar = sync.OnceValue(func() *participle.Parser[syntaxOr] {
	return participle.MustBuild[syntaxOr](participle.Lexer(definition{}), participle.UseLookahead(0))
})

// parseSyntax reads the expression into a tree.
func parseSyntax(src source) (*syntaxOr, error) {
	tokens, err := tokenize(src)
	if err != nil {
		return nil, err
	}
	lex, err := lexer.Upgrade(&tokenList{tokens: tokens})
	if err != nil {
		return nil, err
	}
	tree, err := grammar().ParseFromLexer(lex)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	return tree, nil
}

// syntaxError says in our words what participle found.
func syntaxError(src source, err error) error {
	var unexpected *participle.UnexpectedTokenError
	var placed participle.Error
	switch {
	case errors.As(err, new(*fault.Error)):
		return err
	case errors.As(err, &unexpected):
		return unexpectedToken(src, unexpected.Unexpected)
	case errors.As(err, &placed):
		return src.invalid(placed.Position().Offset, "%s", placed.Message())
	}
	return src.invalid(0, "%v", err)
}

func unexpectedToken(src source, t lexer.Token) error {
	if t.Type == lexer.EOF {
		return src.invalid(t.Pos.Offset, "the expression ends too early").WithHint("an operand or a closing bracket is missing")
	}
	err := src.invalid(t.Pos.Offset, "unexpected %s", t.Value)
	switch lower := strings.ToLower(t.Value); {
	case t.Type == tokIdent && (keywords[lower] || lower == "is"):
		return err.WithHint("keywords are written in lower or in upper case: %s", lower)
	case t.Type == tokKeyword && lower == "like":
		return err.WithHint(`write not (name like "...")`)
	case t.Type == tokIdent && (lower == "between" || lower == "eq" || lower == "null"):
		return err.WithHint("ranges are written 1 <= a <= 5, null tests a is null")
	case t.Type == tokString || t.Type == tokIdent:
		return err.WithHint("an operator is missing before it")
	}
	return err
}
