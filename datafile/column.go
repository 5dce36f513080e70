package datafile

import "github.com/apache/arrow-go/v18/arrow"

// column is a top-level field: one chunk or, if it is nested, several in each row group.
type column interface {
	write(a arrow.Array) error
	buffered() int64  // bytes in memory of the row group
	end() error       // ends the chunks
	chunks() []*chunk // in order; ended ones are written, then begin is called
	begin()           // begins the next row group
}

// newColumns returns the columns of the schema, whose leaves are ls.
func newColumns(schema *arrow.Schema, ls []leaf, o Options) ([]column, error) {
	scalars, err := packerOf(o.Scalars, false)
	if err != nil {
		return nil, err
	}
	vectors, err := packerOf(o.Vectors, true)
	if err != nil {
		return nil, err
	}
	shared := o.Buffers
	if shared == nil {
		shared = new(Buffers)
	}
	shared.use(int(o.PageBytes))
	out := make([]column, schema.NumFields())
	for i, f := range schema.Fields() {
		n := 1
		for n < len(ls) && ls[n].top == ls[0].top {
			n++
		}
		out[i] = newColumn(f, ls[:n], scalars, vectors, shared, o)
		ls = ls[n:]
	}
	return out, nil
}

func newColumn(f arrow.Field, ls []leaf, scalars, vectors *packer, b *Buffers, o Options) column {
	chunkOf := func(l leaf) chunk {
		if l.vector {
			return newChunk(l, vectors, b)
		}
		return newChunk(l, scalars, b)
	}
	first := ls[0]
	switch {
	case len(ls) == 1 && !first.nested:
		return flat{newPager(chunkOf(first), o), f}
	case len(ls) == 1 && first.dim > 0 && f.Type.ID() == arrow.FIXED_SIZE_LIST:
		return newVector(f, chunkOf(first), o)
	}
	c := &nested{field: f, leaves: make([]part, len(ls))}
	for i, l := range ls {
		if l.dim > 0 {
			c.leaves[i] = newInner(chunkOf(l), o)
		} else {
			c.leaves[i] = newPager(chunkOf(l), o)
		}
	}
	return c
}
