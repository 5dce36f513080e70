package filter

import (
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

func (c *always) eval(b *batch, _ bitmap) (truth, error) {
	if c.value {
		return truth{yes: ones(b.rows)}, nil
	}
	return truth{yes: zeros(b.rows)}, nil
}

func (c *not) eval(b *batch, need bitmap) (truth, error) {
	t, err := c.term.eval(b, need)
	if err != nil {
		return truth{}, err
	}
	return t.not(b.rows), nil
}

// eval computes the cheap terms first, and the others only for the rows that are not decided by then: FALSE in and, TRUE in or.
func (c *logic) eval(b *batch, need bitmap) (truth, error) {
	var sum truth
	for i, at := range c.order {
		t, err := c.terms[at].eval(b, need)
		if err != nil {
			return truth{}, err
		}
		switch {
		case i == 0:
			sum = t
		case c.or:
			sum = sum.or(t)
		default:
			sum = sum.and(t)
		}
		if i+1 == len(c.order) {
			break
		}
		open := make(bitmap, len(need))
		for w := range open {
			if c.or {
				open[w] = need[w] &^ sum.yes[w]
			} else {
				open[w] = need[w] & (sum.yes[w] | sum.unknown.word(w))
			}
		}
		if open.empty() {
			break
		}
		need = open
	}
	return sum, nil
}

func (c *comparison) eval(b *batch, need bitmap) (truth, error) {
	switch l := c.left.(type) {
	case *path:
		return c.evalPath(b, need, l)
	case *column:
		switch l.typ {
		case kindString:
			return c.evalTexts(b, need, l)
		case kindList:
			return c.evalList(b, l)
		case kindBool:
		default:
			return c.evalNumbers(b, l)
		}
	}
	v, err := c.left.values(b, need)
	if err != nil {
		return truth{}, err
	}
	return c.evalVector(b, need, v), nil
}

func (c *comparison) evalNumbers(b *batch, l *column) (truth, error) {
	arr, err := b.array(l.field)
	if err != nil {
		return truth{}, err
	}
	yes, ok := compareColumn(arr, c.execOp, c.execWith)
	if !ok {
		return truth{}, wrongType(l.field, arr)
	}
	return masked(yes, nulls(arr)), nil
}

// evalVector compares values that were computed.
func (c *comparison) evalVector(b *batch, need bitmap, v vector) truth {
	var yes bitmap
	switch v.kind {
	case kindInt:
		yes = compareAll(v.ints, c.execOp, c.execWith.i)
	case kindFloat:
		yes = compareAll(v.floats, c.execOp, c.execWith.f)
	case kindBool:
		yes = zeros(b.rows)
		for i, w := range v.bools {
			if c.execWith.b == (c.execOp == relEQ) {
				yes[i] = w
			} else {
				yes[i] = ^w
			}
		}
		yes.trim(b.rows)
	default:
		yes = zeros(b.rows)
		unknown := either(v.unknown, zeros(b.rows))
		for i := range need.rows {
			if unknown.bit(i) {
				continue
			}
			order, ok := compareScalars(v.at(i), c.execWith)
			switch {
			case !ok:
				unknown.set(i)
			case c.execOp.holds(order):
				yes.set(i)
			}
		}
		return truth{yes, unknown}
	}
	return masked(yes, v.unknown)
}

func (c *comparison) evalTexts(b *batch, need bitmap, l *column) (truth, error) {
	want := c.execWith.s
	switch c.execOp {
	case relEQ:
		return eachText(b, need, l, func(s string) bool { return s == want })
	case relNE:
		return eachText(b, need, l, func(s string) bool { return s != want })
	case relLT:
		return eachText(b, need, l, func(s string) bool { return s < want })
	case relLE:
		return eachText(b, need, l, func(s string) bool { return s <= want })
	case relGT:
		return eachText(b, need, l, func(s string) bool { return s > want })
	}
	return eachText(b, need, l, func(s string) bool { return s >= want })
}

// eachText tests the strings of a column.
func eachText(b *batch, need bitmap, l *column, test func(string) bool) (truth, error) {
	arr, err := b.text(l.field)
	if err != nil {
		return truth{}, err
	}
	yes, unknown := zeros(b.rows), nulls(arr)
	for i := range need.rows {
		if test(arr.Value(i)) {
			yes.set(i)
		}
	}
	return masked(yes, unknown), nil
}

// evalList compares whole arrays; only == and != get here.
func (c *comparison) evalList(b *batch, l *column) (truth, error) {
	list, err := b.list(l.field)
	if err != nil {
		return truth{}, err
	}
	yes, items := zeros(b.rows), list.ListValues()
	cell := newVector(kindOf(l.field.ElementType).stored(), 1)
	for i := range b.rows {
		start, end := list.ValueOffsets(i)
		same := end-start == int64(len(c.execWith.list))
		for j := start; same && j < end; j++ {
			clear(cell.bools)
			if items.IsNull(int(j)) {
				same = false
			} else if !cell.put(0, items, int(j)) {
				return truth{}, wrongType(l.field, list)
			} else {
				order, ok := compareScalars(cell.at(0), c.execWith.list[j-start])
				same = ok && order == 0
			}
		}
		if same == (c.execOp == relEQ) {
			yes.set(i)
		}
	}
	return masked(yes, nulls(list)), nil
}

func (c *comparison) evalPath(b *batch, need bitmap, p *path) (truth, error) {
	t := truth{zeros(b.rows), zeros(b.rows)}
	err := p.find(b, need, t.unknown, func(i int, v jsonValue) error {
		if c.execWith.kind == kindList {
			if v.kind != jsonArray {
				t.unknown.set(i)
				return nil
			}
			same, err := v.equals(c.execWith)
			if same == (c.execOp == relEQ) {
				t.yes.set(i)
			}
			return err
		}
		got, err := v.scalar()
		order, ok := compareScalars(got, c.execWith)
		switch {
		case !ok:
			t.unknown.set(i)
		case c.execOp.holds(order):
			t.yes.set(i)
		}
		return err
	})
	return t, err
}

// find looks the path up in the rows that are needed and calls found with each value. Where there is none, or JSON null, the
// row is added to unknown.
func (p *path) find(b *batch, need, unknown bitmap, found func(row int, v jsonValue) error) error {
	docs, err := b.text(p.field)
	if err != nil {
		return err
	}
	for i := range need.rows {
		if docs.IsNull(i) {
			unknown.set(i)
			continue
		}
		v, err := findJSON(docs.Value(i), p.steps)
		if err == nil && v.kind > jsonNull {
			err = found(i, v)
		} else {
			unknown.set(i)
		}
		if err != nil {
			return fault.Corrupt(opEval, "field %s (%d), row %d: %w", p.field.Name, p.field.ID, i, err)
		}
	}
	return nil
}

// values computes the path for arithmetic and for comparisons with other operands.
func (p *path) values(b *batch, need bitmap) (vector, error) {
	v := newVector(kindJSON, b.rows)
	v.unknown = zeros(b.rows)
	err := p.find(b, need, v.unknown, func(i int, found jsonValue) (err error) {
		if v.any[i], err = found.scalar(); v.any[i].kind == kindNull {
			v.unknown.set(i)
		}
		return err
	})
	return v, err
}

func (c *pairing) eval(b *batch, need bitmap) (truth, error) {
	l, err := c.left.values(b, need)
	if err != nil {
		return truth{}, err
	}
	r, err := c.right.values(b, need)
	if err != nil {
		return truth{}, err
	}
	yes, unknown := zeros(b.rows), either(l.unknown, r.unknown)
	if l.kind == kindInt && r.kind == kindInt {
		for i, x := range l.ints {
			if c.op.holds(compareInts(x, r.ints[i])) {
				yes.set(i)
			}
		}
		return masked(yes, unknown), nil
	}
	if l.kind == kindFloat && r.kind == kindFloat {
		for i, x := range l.floats {
			if c.op.holds(compareFloats(x, r.floats[i])) {
				yes.set(i)
			}
		}
		return masked(yes, unknown), nil
	}
	for i := range need.rows {
		if unknown != nil && unknown.bit(i) {
			continue
		}
		order, ok := compareScalars(l.at(i), r.at(i))
		switch {
		case !ok:
			unknown = markUnknown(unknown, i, b.rows)
		case c.op.holds(order):
			yes.set(i)
		}
	}
	return truth{yes, unknown}, nil
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (c *nullness) eval(b *batch, need bitmap) (truth, error) {
	var isNull bitmap
	if p, ok := c.of.(*path); ok && len(p.steps) > 0 {
		isNull = zeros(b.rows)
		if err := p.find(b, need, isNull, func(int, jsonValue) error { return nil }); err != nil {
			return truth{}, err
		}
	} else {
		arr, err := b.array(fieldOf(c.of))
		if err != nil {
			return truth{}, err
		}
		if isNull = nulls(arr); isNull == nil {
			isNull = zeros(b.rows)
		}
	}
	t := truth{yes: isNull}
	if !c.null {
		t = t.not(b.rows)
	}
	return t, nil
}

func (c *existence) eval(b *batch, need bitmap) (truth, error) {
	t := truth{yes: zeros(b.rows)}
	absent := zeros(b.rows) // not needed: what is absent does not exist
	err := c.of.find(b, need, absent, func(i int, v jsonValue) error {
		hollow, err := v.hollow()
		if !hollow {
			t.yes.set(i)
		}
		return err
	})
	return t, err
}

// fieldOf returns the field of a column or a path.
func fieldOf(o operand) milvus.Field {
	if c, ok := o.(*column); ok {
		return c.field
	}
	return o.(*path).field
}
