package page

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/snapexport/snapexport/describe"
)

// chart is a bar chart, lengths in units of the SVG's view box.
type chart struct {
	Bars   []bar
	Height int // of the view box
}

// bar is one row of a chart.
type bar struct {
	Label, Value, Tip string
	Y                 int
	Length            float64 // of at most chartWidth
}

const (
	chartWidth = 420
	rowHeight  = 22
)

// draw lays rows out below each other; lengths are relative to the longest.
func draw(labels, values, tips []string, amounts []float64) chart {
	c := chart{Height: max(1, len(labels)) * rowHeight}
	longest := 0.0
	for _, a := range amounts {
		longest = max(longest, a)
	}
	for i := range labels {
		b := bar{Label: labels[i], Value: values[i], Tip: tips[i], Y: i * rowHeight}
		if longest > 0 {
			b.Length = chartWidth * amounts[i] / longest
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// bins counts segments, in order of the bins' numbers, gaps included.
func bins(segments []describe.ReportSegment, bin func(describe.ReportSegment) (int, bool), label func(int) string) chart {
	type sum struct {
		segments    int
		rows, bytes int64
	}
	found := map[int]sum{}
	for _, s := range segments {
		if i, ok := bin(s); ok {
			v := found[i]
			found[i] = sum{v.segments + 1, v.rows + s.Rows, v.bytes + s.Bytes}
		}
	}
	if len(found) == 0 {
		return chart{}
	}
	keys := slices.Sorted(maps.Keys(found))
	var labels, values, tips []string
	var amounts []float64
	for i := keys[0]; i <= keys[len(keys)-1]; i++ {
		v := found[i]
		labels, values = append(labels, label(i)), append(values, Count(int64(v.segments)))
		tips = append(tips, fmt.Sprintf("%s: %s segments, %s rows, %s", label(i), Count(int64(v.segments)), Count(v.rows), Size(v.bytes)))
		amounts = append(amounts, float64(v.segments))
	}
	return draw(labels, values, tips, amounts)
}

// sizeChart has a bar for each power of four, from 64 KiB on.
func sizeChart(segments []describe.ReportSegment) chart {
	const first = 16 // 2^16 bytes
	return bins(segments, func(s describe.ReportSegment) (int, bool) {
		return max(0, bits.Len64(uint64(max(0, s.Bytes)>>first))+1) / 2, true
	},
		func(i int) string {
			if i == 0 {
				return "below " + Size(1<<first)
			}
			return fmt.Sprintf("%s to %s", Size(1<<(first+2*i-2)), Size(1<<(first+2*i)))
		})
}

// ageSteps are the widths that a bar of ageChart may have.
var ageSteps = []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 364 * 24 * time.Hour}

// ageBars is how many bars ageChart has at most.
const ageBars = 16

// ageChart has a bar for each span of time, by the newest row of each segment.
func ageChart(segments []describe.ReportSegment) chart {
	var oldest, newest time.Time
	for _, s := range segments {
		if t := s.Newest; !t.IsZero() {
			if oldest.IsZero() || t.Before(oldest) {
				oldest = t
			}
			if t.After(newest) {
				newest = t
			}
		}
	}
	step := ageSteps[len(ageSteps)-1]
	for _, s := range slices.Backward(ageSteps) {
		if newest.Sub(oldest)/s < ageBars-1 {
			step = s
		}
	}
	layout := "2006-01-02 15:04:05"
	switch {
	case step >= 24*time.Hour:
		layout = time.DateOnly
	case step >= time.Minute:
		layout = "2006-01-02 15:04"
	}
	begin := oldest.Truncate(step)
	return bins(segments, func(s describe.ReportSegment) (int, bool) { return int(s.Newest.Sub(begin) / step), !s.Newest.IsZero() },
		func(i int) string { return begin.Add(time.Duration(i) * step).Format(layout) })
}

// deleteChart has a bar for each tenth of deleted rows, as the segments' own delete entries tell; L0 segments have no rows.
func deleteChart(segments []describe.ReportSegment) chart {
	return bins(segments, func(s describe.ReportSegment) (int, bool) {
		switch {
		case s.Rows == 0:
			return 0, false
		case s.DeleteEntries == 0:
			return 0, true
		}
		return 1 + min(9, int(10*share(s.DeleteEntries, s.Rows))), true
	}, func(i int) string {
		if i == 0 {
			return "none"
		}
		return fmt.Sprintf("%d to %d %%", 10*(i-1), 10*i)
	})
}

func kindChart(kinds map[describe.FileKind]describe.KindSize) chart {
	order := slices.SortedFunc(maps.Keys(kinds), func(a, b describe.FileKind) int {
		return cmp.Or(cmp.Compare(kinds[b].Bytes, kinds[a].Bytes), strings.Compare(string(a), string(b)))
	})
	var labels, values, tips []string
	var amounts []float64
	for _, k := range order {
		v := kinds[k]
		labels, values = append(labels, kindName(k)), append(values, Size(v.Bytes))
		tips = append(tips, fmt.Sprintf("%s: %s files, %s", kindName(k), Count(v.Files), Size(v.Bytes)))
		amounts = append(amounts, float64(v.Bytes))
	}
	return draw(labels, values, tips, amounts)
}

// columnChart shows what each column adds to what an export reads.
func columnChart(columns []describe.ColumnCost) chart {
	var labels, values, tips []string
	var amounts []float64
	for _, c := range columns {
		labels, values = append(labels, c.Name), append(values, Size(c.Bytes))
		tips = append(tips, fmt.Sprintf("%s: %s files, %s", c.Name, Count(c.Files), Size(c.Bytes)))
		amounts = append(amounts, float64(c.Bytes))
	}
	return draw(labels, values, tips, amounts)
}
