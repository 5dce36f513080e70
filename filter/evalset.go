package filter

import (
	"github.com/apache/arrow-go/v18/arrow/array"
)

func (c *membership) eval(b *batch, need bitmap) (truth, error) {
	switch l := c.left.(type) {
	case *path:
		return c.evalPath(b, need, l)
	case *column:
		if l.typ == kindString {
			return eachText(b, need, l, func(s string) bool {
				_, ok := c.set.texts[s]
				return ok
			})
		}
		arr, err := b.array(l.field)
		if err != nil {
			return truth{}, err
		}
		switch a := arr.(type) {
		case *array.Int64:
			if l.typ.stored() == kindInt {
				return masked(findAll(&c.set.ints, a.Int64Values()), nulls(arr)), nil
			}
		case *array.Int32:
			if l.typ == kindInt {
				return masked(findAll(&c.set.ints, a.Int32Values()), nulls(arr)), nil
			}
		}
	}
	v, err := c.left.values(b, need)
	if err != nil {
		return truth{}, err
	}
	return c.evalVector(b, need, v), nil
}

func (c *membership) evalVector(b *batch, need bitmap, v vector) truth {
	if v.kind == kindInt {
		return masked(findAll(&c.set.ints, v.ints), v.unknown)
	}
	t := truth{zeros(b.rows), either(v.unknown, nil)}
	for i := range need.rows {
		if t.unknown != nil && t.unknown.bit(i) {
			continue
		}
		got := v.at(i).canonical()
		switch {
		case c.set.find(got) >= 0:
			t.yes.set(i)
		case v.kind == kindJSON && !c.set.comparable(got):
			t.unknown = markUnknown(t.unknown, i, b.rows)
		}
	}
	return t
}

func (c *membership) evalPath(b *batch, need bitmap, p *path) (truth, error) {
	t := truth{zeros(b.rows), zeros(b.rows)}
	err := p.find(b, need, t.unknown, func(i int, v jsonValue) error {
		if v.kind >= jsonArray {
			id, err := c.set.findJSON(v)
			switch {
			case id >= 0:
				t.yes.set(i)
			case v.kind == jsonObject && len(c.set.items) > 0, v.kind == jsonArray && len(c.set.lists) == 0 && len(c.set.items) > 0:
				t.unknown.set(i)
			}
			return err
		}
		got, err := v.scalar()
		got = got.canonical()
		switch {
		case c.set.find(got) >= 0:
			t.yes.set(i)
		case !c.set.comparable(got):
			t.unknown.set(i)
		}
		return err
	})
	return t, err
}

// findJSON returns the index of the item that the value equals, or -1.
func (s *valueSet) findJSON(v jsonValue) (int, error) {
	if v.kind != jsonArray {
		got, err := v.scalar()
		return s.find(got.canonical()), err
	}
	for _, id := range s.lists {
		if same, err := v.equals(s.items[id]); err != nil || same {
			return id, err
		}
	}
	return -1, nil
}

func (c *likeness) eval(b *batch, need bitmap) (truth, error) {
	switch l := c.left.(type) {
	case *column:
		return eachText(b, need, l, c.match.test())
	case *path:
		t, test := truth{zeros(b.rows), zeros(b.rows)}, c.match.test()
		err := l.find(b, need, t.unknown, func(i int, v jsonValue) error {
			if v.kind != jsonString {
				t.unknown.set(i)
				return nil
			}
			text, err := v.text()
			if test(text) {
				t.yes.set(i)
			}
			return err
		})
		return t, err
	}
	v, err := c.left.values(b, need)
	if err != nil {
		return truth{}, err
	}
	yes := zeros(b.rows)
	for i, s := range v.texts {
		if c.match.matches(s) {
			yes.set(i)
		}
	}
	return masked(yes, v.unknown), nil
}

// tally counts the different items of a set that were met in one row.
type tally struct {
	mode containMode
	set  *valueSet
	met  bitmap
	left int
}

func newTally(mode containMode, set *valueSet) *tally {
	return &tally{mode: mode, set: set, met: zeros(len(set.items))}
}

func (t *tally) reset() {
	clear(t.met)
	t.left = len(t.set.items)
	if t.mode != containsAll {
		t.left = min(t.left, 1)
	}
}

// add notes an item; it returns false when no further element can change the result.
func (t *tally) add(id int) bool {
	if id >= 0 && !t.met.bit(id) {
		t.met.set(id)
		t.left--
	}
	return t.left > 0
}

// holds is the result: every item was met, or any.
func (t *tally) holds() bool {
	return t.left <= 0 && (t.mode == containsAll || len(t.set.items) > 0)
}

func (c *containment) eval(b *batch, need bitmap) (truth, error) {
	tally := newTally(c.mode, c.set)
	if p, ok := c.of.(*path); ok {
		return c.evalPath(b, need, p, tally)
	}
	field := c.of.(*column).field
	list, err := b.list(field)
	if err != nil {
		return truth{}, err
	}
	yes, items := zeros(b.rows), list.ListValues()
	if ints, ok := items.(*array.Int64); ok && c.mode != containsAll && items.NullN() == 0 {
		return masked(c.anyInt(list, ints.Int64Values(), need), nulls(list)), nil
	}
	cell := newVector(kindOf(field.ElementType).stored(), 1)
	for i := range need.rows {
		tally.reset()
		start, end := list.ValueOffsets(i)
		for j := start; j < end; j++ {
			if items.IsNull(int(j)) {
				continue
			}
			clear(cell.bools)
			if !cell.put(0, items, int(j)) {
				return truth{}, wrongType(field, list)
			}
			if !tally.add(c.set.find(cell.at(0).canonical())) {
				break
			}
		}
		if tally.holds() {
			yes.set(i)
		}
	}
	return masked(yes, nulls(list)), nil
}

// anyInt is the common case: one of some integers in lists of integers.
func (c *containment) anyInt(list *array.List, items []int64, need bitmap) bitmap {
	yes := zeros(list.Len())
	for i := range need.rows {
		start, end := list.ValueOffsets(i)
		for _, v := range items[start:end] {
			if c.set.ints.has(v) {
				yes.set(i)
				break
			}
		}
	}
	return yes
}

func (c *containment) evalPath(b *batch, need bitmap, p *path, tally *tally) (truth, error) {
	t := truth{zeros(b.rows), zeros(b.rows)}
	err := p.find(b, need, t.unknown, func(i int, v jsonValue) error {
		if v.kind != jsonArray {
			t.unknown.set(i)
			return nil
		}
		tally.reset()
		err := v.each(func(element jsonValue) (bool, error) {
			id, err := c.set.findJSON(element)
			return tally.add(id), err
		})
		if tally.holds() {
			t.yes.set(i)
		}
		return err
	})
	return t, err
}
