package filter

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reference evaluates a bound tree for one row, in the most obvious way: Go values, encoding/json, exact rationals, regexp. It
// uses the constants as written, not as adapted for execution. A nil result is UNKNOWN, or no value.
type reference struct{ row map[string]any }

func (r reference) condition(c condition) *bool {
	switch c := c.(type) {
	case *always:
		return &c.value
	case *not:
		return negation(r.condition(c.term))
	case *logic:
		return r.logic(c)
	case *comparison:
		return compareAny(c.op, r.operand(c.left), rounded(c.left.kind(), plain(c.right)))
	case *pairing:
		l := r.operand(c.left)
		if _, isList := l.([]any); isList {
			return nil // two operands compare as scalars only
		}
		return compareAny(c.op, l, r.operand(c.right))
	case *membership:
		return r.member(c)
	case *likeness:
		if s, ok := r.operand(c.left).(string); ok {
			return yes(likeRegexp(c.pattern).MatchString(s))
		}
		return nil
	case *nullness:
		v := r.operand(c.of)
		if p, ok := c.of.(*path); ok && len(p.steps) == 0 {
			v = r.row[p.field.Name] // the column itself: JSON null is a value
		}
		return yes((v == nil) == c.null)
	case *existence:
		return yes(!absent(r.operand(c.of)))
	case *containment:
		return r.contains(c)
	}
	panic(fmt.Sprintf("%T", c))
}

func yes(b bool) *bool { return &b }

func negation(b *bool) *bool {
	if b == nil {
		return nil
	}
	return yes(!*b)
}

func (r reference) logic(c *logic) *bool {
	result := yes(!c.or)
	for _, t := range c.terms {
		v := r.condition(t)
		switch {
		case v != nil && *v == c.or:
			return v
		case v == nil:
			result = nil
		}
	}
	return result
}

func (r reference) member(c *membership) *bool {
	v := r.operand(c.left)
	if v == nil {
		return nil
	}
	met := len(c.list) == 0
	for _, item := range c.list {
		equal := compareAny(relEQ, v, rounded(c.left.kind(), plain(item)))
		if equal != nil && *equal {
			return equal
		}
		met = met || equal != nil
	}
	if !met {
		return nil
	}
	return yes(false)
}

func (r reference) contains(c *containment) *bool {
	list, ok := r.operand(c.of).([]any)
	if !ok {
		return nil
	}
	k := kindJSON
	if col, ok := c.of.(*column); ok {
		k = kindOf(col.field.ElementType)
	}
	found := 0
	for _, item := range c.list {
		if slices.ContainsFunc(list, func(v any) bool {
			equal := compareAny(relEQ, v, rounded(k, plain(item)))
			return equal != nil && *equal
		}) {
			found++
		}
	}
	if c.mode == containsAll {
		return yes(found == len(c.list))
	}
	return yes(found > 0)
}

func (r reference) operand(o operand) any {
	switch o := o.(type) {
	case *constant:
		return plain(o.value)
	case *column:
		return r.row[o.field.Name]
	case *element:
		list, _ := r.row[o.array.field.Name].([]any)
		if o.index < len(list) {
			return list[o.index]
		}
	case *path:
		return r.path(o)
	case *length:
		if list, ok := r.operand(o.of).([]any); ok {
			return int64(len(list))
		}
	case *arithmetic:
		return arithmeticAny(o.op, r.operand(o.left), r.operand(o.right))
	case *shifted:
		if m, ok := r.operand(o.moment).(int64); ok {
			at := time.UnixMicro(m).UTC().AddDate(0, o.sign*o.span.months, o.sign*o.span.days)
			return at.UnixMicro() + int64(o.sign)*o.span.micros
		}
	}
	return nil
}

