package datafile

import (
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// footerLength is how many code points of a string, or bytes of a binary, the bounds in a Parquet file keep.
const footerLength = 64

// indexes are the page indexes of a chunk. Every chunk has an offset index; a column index only where every page has bounds.
type indexes struct {
	column *format.ColumnIndex
	offset format.OffsetIndex
}

// statistics are those of the chunk; not set for leaves that have none.
func (c *chunk) statistics() thrift.Null[statistics] {
	if !c.leaf.bounded() {
		return thrift.Null[statistics]{}
	}
	var f FieldStats
	c.summary.finish(&f, footerLength)
	s := statistics{Nulls: thrift.New(f.Nulls)}
	if f.NaNs <= 0 && f.Lower != nil && f.Upper != nil { // some engines hold NaN to be above every number, and no bound says so
		s.Min, s.Max = f.Lower, f.Upper
		low, high := true, true
		if t, ok := c.summary.(*textBounds); ok {
			low, high = len(t.min) == len(f.Lower), string(f.Upper) == t.max
		}
		s.MinExact, s.MaxExact = thrift.New(low), thrift.New(high)
	}
	return thrift.New(s)
}

// index gives the page indexes of a chunk whose first data page is at offset at.
func (c *chunk) index(at int64) indexes {
	var out indexes
	for _, p := range c.pages {
		out.offset.PageLocations = append(out.offset.PageLocations, format.PageLocation{Offset: at, CompressedPageSize: int32(p.size()), FirstRowIndex: p.row})
		at += p.size()
	}
	out.column = c.columnIndex()
	return out
}

func (c *chunk) columnIndex() *format.ColumnIndex {
	if !c.leaf.bounded() {
		return nil
	}
	x := &format.ColumnIndex{}
	for _, p := range c.pages {
		var f FieldStats
		p.observed.finish(&f, footerLength)
		empty := f.Nulls == f.Values
		if !empty && (f.NaNs > 0 || f.Lower == nil || f.Upper == nil) {
			return nil
		}
		if empty {
			f.Lower, f.Upper = []byte{}, []byte{}
		}
		x.NullPages, x.NullCounts = append(x.NullPages, empty), append(x.NullCounts, f.Nulls)
		x.MinValues, x.MaxValues = append(x.MinValues, f.Lower), append(x.MaxValues, f.Upper)
	}
	x.BoundaryOrder = boundaryOrder(c.pages)
	return x
}

// boundaryOrder says whether both bounds of the pages that have any only grow, or only fall.
func boundaryOrder(pages []page) format.BoundaryOrder {
	ascending, descending := true, true
	var last summary
	for _, p := range pages {
		if !p.observed.any() {
			continue
		}
		if last != nil {
			low, high := p.observed.compare(last)
			ascending = ascending && low >= 0 && high >= 0
			descending = descending && low <= 0 && high <= 0
		}
		last = p.observed
	}
	switch {
	case ascending:
		return format.Ascending
	case descending:
		return format.Descending
	}
	return format.Unordered
}
