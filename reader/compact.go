package reader

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/buffer"
)

// run is a range of rows [start, end) that are all taken.
type run struct{ start, end int }

func runsOf(live []bool) []run {
	var runs []run
	for i := 0; i < len(live); {
		if !live[i] {
			i++
			continue
		}
		start := i
		for i < len(live) && live[i] {
			i++
		}
		runs = append(runs, run{start, i})
	}
	return runs
}

func length(runs []run) (n int) {
	for _, r := range runs {
		n += r.end - r.start
	}
	return n
}

// compacted is the memory of the batch at hand that was made for it.
type compacted struct {
	reuse bool
	lent  [][]byte
}

func (c *compacted) get(n int) []byte {
	b := buffer.Get(n)
	if c.reuse {
		c.lent = append(c.lent, b)
	}
	return b
}

// giveBack ends the batch.
func (c *compacted) giveBack() {
	for _, b := range c.lent {
		buffer.Put(b)
	}
	c.lent = c.lent[:0]
}

// compact returns the rows of the runs; one run shares memory with a.
func compact(a arrow.Array, runs []run) (arrow.Array, error) {
	var c compacted
	return c.compact(a, runs)
}

func (c *compacted) compact(a arrow.Array, runs []run) (arrow.Array, error) {
	if len(runs) == 1 {
		return array.NewSlice(a, int64(runs[0].start), int64(runs[0].end)), nil
	}
	if width := rowBytes(a); width > 0 {
		return c.copyRuns(a, runs, width), nil
	}
	if id := a.DataType().ID(); (id == arrow.STRING || id == arrow.BINARY) && a.NullN() == 0 {
		return c.copyTexts(a.Data(), runs), nil
	}
	slices := make([]arrow.Array, len(runs))
	for i, r := range runs {
		slices[i] = array.NewSlice(a, int64(r.start), int64(r.end))
	}
	return array.Concatenate(slices, memory.DefaultAllocator)
}

// rowBytes returns the bytes of one row where rows lie side by side in one buffer without NULLs, else 0.
func rowBytes(a arrow.Array) int {
	if a.NullN() > 0 {
		return 0
	}
	switch t := a.DataType().(type) {
	case *arrow.FixedSizeListType:
		elem, ok := t.Elem().(arrow.FixedWidthDataType)
		if child := a.Data().Children()[0]; !ok || elem.BitWidth()%8 != 0 || child.NullN() > 0 {
			return 0
		}
		return int(t.Len()) * elem.BitWidth() / 8
	case arrow.FixedWidthDataType:
		if t.BitWidth()%8 == 0 {
			return t.BitWidth() / 8
		}
	}
	return 0
}

// copyRuns copies rows of fixed width.
func (c *compacted) copyRuns(a arrow.Array, runs []run, width int) arrow.Array {
	n, data := length(runs), a.Data()
	list, isList := a.DataType().(*arrow.FixedSizeListType)
	src := data
	if isList {
		src = data.Children()[0]
	}
	first := data.Offset() * width
	if isList {
		first += src.Offset() * width / int(list.Len())
	}
	in, out := src.Buffers()[1].Bytes()[first:], c.get(n * width)[:0]
	for _, r := range runs {
		out = append(out, in[r.start*width:r.end*width]...)
	}
	values := []*memory.Buffer{nil, memory.NewBufferBytes(out)}
	if !isList {
		return array.MakeFromData(array.NewData(a.DataType(), n, values, nil, 0, 0))
	}
	child := array.NewData(list.Elem(), n*int(list.Len()), values, nil, 0, 0)
	return array.MakeFromData(array.NewData(list, n, []*memory.Buffer{nil}, []arrow.ArrayData{child}, 0, 0))
}

// copyTexts copies strings or binaries without NULLs.
func (c *compacted) copyTexts(data arrow.ArrayData, runs []run) arrow.Array {
	n := length(runs)
	from := arrow.Int32Traits.CastFromBytes(data.Buffers()[1].Bytes())[data.Offset():]
	var in []byte
	if b := data.Buffers()[2]; b != nil {
		in = b.Bytes()
	}
	size := int32(0)
	for _, r := range runs {
		size += from[r.end] - from[r.start]
	}
	space := c.get(4 * (n + 1))
	offsets, out := arrow.Int32Traits.CastFromBytes(space)[:1], c.get(int(size))[:0]
	offsets[0] = 0
	for _, r := range runs {
		shift := int32(len(out)) - from[r.start]
		for _, end := range from[r.start+1 : r.end+1] {
			offsets = append(offsets, end+shift)
		}
		out = append(out, in[from[r.start]:from[r.end]]...)
	}
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(space), memory.NewBufferBytes(out)}
	return array.MakeFromData(array.NewData(data.DataType(), n, buffers, nil, 0, 0))
}
