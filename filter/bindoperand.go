package filter

import (
	"reflect"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

func (b *binder) sum(s *syntaxSum) (node, error) {
	n, err := b.product(s.Left)
	for _, r := range s.Rest {
		if err != nil {
			return node{}, err
		}
		var right node
		if right, err = b.product(r.Right); err == nil {
			n, err = b.arithmetic(n, r.Op[0], right, r.Pos.Offset)
		}
	}
	return n, err
}

func (b *binder) product(s *syntaxProduct) (node, error) {
	n, err := b.signed(s.Left)
	for _, r := range s.Rest {
		if err != nil {
			return node{}, err
		}
		var right node
		if right, err = b.signed(r.Right); err == nil {
			n, err = b.arithmetic(n, r.Op[0], right, r.Pos.Offset)
		}
	}
	return n, err
}

func (b *binder) signed(s *syntaxSigned) (node, error) {
	negative := countMinus(s.Signs)%2 == 1
	if p := s.Power.Base; negative && (p.Int != nil || p.Float != nil) && len(s.Power.Exponents) == 0 {
		return b.literalNode(p, true) // the smallest integer has no positive counterpart, -0.0 is not 0 - 0.0
	}
	n, err := b.power(s.Power)
	if err != nil || len(s.Signs) == 0 {
		return n, err
	}
	return b.negated(n, negative, s.Pos.Offset)
}

func countMinus(signs []string) (n int) {
	for _, s := range signs {
		if s == "-" {
			n++
		}
	}
	return n
}

func (b *binder) negated(n node, negative bool, at int) (node, error) {
	if n.cond != nil || !n.val.kind().isNumber() && n.val.kind() != kindJSON {
		return node{}, b.invalid(at, "a sign needs a number")
	}
	if !negative {
		return n, nil
	}
	return b.arithmetic(node{val: &constant{intScalar(0)}, at: at}, '-', n, at)
}

func (b *binder) power(s *syntaxPower) (node, error) {
	n, err := b.primary(s.Base)
	for _, e := range s.Exponents {
		if err != nil {
			return node{}, err
		}
		var right node
		if right, err = b.primary(e.Value); err != nil {
			return node{}, err
		}
		if len(e.Signs) > 0 {
			if right, err = b.negated(right, countMinus(e.Signs)%2 == 1, e.Pos.Offset); err != nil {
				return node{}, err
			}
		}
		n, err = b.arithmetic(n, '^', right, e.Pos.Offset)
	}
	return n, err
}

func (b *binder) arithmetic(l node, op byte, r node, at int) (node, error) {
	if l.cond != nil || r.cond != nil {
		return node{}, b.invalid(at, "arithmetic needs numbers, not conditions")
	}
	kl, kr := l.val.kind(), r.val.kind()
	if kl == kindTime || kr == kindTime {
		return b.shift(l, op, r, at)
	}
	for _, n := range []node{l, r} {
		if k := n.val.kind(); !k.isNumber() && k != kindJSON || op == '%' && k != kindInt && k != kindJSON {
			need := "numbers"
			if op == '%' {
				need = "integers"
			}
			return node{}, b.invalid(at, "arithmetic needs %s: %s is a %s", need, n.val.text(), k)
		}
	}
	out := &arithmetic{op: op, left: l.val, right: r.val, typ: kindFloat, depth: 1 + max(arithmeticDepth(l.val), arithmeticDepth(r.val))}
	if out.depth > MaxDepth {
		return node{}, b.tooDeep(at)
	}
	switch {
	case kl == kindJSON || kr == kindJSON:
		out.typ = kindJSON
	case kl == kindInt && kr == kindInt && op != '^':
		out.typ = kindInt
	}
	rc, rightConstant := r.constant()
	if rightConstant && (op == '/' || op == '%') && rc.float() == 0 {
		return node{}, b.invalid(at, "division by zero")
	}
	lc, leftConstant := l.constant()
	if !leftConstant || !rightConstant {
		return node{val: out, at: l.at}, nil
	}
	v, ok := compute(op, lc, rc)
	if !ok || overflowed(op, lc, rc, v) {
		return node{}, b.invalid(at, "%s is not a number that can be stored", out.text())
	}
	return node{val: &constant{v}, at: l.at}, nil
}

func (b *binder) tooDeep(at int) error {
	return b.fail(fault.ErrLimit, at, "more than %d arithmetic operators in a row", MaxDepth)
}

// arithmeticDepth is how deep an operand nests. Parentheses are counted elsewhere; chains like a + b + c nest without any.
func arithmeticDepth(o operand) int {
	switch o := o.(type) {
	case *arithmetic:
		return o.depth
	case *shifted:
		return o.depth
	}
	return 0
}

// shift binds a point in time plus or minus an interval.
func (b *binder) shift(l node, op byte, r node, at int) (node, error) {
	if op == '+' && l.val.kind() == kindInterval {
		l, r = r, l
	}
	span, ok := r.constant()
	if l.val.kind() != kindTime || !ok || span.kind != kindInterval || op != '+' && op != '-' {
		return node{}, b.invalid(at, "times take only + INTERVAL and - INTERVAL").WithHint("write ts + INTERVAL 'P1D'")
	}
	out := &shifted{moment: l.val, span: span.span, sign: 1, depth: 1 + arithmeticDepth(l.val)}
	if out.depth > MaxDepth {
		return node{}, b.tooDeep(at)
	}
	if op == '-' {
		out.sign = -1
	}
	c, ok := l.constant()
	if !ok {
		return node{val: out, at: l.at}, nil
	}
	c.i = out.span.shift(c.i, out.sign)
	if _, zoned, err := parseMoment(formatTime(c.i)); err != nil || !zoned {
		return node{}, b.invalid(at, "the time is outside of years 0 to 9999")
	}
	return node{val: &constant{c}, at: l.at}, nil
}

func (b *binder) primary(s *syntaxPrimary) (node, error) {
	at := s.Pos.Offset
	switch {
	case s.Paren != nil:
		return b.or(s.Paren)
	case s.Exists != nil:
		return b.exists(s.Exists, at)
	case s.Literals != nil:
		list := scalar{kind: kindList}
		for _, item := range s.Literals.Items {
			v, err := b.literal(item)
			if err != nil {
				return node{}, err
			}
			list.list = append(list.list, v)
		}
		return node{val: &constant{list}, at: at}, nil
	case s.List != nil:
		return b.list(s.List, at)
	case s.Call != nil:
		return b.call(s.Call, at)
	case s.Ref != nil:
		return b.ref(s.Ref, at)
	case s.Template != nil:
		return b.template(*s.Template, at)
	}
	return b.literalNode(s, false)
}

func (b *binder) literalNode(s *syntaxPrimary, negative bool) (node, error) {
	var v scalar
	var err error
	switch {
	case s.Bool != nil:
		v = boolScalar(*s.Bool == "true")
	case s.Int != nil:
		v, err = b.parseInt(s.Pos.Offset, *s.Int, negative)
	case s.Float != nil:
		v, err = b.parseFloat(s.Pos.Offset, *s.Float, negative)
	case s.Text != nil:
		v, err = b.parseString(s.Pos, *s.Text)
	case s.ISO != nil:
		v, err = b.moment(s, *s.ISO)
	case s.Interval != nil:
		text, _ := unquote(*s.Interval)
		v.kind = kindInterval
		var span interval
		span, err = parseInterval(text)
		if v.span = &span; err != nil {
			err = b.invalid(s.Pos.Offset, "%v", err).WithHint("write INTERVAL 'P1DT12H'")
		}
	}
	return node{val: &constant{v}, at: s.Pos.Offset}, err
}

func (b *binder) moment(s *syntaxPrimary, token string) (scalar, error) {
	text, _ := unquote(token)
	micros, zoned, err := parseMoment(text)
	if err != nil {
		return scalar{}, b.invalid(s.Pos.Offset, "%v", err).WithHint("write ISO '2025-01-01T00:00:00Z'")
	}
	if zone, set := milvus.Lookup(b.schema.Properties, "timezone"); set && !zoned && !strings.EqualFold(zone, "UTC") {
		return scalar{}, b.invalid(s.Pos.Offset, "%q has no offset, and the collection's time zone is %s", text, zone).WithHint("write the offset: ...T00:00:00+08:00")
	}
	return scalar{kind: kindTime, i: micros}, nil
}

func (b *binder) list(s *syntaxItems, at int) (node, error) {
	list := scalar{kind: kindList}
	for _, item := range s.Items {
		n, err := b.or(item)
		if err != nil {
			return node{}, err
		}
		c, ok := n.constant()
		if !ok || c.kind == kindInterval {
			return node{}, b.invalid(n.at, "lists hold constants only")
		}
		list.list = append(list.list, c)
	}
	return node{val: &constant{list}, at: at}, nil
}

func (b *binder) exists(s *syntaxPrimary, at int) (node, error) {
	n, err := b.primary(s)
	if err != nil {
		return node{}, err
	}
	p, ok := n.val.(*path)
	if !ok || len(p.steps) == 0 {
		return node{}, b.invalid(n.at, "exists needs a key of a JSON field").WithHint(`write exists meta["key"]`)
	}
	return node{cond: &existence{p}, at: at}, nil
}

func (b *binder) template(name string, at int) (node, error) {
	value, ok := b.values[name]
	if !ok {
		return node{}, b.invalid(at, "no value is given for {%s}", name)
	}
	v, ok := templateValue(reflect.ValueOf(value))
	if !ok {
		return node{}, b.invalid(at, "a %T can't be the value of {%s}", value, name)
	}
	return node{val: &constant{v}, at: at}, nil
}

func templateValue(v reflect.Value) (scalar, bool) {
	switch v.Kind() {
	case reflect.Bool:
		return boolScalar(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intScalar(v.Int()), true
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return intScalar(int64(v.Uint())), true
	case reflect.Float32, reflect.Float64:
		f := v.Float()
		return floatScalar(f), f-f == 0 // finite
	case reflect.String:
		return stringScalar(v.String()), true
	case reflect.Interface:
		return templateValue(v.Elem())
	case reflect.Slice:
		list := scalar{kind: kindList}
		for i := range v.Len() {
			item, ok := templateValue(v.Index(i))
			if !ok || item.kind == kindList && depthOf(item) > MaxDepth {
				return scalar{}, false
			}
			list.list = append(list.list, item)
		}
		return list, true
	}
	return scalar{}, false
}

func depthOf(v scalar) int {
	deepest := 0
	for _, item := range v.list {
		deepest = max(deepest, depthOf(item))
	}
	return deepest + 1
}
