package filter

import (
	"slices"

	"github.com/snapexport/snapexport/milvus"
)

// Values are values of a field: of Ints those of integers, times and dates (as in Range), of Texts those of texts. Ascending,
// without duplicates; one of the lists is empty.
type Values struct {
	Ints  []int64
	Texts []string
}

// Len is the number of values.
func (v Values) Len() int { return len(v.Ints) + len(v.Texts) }

// Among returns values one of which the field has in every row that matches: those of id == 1, of id in [1, 2], and of such
// conditions joined by "and" and "or". ok is false if the filter names none, or not for all rows.
func (f *Filter) Among(id milvus.FieldID) (v Values, ok bool) {
	items, ok := among(f.root, id)
	for _, item := range items {
		if item.kind.stored() == kindString {
			v.Texts = append(v.Texts, item.s)
		} else {
			v.Ints = append(v.Ints, item.i)
		}
	}
	slices.Sort(v.Ints)
	slices.Sort(v.Texts)
	v.Ints, v.Texts = slices.Compact(v.Ints), slices.Compact(v.Texts)
	return v, ok
}

func among(c condition, id milvus.FieldID) (items []scalar, ok bool) {
	switch c := c.(type) {
	case *always:
		return nil, !c.value
	case *comparison:
		kind, ok := namedKind(c.left, id)
		switch {
		case !ok:
		case c.execOp == relNever:
			return nil, true
		case c.execOp == relEQ && c.execWith.kind.stored() == kind:
			return []scalar{c.execWith}, true
		}
	case *membership:
		kind, ok := namedKind(c.left, id)
		if !ok {
			return nil, false
		}
		for _, item := range c.set.items {
			if item.kind.stored() == kind { // 1.5 is no integer's value
				items = append(items, item)
			}
		}
		return items, true
	case *logic:
		return c.among(id)
	}
	return nil, false
}

// among of "and" is the shortest list of a term; "or" needs one of every term.
func (c *logic) among(id milvus.FieldID) (items []scalar, ok bool) {
	for _, t := range c.terms {
		some, named := among(t, id)
		switch {
		case c.or && !named:
			return nil, false
		case c.or:
			items, ok = append(items, some...), true
		case named && (!ok || len(some) < len(items)):
			items, ok = some, true
		}
	}
	return items, ok
}

// namedKind is the kind of the field's values as they are stored, if the operand is the field and its values can be named.
func namedKind(o operand, id milvus.FieldID) (kind, bool) {
	c, isColumn := o.(*column)
	if !isColumn || c.field.ID != id {
		return kindNull, false
	}
	k := c.typ.stored()
	return k, k == kindInt || k == kindString
}
