package datafile

import (
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go/format"
)

// inner is a leaf of vectors below structs and lists. As in [vector], elements are copied; levels are made for each vector.
type inner struct {
	chunk
	pageBytes int
	width     int // bytes of a vector

	rep, def []byte // levels, encoded
	level    uint8  // definition level of the run at the page's end
	run      int    // its length
	body     []byte
	values   int // NULLs included
	nulls    int
	rows     int
}

func newInner(c chunk, o Options) *inner {
	return &inner{chunk: c, pageBytes: int(o.PageBytes), width: c.leaf.vectorBytes()}
}

// write appends entries whose places are in the list. depth is the repetition level of all but a vector's first element.
func (v *inner) write(list *array.FixedSizeList, e entries, depth uint8) error {
	for i := 0; i < len(e.rep); {
		end, vectors := i, 0
		for end == i || end < len(e.rep) && e.rep[end] != 0 {
			if e.at[end] >= 0 {
				vectors++
			}
			end++
		}
		if v.rows >= maxPageRows || v.rows > 0 && len(v.body)+vectors*v.width > v.pageBytes {
			if err := v.flush(); err != nil {
				return err
			}
		}
		v.rows++
		if err := v.row(list, entries{e.rep[i:end], e.def[i:end], e.at[i:end]}, depth); err != nil {
			return err
		}
		i = end
	}
	return nil
}

// row appends the entries of a row. Neighbours are copied together.
func (v *inner) row(list *array.FixedSizeList, e entries, depth uint8) error {
	w := v.leaf.repWidth()
	for i := 0; i < len(e.at); {
		if e.at[i] < 0 {
			v.rep = appendRun(v.rep, uint32(e.rep[i]), 1, w)
			v.define(e.def[i], 1)
			v.nulls++
			i++
			continue
		}
		from := i
		for ok := true; ok; ok = i < len(e.at) && e.at[i] == e.at[i-1]+1 {
			v.rep = appendVector(v.rep, e.rep[i], depth, v.leaf.dim, w)
			i++
		}
		v.define(uint8(v.leaf.maxDef), (i-from)*v.leaf.dim)
		if err := v.copy(list, int(e.at[from]), i-from); err != nil {
			return err
		}
	}
	return nil
}

// copy appends n vectors of the list.
func (v *inner) copy(list *array.FixedSizeList, from, n int) (err error) {
	if v.body == nil {
		v.body = v.blocks.get()
	}
	from += list.Data().Offset()
	v.body, err = appendElements(v.body, v.leaf.path[0], list.ListValues(), from*v.leaf.dim, (from+n)*v.leaf.dim)
	return err
}

// define notes the definition level of n values.
func (v *inner) define(level uint8, n int) {
	if level != v.level {
		v.endRun()
		v.level = level
	}
	v.run += n
	v.values += n
}

func (v *inner) endRun() {
	if v.run > 0 {
		v.def = appendRun(v.def, uint32(v.level), v.run, v.leaf.defWidth())
	}
	v.run = 0
}

// flush ends the page, if it has rows.
func (v *inner) flush() error {
	if v.rows == 0 {
		return nil
	}
	v.endRun()
	d := draft{rep: v.rep, def: v.def, body: v.body, own: true, values: v.values, nulls: v.nulls, rows: v.rows, encoding: format.Plain, observed: uncounted{}}
	if err := v.finish(d); err != nil {
		return err
	}
	v.rep, v.def, v.body, v.values, v.nulls, v.rows = v.rep[:0], v.def[:0], nil, 0, 0, 0
	return nil
}

func (v *inner) buffered() int64  { return v.writeBytes + int64(len(v.body)+len(v.rep)+len(v.def)) }
func (v *inner) end() error       { return v.flush() }
func (v *inner) begin()           {}
func (v *inner) chunks() []*chunk { return []*chunk{&v.chunk} }
