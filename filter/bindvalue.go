package filter

import (
	"math"
	"slices"

	"github.com/snapexport/snapexport/milvus"
)

// against compares an operand with a constant.
func (b *binder) against(n node, op relation, c scalar, at int) (condition, error) {
	left, k := n.val, n.val.kind()
	if k == kindNull {
		return nil, b.opaque(left, at)
	}
	if c.kind == kindList {
		return b.againstList(left, op, c, at)
	}
	if k == kindList {
		return nil, b.opaque(left, at)
	}
	if op.isOrder() && (k == kindBool || c.kind == kindBool) {
		return nil, b.invalid(at, "booleans have no order").WithHint("use == or !=")
	}
	shown, exec, err := b.convert(k, c, at)
	if err != nil {
		return nil, err
	}
	out := &comparison{left: left, op: op, right: shown, execOp: op, execWith: exec}
	out.adapt(k)
	return out, nil
}

func (b *binder) againstList(left operand, op relation, c scalar, at int) (condition, error) {
	if op.isOrder() {
		return nil, b.invalid(at, "lists have no order").WithHint("use == or !=")
	}
	elementKind := kindJSON
	switch l := left.(type) {
	case *column:
		if l.typ != kindList {
			return nil, b.invalid(at, "%s is not an array", left.text()).WithHint("did you mean in?")
		}
		elementKind = kindOf(l.field.ElementType)
	case *path:
	default:
		return nil, b.invalid(at, "%s is not an array", left.text())
	}
	shown, exec := scalar{kind: kindList}, scalar{kind: kindList}
	for _, item := range c.list {
		s, e, err := b.convert(elementKind, item, at)
		if err != nil {
			return nil, err
		}
		shown.list, exec.list = append(shown.list, s), append(exec.list, e)
	}
	return &comparison{left: left, op: op, right: shown, execOp: op, execWith: exec}, nil
}

// convert checks that a constant compares with operands of the kind. It returns it as shown in canonical text, and as computed
// with.
func (b *binder) convert(k kind, c scalar, at int) (shown, exec scalar, err error) {
	switch {
	case k.isNumber() && c.kind.isNumber():
		exec = c
		if k == kindFloat32 && c.kind == kindFloat {
			exec.f = float64(float32(c.f))
		}
		return c, exec.canonical(), nil
	case k == kindJSON && (c.kind.isNumber() || c.kind == kindBool || c.kind == kindString || c.kind == kindList):
		return c, c.canonical(), nil
	case k == c.kind && k != kindInterval:
		return c, c, nil
	case (k == kindDate || k == kindClock) && c.kind == kindString:
		parse := parseDate
		if k == kindClock {
			parse = parseClock
		}
		v, err := parse(c.s)
		if err != nil {
			return c, c, b.invalid(at, "%v", err)
		}
		out := scalar{kind: k, i: v}
		return out, out, nil
	}
	e := b.invalid(at, "a %s does not compare with a %s", k, c.kind)
	if k == kindTime {
		e = e.WithHint("write ISO '2025-01-01T00:00:00Z'")
	}
	return c, c, e
}

// adapt says a comparison of numbers with a constant of the operand's own type, exactly: i < 2.5 becomes i <= 2, and a float64
// against an integer that no float64 equals is compared with the next one below it.
func (c *comparison) adapt(k kind) {
	w := c.execWith
	switch {
	case k == kindInt && w.kind == kindFloat:
		c.adaptToInt(w.f)
	case (k == kindFloat || k == kindFloat32) && w.kind == kindInt:
		c.execWith = floatScalar(float64(w.i))
		if order := compareIntFloat(w.i, float64(w.i)); order != 0 {
			below := float64(w.i)
			if order < 0 {
				below = math.Nextafter(below, math.Inf(-1))
			}
			c.between(floatScalar(below))
		}
	}
	if k == kindFloat32 && c.execOp < relNever {
		if f := c.execWith.f; float64(float32(f)) != f {
			below := float32(f)
			if float64(below) > f {
				below = math.Nextafter32(below, float32(math.Inf(-1)))
			}
			c.between(floatScalar(float64(below)))
		}
	}
}

