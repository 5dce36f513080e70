package datafile

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/snapexport/snapexport/fault"
)

// nested is a top-level column of any type. Its levels are found by going down the arrays, one level of all rows at a time.
type nested struct {
	field  arrow.Field
	leaves []part
}

// part is a leaf of a nested column: a pager, or inner vectors.
type part interface {
	buffered() int64
	end() error
	begin()
	chunks() []*chunk
}

func (c *nested) write(a arrow.Array) error {
	n := a.Len()
	e := entries{rep: make([]uint8, n), def: make([]uint8, n), at: make([]int32, n)}
	for i := range e.at {
		e.at[i] = int32(i)
	}
	next := 0
	return c.descend(c.field, a, e, 0, &next)
}

// entries are what a leaf has levels for: its values, and the NULLs and empty lists above them.
type entries struct {
	rep, def []uint8
	at       []int32 // place in the array that was reached; -1 if the entry ended above
}

func (e entries) clone() entries {
	return entries{slices.Clone(e.rep), slices.Clone(e.def), slices.Clone(e.at)}
}

// descend takes the entries through an array and what is in it. They are its own. next is the leaf that comes next.
func (c *nested) descend(f arrow.Field, a arrow.Array, e entries, depth uint8, next *int) error {
	whole := a
	if v, is := a.(*extensions.VariantArray); is {
		whole = v.Storage() // the variant itself takes JSON's null for NULL
	}
	if err := e.pass(f, whole); err != nil {
		return err
	}
	switch v := a.(type) {
	case *array.FixedSizeList:
		if p, ok := c.leaves[*next].(*inner); ok {
			*next++
			return p.write(v, e, depth+1)
		}
		return c.descend(v.DataType().(*arrow.FixedSizeListType).ElemField(), v.ListValues(), e.expand(fixedRanges(v), depth+1), depth+1, next)
	case *array.Map: // before List, which it embeds
		t := v.DataType().(*arrow.MapType)
		pairs := v.ListValues().(*array.Struct)
		return c.members(pairs, []arrow.Field{t.KeyField(), t.ItemField()}, e.expand(offsetRanges(v.Offsets()[v.Data().Offset():]), depth+1), depth+1, next)
	case *array.List:
		return c.descend(v.DataType().(*arrow.ListType).ElemField(), v.ListValues(), e.expand(offsetRanges(v.Offsets()[v.Data().Offset():]), depth+1), depth+1, next)
	case *array.Struct:
		return c.members(v, v.DataType().(*arrow.StructType).Fields(), e, depth, next)
	case *extensions.VariantArray:
		return c.members(v.Storage().(*array.Struct), variantParts, e, depth, next)
	}
	p := c.leaves[*next].(*pager)
	*next++
	return p.write(a, e)
}

// variantParts are the members of a variant that is not shredded.
var variantParts = []arrow.Field{{Name: "metadata"}, {Name: "value"}}

func (c *nested) members(v *array.Struct, fields []arrow.Field, e entries, depth uint8, next *int) error {
	for i, m := range fields {
		if err := c.descend(m, v.Field(i), e.clone(), depth, next); err != nil {
			return err
		}
	}
	return nil
}

// pass ends the entries that are NULL in the array, and takes the others a definition level down if the field is optional.
func (e entries) pass(f arrow.Field, a arrow.Array) error {
	some, deeper := a.NullN() > 0, uint8(0)
	if f.Nullable {
		deeper = 1
	}
	for i, at := range e.at {
		switch {
		case at < 0:
		case !some || a.IsValid(int(at)):
			e.def[i] += deeper
		case !f.Nullable:
			return fault.Corrupt(opWrite, "NULL in the required field %q", f.Name)
		default:
			e.at[i] = -1
		}
	}
	return nil
}

// ranges gives the child range of a row.
type ranges func(row int) (from, to int)

func fixedRanges(a *array.FixedSizeList) ranges {
	n, off := int(a.DataType().(*arrow.FixedSizeListType).Len()), a.Data().Offset()
	return func(row int) (int, int) { return (off + row) * n, (off + row + 1) * n }
}

func offsetRanges(offsets []int32) ranges {
	return func(row int) (int, int) { return int(offsets[row]), int(offsets[row+1]) }
}

// expand gives the entries of the lists' elements. Empty lists end.
func (e entries) expand(at ranges, depth uint8) entries {
	var out entries
	for i, row := range e.at {
		from, to := 0, 0
		if row >= 0 {
			from, to = at(int(row))
		}
		if from == to {
			out.rep, out.def, out.at = append(out.rep, e.rep[i]), append(out.def, e.def[i]), append(out.at, -1)
			continue
		}
		rep := e.rep[i]
		for k := from; k < to; k++ {
			out.rep, out.def, out.at = append(out.rep, rep), append(out.def, e.def[i]+1), append(out.at, int32(k))
			rep = depth
		}
	}
	return out
}

// write appends entries, whose places are in a.
func (p *pager) write(a arrow.Array, e entries) error {
	v := viewOf(a)
	for i := 0; i < len(e.rep); {
		end := i + 1
		for end < len(e.rep) && e.rep[end] != 0 {
			end++
		}
		if p.full() {
			if err := p.flush(); err != nil {
				return err
			}
		}
		p.rep, p.def = append(p.rep, e.rep[i:end]...), append(p.def, e.def[i:end]...)
		p.entries += end - i
		p.pageRows++
		p.places(v, e.at[i:end])
		i = end
	}
	return nil
}

// places appends the values at the places of a row.
func (p *pager) places(v view, at []int32) {
	for i := 0; i < len(at); {
		if at[i] < 0 {
			p.nulls++
			i++
			continue
		}
		end := i + 1
		for end < len(at) && at[end] == at[end-1]+1 && at[end] >= 0 {
			end++
		}
		p.body.add(v, int(at[i]), int(at[end-1])+1)
		i = end
	}
}

func (c *nested) buffered() int64 {
	n := int64(0)
	for _, p := range c.leaves {
		n += p.buffered()
	}
	return n
}

func (c *nested) end() error {
	for _, p := range c.leaves {
		if err := p.end(); err != nil {
			return err
		}
	}
	return nil
}

func (c *nested) begin() {
	for _, p := range c.leaves {
		p.begin()
	}
}

func (c *nested) chunks() []*chunk {
	var out []*chunk
	for _, p := range c.leaves {
		out = append(out, p.chunks()...)
	}
	return out
}