func (r reference) path(p *path) any {
	text, ok := r.row[p.field.Name].(string)
	if !ok {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	for _, s := range p.steps {
		switch c := v.(type) {
		case map[string]any:
			v = c[s.key]
		case []any:
			i, err := strconv.Atoi(s.key)
			if err != nil || i >= len(c) || strconv.Itoa(i) != s.key {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return numbered(v)
}

// numbered turns json.Number into int64 or float64.
func numbered(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	}
	return v
}

func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !absent(e) })
	case map[string]any:
		for _, e := range v {
			if !absent(e) {
				return false
			}
		}
		return true
	}
	return false
}

func plain(s scalar) any {
	switch s.kind {
	case kindBool:
		return s.b
	case kindFloat:
		return s.f
	case kindString:
		return s.s
	case kindList:
		list := []any{}
		for _, item := range s.list {
			list = append(list, plain(item))
		}
		return list
	}
	return s.i
}

// rounded rounds float literals to the type of a Float operand.
func rounded(k kind, v any) any {
	if f, ok := v.(float64); ok && k == kindFloat32 {
		return float64(float32(f))
	}
	return v
}

func compareAny(op relation, a, b any) *bool {
	if la, ok := a.([]any); ok {
		lb, ok := b.([]any)
		if !ok {
			return nil
		}
		same := slices.EqualFunc(la, lb, func(x, y any) bool {
			equal := compareAny(relEQ, x, y)
			return equal != nil && *equal
		})
		return yes(same == (op == relEQ))
	}
	switch x := a.(type) {
	case bool:
		if y, ok := b.(bool); ok {
			return yes((x == y) == (op == relEQ))
		}
		return nil
	case string:
		if y, ok := b.(string); ok {
			return orderHolds(op, strings.Compare(x, y))
		}
		return nil
	}
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	if !okX || !okY {
		return nil
	}
	if math.IsNaN(x) || math.IsNaN(y) {
		return yes(op == relNE)
	}
	if math.IsInf(x, 0) || math.IsInf(y, 0) {
		return orderHolds(op, big.NewFloat(x).Cmp(big.NewFloat(y)))
	}
	return orderHolds(op, rational(a).Cmp(rational(b)))
}

func orderHolds(op relation, order int) *bool {
	switch op {
	case relEQ:
		return yes(order == 0)
	case relNE:
		return yes(order != 0)
	case relLT:
		return yes(order < 0)
	case relLE:
		return yes(order <= 0)
	case relGT:
		return yes(order > 0)
	}
	return yes(order >= 0)
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func rational(v any) *big.Rat {
	if i, ok := v.(int64); ok {
		return new(big.Rat).SetInt64(i)
	}
	return new(big.Rat).SetFloat64(v.(float64))
}

func arithmeticAny(op byte, a, b any) any {
	if op == '%' {
		a, b = whole(a), whole(b)
	}
	i, intA := a.(int64)
	j, intB := b.(int64)
	if intA && intB && op != '^' {
		switch {
		case op == '+':
			return i + j
		case op == '-':
			return i - j
		case op == '*':
			return i * j
		case j == 0:
			return nil
		case op == '/':
			return i / j
		}
		return i % j
	}
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	switch {
	case !okX || !okY || op == '%' || op == '/' && y == 0:
		return nil
	case op == '+':
		return x + y
	case op == '-':
		return x - y
	case op == '*':
		return x * y
	case op == '/':
		return x / y
	}
	return math.Pow(x, y)
}

// whole makes an integer of a float without a fraction.
func whole(v any) any {
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
		return int64(f)
	}
	return v
}

var likeCache = map[string]*regexp.Regexp{}

func likeRegexp(pattern string) *regexp.Regexp {
	if re := likeCache[pattern]; re != nil {
		return re
	}
	var b strings.Builder
	b.WriteString("(?s)^")
	escaped := false
	for _, c := range pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(c)))
			escaped = false
		case c == '\\':
			escaped = true
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	likeCache[pattern] = regexp.MustCompile(b.String())
	return likeCache[pattern]
}
