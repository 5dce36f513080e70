package filter

import (
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// operand is something with a value.
type operand interface {
	kind() kind
	text() string
	visit(func(milvus.FieldID))
	// values computes the operand for the rows that are needed; the others may hold anything.
	values(b *batch, need bitmap) (vector, error)
	cost() int
	binding() int // how tightly its outermost operator binds
}

// condition is something that is TRUE, FALSE or UNKNOWN.
type condition interface {
	text() string
	visit(func(milvus.FieldID))
	// eval decides the rows that are needed; the others may come out as anything.
	eval(b *batch, need bitmap) (truth, error)
	outcomes(stats Stats) outcome
	cost() int
	binding() int
}

// How tightly operators bind, for the parentheses of text.
const (
	bindOr = iota
	bindAnd
	bindNot
	bindTest
	bindSum
	bindProduct
	bindSign
	bindPower
	bindPrimary
)

// Costs order the terms of and and or: cheap ones first, and the expensive ones see only the rows that are still open.
const (
	costConstant = 0
	costColumn   = 1
	costString   = 3
	costCompute  = 5
	costArray    = 8
	costJSON     = 40
)

// The operands.
type (
	constant struct{ value scalar }

	column struct {
		field milvus.Field
		typ   kind
	}
	// element is one element of an array field, for a struct array of one of its members.
	element struct {
		array *column
		typ   kind
		index int
	}
	// path is a value inside of a JSON field; without steps it is the whole of it.
	path struct {
		field milvus.Field
		steps []step
	}
	// length is the number of elements of an array field or of a JSON array.
	length struct{ of operand } // *column or *path

	arithmetic struct {
		op          byte // + - * / % and ^ for **
		left, right operand
		typ         kind // kindInt, kindFloat, or kindJSON where it depends on the row
		depth       int  // of nested arithmetic
	}
	// shifted is a point in time plus or minus an interval.
	shifted struct {
		moment operand
		span   *interval
		sign   int
		depth  int
	}
)

// step is one step of a JSON path. Index is -1 where the key can't be an index.
type step struct {
	key   string
	index int
}

func newStep(key string) step {
	index, err := strconv.ParseInt(key, 10, 32)
	if err != nil || index < 0 || strconv.FormatInt(index, 10) != key {
		index = -1
	}
	return step{key: key, index: int(index)}
}

func (s step) text() string {
	if s.index >= 0 {
		return "[" + s.key + "]"
	}
	return "[" + quote(s.key) + "]"
}

func (c *constant) kind() kind                 { return c.value.kind }
func (c *constant) text() string               { return c.value.text() }
func (c *constant) visit(func(milvus.FieldID)) {}
func (c *constant) cost() int                  { return costConstant }
func (c *constant) binding() int {
	if c.value.kind.isNumber() && strings.HasPrefix(c.text(), "-") {
		return bindSign
	}
	return bindPrimary
}

func (c *column) kind() kind                       { return c.typ }
func (c *column) text() string                     { return c.field.Name }
func (c *column) visit(yield func(milvus.FieldID)) { yield(c.field.ID) }
func (c *column) binding() int                     { return bindPrimary }
func (c *column) cost() int {
	if c.typ == kindString {
		return costString
	}
	return costColumn
}

func (e *element) kind() kind                       { return e.typ }
func (e *element) text() string                     { return e.array.text() + "[" + strconv.Itoa(e.index) + "]" }
func (e *element) visit(yield func(milvus.FieldID)) { e.array.visit(yield) }
func (e *element) binding() int                     { return bindPrimary }
func (e *element) cost() int                        { return costCompute }

func (p *path) kind() kind                       { return kindJSON }
func (p *path) visit(yield func(milvus.FieldID)) { yield(p.field.ID) }
func (p *path) binding() int                     { return bindPrimary }
func (p *path) cost() int                        { return costJSON }
func (p *path) text() string {
	text := p.field.Name
	if p.field.Dynamic {
		text = "$meta"
	}
	for _, s := range p.steps {
		text += s.text()
	}
	return text
}

func (l *length) kind() kind                       { return kindInt }
func (l *length) text() string                     { return "array_length(" + l.of.text() + ")" }
func (l *length) visit(yield func(milvus.FieldID)) { l.of.visit(yield) }
func (l *length) binding() int                     { return bindPrimary }
func (l *length) cost() int                        { return l.of.cost() }

func (a *arithmetic) kind() kind { return a.typ }
func (a *arithmetic) visit(yield func(milvus.FieldID)) {
	a.left.visit(yield)
	a.right.visit(yield)
}
func (a *arithmetic) cost() int { return a.left.cost() + a.right.cost() + costCompute }
func (a *arithmetic) binding() int {
	switch a.op {
	case '+', '-':
		return bindSum
	case '^':
		return bindPower
	}
	return bindProduct
}
func (a *arithmetic) text() string {
	op := string(a.op)
	if a.op == '^' {
		op = "**"
	}
	return wrap(a.left, a.binding()) + " " + op + " " + wrap(a.right, a.binding()+1)
}

func (s *shifted) kind() kind                       { return kindTime }
func (s *shifted) visit(yield func(milvus.FieldID)) { s.moment.visit(yield) }
func (s *shifted) binding() int                     { return bindSum }
func (s *shifted) cost() int                        { return s.moment.cost() + costCompute }
func (s *shifted) text() string {
	op := " + "
	if s.sign < 0 {
		op = " - "
	}
	return wrap(s.moment, bindSum) + op + scalar{kind: kindInterval, span: s.span}.text()
}

// wrap is the text of a node, in parentheses if it binds looser than its place asks for.
func wrap(n interface {
	text() string
	binding() int
}, binding int) string {
	if n.binding() < binding {
		return "(" + n.text() + ")"
	}
	return n.text()
}

// The conditions.
type (
	always struct{ value bool }
	not    struct{ term condition }
	// logic is and or or over two or more terms, none of which is logic of the same kind.
	logic struct {
		or    bool
		terms []condition
		order []int // indexes of terms, cheap first
	}
	// comparison is an operand against a constant. exec is what is computed: the same, said with a constant of the operand's type.
	comparison struct {
		left     operand
		op       relation
		right    scalar
		execOp   relation
		execWith scalar
	}
	// pairing is an operand against an operand.
	pairing struct {
		left, right operand
		op          relation
	}
	membership struct {
		left operand
		list []scalar
		set  *valueSet
	}
	likeness struct {
		left    operand
		pattern string
		match   matcher
	}
	nullness struct {
		of   operand // *column or *path
		null bool    // is null; else is not null
	}
	existence struct{ of *path }
	// containment asks about the elements of an array field or a JSON array.
	containment struct {
		of   operand // *column or *path
		mode containMode
		list []scalar
		set  *valueSet
	}
)

type containMode uint8

const (
	containsOne containMode = iota
	containsAll
	containsAny
)

var containNames = [...]string{"contains", "contains_all", "contains_any"}

func (c *always) text() string               { return boolScalar(c.value).text() }
func (c *always) visit(func(milvus.FieldID)) {}
func (c *always) cost() int                  { return costConstant }
func (c *always) binding() int               { return bindPrimary }

func (c *not) text() string                     { return "not " + wrap(c.term, bindNot) }
func (c *not) visit(yield func(milvus.FieldID)) { c.term.visit(yield) }
func (c *not) cost() int                        { return c.term.cost() }
func (c *not) binding() int                     { return bindNot }

func (c *logic) visit(yield func(milvus.FieldID)) {
	for _, t := range c.terms {
		t.visit(yield)
	}
}
func (c *logic) cost() (sum int) {
	for _, t := range c.terms {
		sum += t.cost()
	}
	return sum
}
func (c *logic) binding() int {
	if c.or {
		return bindOr
	}
	return bindAnd
}
func (c *logic) text() string {
	word := " and "
	if c.or {
		word = " or "
	}
	texts := make([]string, len(c.terms))
	for i, t := range c.terms {
		texts[i] = wrap(t, c.binding()+1)
	}
	return strings.Join(texts, word)
}

func (c *comparison) visit(yield func(milvus.FieldID)) { c.left.visit(yield) }
func (c *comparison) cost() int                        { return c.left.cost() }
func (c *comparison) binding() int                     { return bindTest }
func (c *comparison) text() string {
	return c.left.text() + " " + c.op.String() + " " + c.right.text()
}

func (c *pairing) visit(yield func(milvus.FieldID)) {
	c.left.visit(yield)
	c.right.visit(yield)
}
func (c *pairing) cost() int    { return c.left.cost() + c.right.cost() }
func (c *pairing) binding() int { return bindTest }
func (c *pairing) text() string { return c.left.text() + " " + c.op.String() + " " + c.right.text() }

func (c *membership) visit(yield func(milvus.FieldID)) { c.left.visit(yield) }
func (c *membership) cost() int                        { return c.left.cost() + costColumn }
func (c *membership) binding() int                     { return bindTest }
func (c *membership) text() string {
	return c.left.text() + " in " + scalar{kind: kindList, list: c.list}.text()
}

func (c *likeness) visit(yield func(milvus.FieldID)) { c.left.visit(yield) }
func (c *likeness) cost() int                        { return c.left.cost() + costString }
func (c *likeness) binding() int                     { return bindTest }
func (c *likeness) text() string                     { return c.left.text() + " like " + quote(c.pattern) }

func (c *nullness) visit(yield func(milvus.FieldID)) { c.of.visit(yield) }
func (c *nullness) cost() int                        { return c.of.cost() }
func (c *nullness) binding() int                     { return bindTest }
func (c *nullness) text() string {
	if c.null {
		return c.of.text() + " is null"
	}
	return c.of.text() + " is not null"
}

func (c *existence) visit(yield func(milvus.FieldID)) { c.of.visit(yield) }
func (c *existence) cost() int                        { return costJSON }
func (c *existence) binding() int                     { return bindTest }
func (c *existence) text() string                     { return "exists " + c.of.text() }

func (c *containment) visit(yield func(milvus.FieldID)) { c.of.visit(yield) }
func (c *containment) cost() int                        { return c.of.cost() + costArray }
func (c *containment) binding() int                     { return bindPrimary }
func (c *containment) text() string {
	prefix, argument := "array_", scalar{kind: kindList, list: c.list}.text()
	if c.of.kind() == kindJSON {
		prefix = "json_"
	}
	if c.mode == containsOne {
		argument = c.list[0].text()
	}
	return prefix + containNames[c.mode] + "(" + c.of.text() + ", " + argument + ")"
}
