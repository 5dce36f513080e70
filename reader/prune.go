package reader

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// prunes reports whether statistics decide about rows. With BadNull they count values that become NULL as values.
func (s *Scan) prunes() bool { return s.opts.Where != nil && s.opts.OnBad != BadNull }

// excluded reports whether statistics of the files show that the filter selects no row of the chunk.
func (s *Scan) excluded(cursors map[milvus.FieldID]*cursor) bool {
	if !s.prunes() {
		return false
	}
	return !s.opts.Where.CanMatch(func(id milvus.FieldID) (filter.Range, bool) {
		c := cursors[id]
		if c == nil || c.pages == nil {
			return filter.Range{}, false
		}
		stats, ok := c.pages.Stats()
		if !ok {
			return filter.Range{}, false
		}
		return bounds(c.field, stats, c.rows())
	})
}

// bounds joins the statistics of a file's row groups. Types without an order of their own have none.
func bounds(f milvus.Field, groups []pages.Stats, rows int64) (filter.Range, bool) {
	r := filter.Range{Rows: rows}
	for _, g := range groups {
		lo, okLo := bound(f.Type, g.Min)
		hi, okHi := bound(f.Type, g.Max)
		if !okLo || !okHi {
			return filter.Range{}, false
		}
		if r.Min == nil || less(lo, r.Min) {
			r.Min = lo
		}
		if r.Max == nil || less(r.Max, hi) {
			r.Max = hi
		}
		if g.NullCount < 0 {
			r.Nulls = -1
		} else if r.Nulls >= 0 {
			r.Nulls += g.NullCount
		}
	}
	return r, len(groups) > 0
}

// bound decodes one plain-encoded bound. NaN bounds nothing.
func bound(t milvus.DataType, b []byte) (any, bool) {
	switch t {
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeDate:
		if len(b) == 4 {
			return int64(int32(binary.LittleEndian.Uint32(b))), true
		}
	case milvus.TypeInt64, milvus.TypeTimestamptz, milvus.TypeTime:
		if len(b) == 8 {
			return int64(binary.LittleEndian.Uint64(b)), true
		}
	case milvus.TypeFloat:
		if len(b) == 4 {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
			return v, !math.IsNaN(v)
		}
	case milvus.TypeDouble:
		if len(b) == 8 {
			v := math.Float64frombits(binary.LittleEndian.Uint64(b))
			return v, !math.IsNaN(v)
		}
	case milvus.TypeVarChar, milvus.TypeString:
		return string(b), true
	}
	return nil, false
}

func less(a, b any) bool {
	switch a := a.(type) {
	case int64:
		return a < b.(int64)
	case float64:
		return a < b.(float64)
	}
	return bytes.Compare([]byte(a.(string)), []byte(b.(string))) < 0
}
