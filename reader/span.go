package reader

import (
	"slices"

	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// span is a range of rows [first, end). Lists of spans ascend and have no empty one.
type span struct{ first, end int64 }

// rowsIn returns the number of rows in the spans.
func rowsIn(spans []span) (n int64) {
	for _, s := range spans {
		n += s.end - s.first
	}
	return n
}

// within returns what of the spans lies in [first, end), moved by shift.
func within(spans []span, first, end, shift int64) (out []span) {
	for _, s := range spans {
		if s = (span{max(s.first, first), min(s.end, end)}); s.first < s.end {
			out = append(out, span{s.first + shift, s.end + shift})
		}
	}
	return out
}

// part is what is recorded of some rows of a column.
type part struct {
	span
	counted int64 // rows that stats counts NULLs of
	stats   pages.Stats
}

// wanted returns the rows of a segment that the filter may select, by the statistics of row groups.
func (s *Scan) wanted(cursors map[milvus.FieldID]*cursor, rows int64) []span {
	if !s.prunes() {
		return []span{{0, rows}}
	}
	parts := map[milvus.FieldID][]part{}
	cuts := []int64{0, rows}
	for _, id := range s.opts.Where.Fields() {
		if c, ok := cursors[id].pages.(*groupColumn); ok {
			parts[id] = c.parts()
			for _, p := range parts[id] {
				cuts = append(cuts, p.first)
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []span
	for i, first := range cuts[:len(cuts)-1] {
		known := func(id milvus.FieldID) (filter.Range, bool) { return rangeAt(cursors[id].field, parts[id], first) }
		switch end := cuts[i+1]; {
		case !s.opts.Where.CanMatch(known):
		case len(out) > 0 && out[len(out)-1].end == first:
			out[len(out)-1].end = end
		default:
			out = append(out, span{first, end})
		}
	}
	return out
}

// rangeAt returns what is known of the field in the part with the row.
func rangeAt(f milvus.Field, parts []part, row int64) (filter.Range, bool) {
	i, found := slices.BinarySearchFunc(parts, row, func(p part, row int64) int {
		switch {
		case row < p.first:
			return 1
		case row >= p.end:
			return -1
		}
		return 0
	})
	if !found {
		return filter.Range{}, false
	}
	return bounds(f, []pages.Stats{parts[i].stats}, parts[i].counted)
}