// adaptToInt compares integers with a number that is none.
func (c *comparison) adaptToInt(f float64) {
	switch floor := math.Floor(f); {
	case floor >= 1<<63:
		c.between(intScalar(math.MaxInt64))
	case floor < -(1 << 63):
		c.execWith = intScalar(0)
		if c.execOp == relNE || c.execOp == relGT || c.execOp == relGE {
			c.execOp = relAlways
		} else {
			c.execOp = relNever
		}
	default:
		c.between(intScalar(int64(floor)))
	}
}

// between replaces a constant that lies between two values of the operand's type by the lower of them.
func (c *comparison) between(below scalar) {
	c.execWith = below
	switch c.execOp {
	case relLT:
		c.execOp = relLE
	case relGE:
		c.execOp = relGT
	case relEQ:
		c.execOp = relNever
	case relNE:
		c.execOp = relAlways
	}
}

// kindOf returns the kind of a field's values; kindNull for those that have none here (vectors, geometry).
func kindOf(t milvus.DataType) kind {
	switch t {
	case milvus.TypeBool:
		return kindBool
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeInt64:
		return kindInt
	case milvus.TypeFloat:
		return kindFloat32
	case milvus.TypeDouble:
		return kindFloat
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText:
		return kindString
	case milvus.TypeTimestamptz:
		return kindTime
	case milvus.TypeDate:
		return kindDate
	case milvus.TypeTime:
		return kindClock
	case milvus.TypeArray:
		return kindList
	case milvus.TypeJSON:
		return kindJSON
	}
	return kindNull
}

func equalLists(a, b []scalar) bool {
	return slices.EqualFunc(a, b, func(x, y scalar) bool {
		if x.kind == kindList && y.kind == kindList {
			return equalLists(x.list, y.list)
		}
		order, ok := compareScalars(x, y)
		return ok && order == 0
	})
}

// valueSet is a set of constants to look values up in.
type valueSet struct {
	items  []scalar // without duplicates
	ints   intSet
	intIDs map[int64]int // index in items, as below
	floats map[float64]int
	texts  map[string]int
	bools  [2]int // of false and true; -1: not in the set
	lists  []int
}

func newValueSet(items []scalar) *valueSet {
	s := &valueSet{intIDs: map[int64]int{}, floats: map[float64]int{}, texts: map[string]int{}, bools: [2]int{-1, -1}}
	for _, item := range items {
		if item.kind != kindList && s.find(item) >= 0 {
			continue
		}
		id := len(s.items)
		s.items = append(s.items, item)
		switch item.kind.stored() {
		case kindInt:
			s.intIDs[item.i] = id
		case kindFloat:
			s.floats[item.f] = id
		case kindString:
			s.texts[item.s] = id
		case kindBool:
			s.bools[boolOrder(item.b)] = id
		case kindList:
			s.lists = append(s.lists, id)
		}
	}
	var ints []int64
	for _, item := range s.items {
		if item.kind.stored() == kindInt {
			ints = append(ints, item.i)
		}
	}
	s.ints = newIntSet(ints)
	return s
}

// find returns the index of an equal item, or -1. Numbers must be canonical; lists are not looked up.
func (s *valueSet) find(v scalar) int {
	id, ok := -1, true
	switch v.kind.stored() {
	case kindInt:
		id, ok = s.intIDs[v.i]
	case kindFloat:
		id, ok = s.floats[v.f]
	case kindString:
		id, ok = s.texts[v.s]
	case kindBool:
		id = s.bools[boolOrder(v.b)]
	}
	if !ok {
		return -1
	}
	return id
}

// comparable reports whether any item has v's type, or there are no items.
func (s *valueSet) comparable(v scalar) bool {
	switch v.kind.stored() {
	case kindInt, kindFloat:
		return len(s.intIDs)+len(s.floats) > 0 || len(s.items) == 0
	case kindString:
		return len(s.texts) > 0 || len(s.items) == 0
	case kindBool:
		return s.bools[0] >= 0 || s.bools[1] >= 0 || len(s.items) == 0
	}
	return len(s.items) == 0
}
