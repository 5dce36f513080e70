package engine

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
)

const opGather = "gather rows"

// span is n rows of one of several arrays.
type span struct{ part, start, n int }

// appendRow adds a row to spans; rows that follow one another become one span.
func appendRow(spans []span, part, row int) []span {
	if last := len(spans) - 1; last >= 0 && spans[last].part == part && spans[last].start+spans[last].n == row {
		spans[last].n++
		return spans
	}
	return append(spans, span{part, row, 1})
}

func rowsOf(spans []span) (n int) {
	for _, s := range spans {
		n += s.n
	}
	return n
}

// gather copies the rows of the spans, in their order, into one array of the type that all parts have. ErrLimit where texts or
// elements exceed 2 GiB.
func gather(t arrow.DataType, parts []arrow.Array, spans []span) (arrow.Array, error) {
	if len(spans) == 1 && spans[0].start == 0 && spans[0].n == parts[spans[0].part].Len() {
		return parts[spans[0].part], nil
	}
	datas := make([]arrow.ArrayData, len(parts))
	for i, p := range parts {
		datas[i] = p.Data()
	}
	d, err := gatherData(t, datas, spans)
	if err != nil {
		return nil, err
	}
	return array.MakeFromData(d), nil
}

func gatherData(t arrow.DataType, parts []arrow.ArrayData, spans []span) (arrow.ArrayData, error) {
	n := rowsOf(spans)
	valid, nulls := gatherValidity(parts, spans, n)
	result := func(children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.ArrayData {
		return array.NewData(t, n, append([]*memory.Buffer{valid}, buffers...), children, nulls, 0)
	}
	switch t := t.(type) {
	case *arrow.BooleanType:
		return result(nil, gatherBits(parts, spans, n)), nil
	case *arrow.StringType, *arrow.BinaryType:
		offsets, inner, err := gatherOffsets(parts, spans, n)
		if err != nil {
			return nil, err
		}
		return result(nil, offsets, gatherText(parts, inner)), nil
	case *arrow.FixedSizeListType:
		inner := make([]span, len(spans))
		size := int(t.Len())
		for i, s := range spans {
			inner[i] = span{s.part, (parts[s.part].Offset() + s.start) * size, s.n * size}
		}
		child, err := gatherData(t.Elem(), children(parts, 0), inner)
		return result([]arrow.ArrayData{child}), err
	case *arrow.StructType:
		inner := make([]span, len(spans))
		for i, s := range spans {
			inner[i] = span{s.part, parts[s.part].Offset() + s.start, s.n}
		}
		fields := make([]arrow.ArrayData, t.NumFields())
		for i := range fields {
			var err error
			if fields[i], err = gatherData(t.Field(i).Type, children(parts, i), inner); err != nil {
				return nil, err
			}
		}
		return result(fields), nil
	case arrow.ListLikeType: // list and map
		offsets, inner, err := gatherOffsets(parts, spans, n)
		if err != nil {
			return nil, err
		}
		child, err := gatherData(t.Elem(), children(parts, 0), inner)
		return result([]arrow.ArrayData{child}, offsets), err
	case arrow.FixedWidthDataType:
		return result(nil, gatherFixed(parts, spans, n, t.Bytes())), nil
	}
	return nil, fault.Unsupported(opGather, "arrays of %v", t)
}

func children(parts []arrow.ArrayData, i int) []arrow.ArrayData {
	out := make([]arrow.ArrayData, len(parts))
	for p := range parts {
		out[p] = parts[p].Children()[i]
	}
	return out
}

func gatherValidity(parts []arrow.ArrayData, spans []span, n int) (*memory.Buffer, int) {
	none := true
	for _, p := range parts {
		none = none && (p.NullN() == 0 || p.Buffers()[0] == nil)
	}
	if none {
		return nil, 0
	}
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	at := 0
	for _, s := range spans {
		if p := parts[s.part]; p.NullN() == 0 || p.Buffers()[0] == nil {
			bitutil.SetBitsTo(bits, int64(at), int64(s.n), true)
		} else {
			bitutil.CopyBitmap(p.Buffers()[0].Bytes(), p.Offset()+s.start, s.n, bits, at)
		}
		at += s.n
	}
	nulls := n - bitutil.CountSetBits(bits, 0, n)
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(bits), nulls
}

func gatherBits(parts []arrow.ArrayData, spans []span, n int) *memory.Buffer {
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	at := 0
	for _, s := range spans {
		p := parts[s.part]
		bitutil.CopyBitmap(p.Buffers()[1].Bytes(), p.Offset()+s.start, s.n, bits, at)
		at += s.n
	}
	return memory.NewBufferBytes(bits)
}

func gatherFixed(parts []arrow.ArrayData, spans []span, n, width int) *memory.Buffer {
	out := make([]byte, 0, n*width)
	for _, s := range spans {
		if s.n > 0 {
			from := (parts[s.part].Offset() + s.start) * width
			out = append(out, parts[s.part].Buffers()[1].Bytes()[from:from+s.n*width]...)
		}
	}
	return memory.NewBufferBytes(out)
}

// gatherOffsets returns the offsets of the rows in what is gathered for them, and the spans of that in the parts.
func gatherOffsets(parts []arrow.ArrayData, spans []span, n int) (*memory.Buffer, []span, error) {
	offsets := make([]int32, 1, n+1)
	inner := make([]span, 0, len(spans))
	end := int64(0)
	for _, s := range spans {
		if s.n == 0 {
			continue
		}
		p := parts[s.part]
		at := arrow.Int32Traits.CastFromBytes(p.Buffers()[1].Bytes())[p.Offset()+s.start:][: s.n+1 : s.n+1]
		for _, o := range at[1:] {
			offsets = append(offsets, int32(end+int64(o-at[0])))
		}
		end += int64(at[s.n] - at[0])
		if end > math.MaxInt32 {
			return nil, nil, fault.Limit(opGather, "more than %d bytes or elements in one column", math.MaxInt32)
		}
		inner = append(inner, span{s.part, int(at[0]), int(at[s.n] - at[0])})
	}
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), inner, nil
}

func gatherText(parts []arrow.ArrayData, inner []span) *memory.Buffer {
	out := make([]byte, 0, rowsOf(inner))
	for _, s := range inner {
		if s.n > 0 {
			out = append(out, parts[s.part].Buffers()[2].Bytes()[s.start:s.start+s.n]...)
		}
	}
	return memory.NewBufferBytes(out)
}
