package filter

import (
	"slices"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// binder turns syntax into a typed tree.
type binder struct {
	source
	schema *milvus.Schema
	values map[string]any
}

// node is what a piece of syntax turned out to be: a condition or an operand.
type node struct {
	cond condition
	val  operand
	at   int // byte offset, for errors
}

func (n node) constant() (scalar, bool) {
	c, ok := n.val.(*constant)
	if !ok {
		return scalar{}, false
	}
	return c.value, true
}

func (b *binder) condition(s *syntaxOr) (condition, error) {
	n, err := b.or(s)
	if err != nil {
		return nil, err
	}
	return b.asCondition(n)
}

// asCondition makes a condition of a boolean operand.
func (b *binder) asCondition(n node) (condition, error) {
	if n.cond != nil {
		return n.cond, nil
	}
	if c, ok := n.constant(); ok && c.kind == kindBool {
		return &always{c.b}, nil
	}
	switch n.val.kind() {
	case kindBool:
		return b.against(n, relEQ, boolScalar(true), n.at)
	case kindJSON:
		return nil, b.invalid(n.at, "%s is a JSON value, not a condition", n.val.text()).WithHint("compare it: %s == true", n.val.text())
	}
	return nil, b.invalid(n.at, "%s is a %s, not a condition", n.val.text(), n.val.kind()).WithHint("compare it with something")
}

func (b *binder) or(s *syntaxOr) (node, error) {
	return bindTerms(b, true, s.Terms, b.and)
}

func (b *binder) and(s *syntaxAnd) (node, error) {
	return bindTerms(b, false, s.Terms, b.not)
}

func bindTerms[T any](b *binder, or bool, terms []*T, bind func(*T) (node, error)) (node, error) {
	first, err := bind(terms[0])
	if err != nil || len(terms) == 1 {
		return first, err
	}
	conds := make([]condition, 0, len(terms))
	for i, t := range terms {
		n := first
		if i > 0 {
			if n, err = bind(t); err != nil {
				return node{}, err
			}
		}
		c, err := b.asCondition(n)
		if err != nil {
			return node{}, err
		}
		conds = append(conds, c)
	}
	return node{cond: newLogic(or, conds), at: first.at}, nil
}

// newLogic joins conditions: nested ones of the same kind are flattened, constants disappear.
func newLogic(or bool, terms []condition) condition {
	out := &logic{or: or}
	for _, t := range terms {
		switch t := t.(type) {
		case *always:
			if t.value == or {
				return t // true or x, false and x
			}
		case *logic:
			if t.or == or {
				out.terms = append(out.terms, t.terms...)
				continue
			}
			out.terms = append(out.terms, t)
		default:
			out.terms = append(out.terms, t)
		}
	}
	switch len(out.terms) {
	case 0:
		return &always{!or}
	case 1:
		return out.terms[0]
	}
	costs := make([]int, len(out.terms))
	for i, t := range out.terms {
		out.order = append(out.order, i)
		costs[i] = t.cost()
	}
	slices.SortStableFunc(out.order, func(i, j int) int { return costs[i] - costs[j] })
	return out
}

func (b *binder) not(s *syntaxNot) (node, error) {
	n, err := b.tested(s.Cond)
	if err != nil || len(s.Not) == 0 {
		return n, err
	}
	c, err := b.asCondition(n)
	if err != nil {
		return node{}, err
	}
	if len(s.Not)%2 == 1 {
		c = negate(c)
	}
	return node{cond: c, at: n.at}, nil
}

func negate(c condition) condition {
	switch c := c.(type) {
	case *always:
		return &always{!c.value}
	case *not:
		return c.term
	case *nullness:
		return &nullness{of: c.of, null: !c.null}
	}
	return &not{c}
}

func (b *binder) tested(s *syntaxTested) (node, error) {
	left, err := b.sum(s.Left)
	if err != nil {
		return node{}, err
	}
	var c condition
	switch {
	case s.In != nil:
		c, err = b.in(left, s.In)
	case s.Null != "":
		c, err = b.null(left, s.Null == "is null")
	case s.Like != nil:
		c, err = b.like(left, s.Like)
	case len(s.Rest) > 0:
		c, err = b.chain(left, s.Rest)
	default:
		return left, nil
	}
	return node{cond: c, at: left.at}, err
}

// chain binds a < b, or a < b <= c.
func (b *binder) chain(left node, rest []*syntaxRelation) (condition, error) {
	if len(rest) > 2 {
		return nil, b.invalid(rest[2].Pos.Offset, "more than two comparisons in a row").WithHint("join them with and")
	}
	terms := make([]condition, len(rest))
	for i, r := range rest {
		op := parseRelation(r.Op)
		if i > 0 && !sameDirection(parseRelation(rest[0].Op), op) {
			return nil, b.invalid(r.Pos.Offset, "%s does not continue %s", r.Op, rest[0].Op).WithHint("a range is written 1 < a <= 5 or 5 >= a > 1")
		}
		right, err := b.sum(r.Right)
		if err != nil {
			return nil, err
		}
		if terms[i], err = b.compare(left, op, right, r.Pos.Offset); err != nil {
			return nil, err
		}
		left = right
	}
	return newLogic(false, terms), nil
}

func sameDirection(a, b relation) bool {
	return a.isOrder() && b.isOrder() && (a <= relLE) == (b <= relLE)
}

func (b *binder) compare(left node, op relation, right node, at int) (condition, error) {
	for _, n := range []node{left, right} {
		if n.cond != nil {
			return nil, b.invalid(n.at, "a condition can't be compared").WithHint("leave == true out, write not for == false")
		}
	}
	l, leftConstant := left.constant()
	r, rightConstant := right.constant()
	switch {
	case leftConstant && rightConstant:
		return b.constantComparison(l, op, r, at)
	case leftConstant:
		return b.against(right, op.flipped(), l, at)
	case rightConstant:
		return b.against(left, op, r, at)
	}
	return b.pair(left.val, op, right.val, at)
}

func (b *binder) constantComparison(l scalar, op relation, r scalar, at int) (condition, error) {
	if l.kind == kindList && r.kind == kindList && !op.isOrder() {
		return &always{equalLists(l.list, r.list) == (op == relEQ)}, nil
	}
	order, ok := compareScalars(l, r)
	if !ok || (l.kind == kindTime) != (r.kind == kindTime) {
		return nil, b.invalid(at, "a %s and a %s do not compare", l.kind, r.kind)
	}
	return &always{op.holds(order)}, nil
}

// pair compares two operands that both depend on the row.
func (b *binder) pair(l operand, op relation, r operand, at int) (condition, error) {
	kl, kr := l.kind(), r.kind()
	for _, o := range []operand{l, r} {
		if k := o.kind(); k == kindList || k == kindNull {
			return nil, b.opaque(o, at)
		}
	}
	compatible := kl == kr || kl.isNumber() && kr.isNumber() ||
		kl == kindJSON && (kr.isNumber() || kr == kindString || kr == kindBool) || kr == kindJSON && (kl.isNumber() || kl == kindString || kl == kindBool)
	if !compatible {
		return nil, b.invalid(at, "%s (%s) and %s (%s) do not compare", l.text(), kl, r.text(), kr)
	}
	if op.isOrder() && (kl == kindBool || kr == kindBool) {
		return nil, b.invalid(at, "booleans have no order").WithHint("use == or !=")
	}
	return &pairing{left: l, op: op, right: r}, nil
}

// opaque is the error for operands whose values can't be compared.
func (b *binder) opaque(o operand, at int) error {
	if o.kind() == kindList {
		return b.invalid(at, "%s is an array", o.text()).WithHint("compare an element, %s[0], or use array_contains", o.text())
	}
	if c, ok := o.(*column); ok {
		return b.fail(fault.ErrUnsupported, at, "%s is a %s field: its values can't be filtered", o.text(), c.field.Type)
	}
	return b.fail(fault.ErrUnsupported, at, "values of %s can't be filtered", o.text())
}

func (b *binder) in(left node, s *syntaxIn) (condition, error) {
	right, err := b.sum(s.List)
	if err != nil {
		return nil, err
	}
	list, ok := right.constant()
	if !ok || list.kind != kindList {
		return nil, b.invalid(right.at, "in needs a list of constants").WithHint("write in [1, 2, 3]")
	}
	if _, isConstant := left.constant(); isConstant || left.cond != nil {
		return nil, b.invalid(left.at, "in needs a field on its left").WithHint("to look into an array, use array_contains or json_contains")
	}
	k := left.val.kind()
	if k == kindList || k == kindNull {
		return nil, b.opaque(left.val, left.at)
	}
	set, list2, err := b.valueSet(k, list.list, right.at)
	if err != nil {
		return nil, err
	}
	c := &membership{left: left.val, list: list2, set: set}
	if s.Not {
		return &not{c}, nil
	}
	return c, nil
}

// valueSet makes the values to look for of constants that are compared with operands of the kind. It returns the constants too,
// converted where their text depends on it.
func (b *binder) valueSet(k kind, items []scalar, at int) (*valueSet, []scalar, error) {
	exec, shown := make([]scalar, len(items)), make([]scalar, len(items))
	for i, item := range items {
		var err error
		if shown[i], exec[i], err = b.convert(k, item, at); err != nil {
			return nil, nil, err
		}
	}
	return newValueSet(exec), shown, nil
}

func (b *binder) null(n node, null bool) (condition, error) {
	switch n.val.(type) {
	case *column, *path:
		return &nullness{of: n.val, null: null}, nil
	}
	return nil, b.invalid(n.at, "is null needs a field or a JSON path on its left")
}

func (b *binder) like(left node, s *syntaxSum) (condition, error) {
	right, err := b.sum(s)
	if err != nil {
		return nil, err
	}
	pattern, ok := right.constant()
	if !ok || pattern.kind != kindString {
		return nil, b.invalid(right.at, "like needs a string on its right")
	}
	if _, isConstant := left.constant(); isConstant || left.cond != nil || left.val.kind() != kindString && left.val.kind() != kindJSON {
		return nil, b.invalid(left.at, "like needs a string field or a JSON path on its left")
	}
	match, err := compilePattern(pattern.s)
	if err != nil {
		return nil, b.invalid(right.at, "%v", err)
	}
	return &likeness{left: left.val, pattern: pattern.s, match: match}, nil
}
