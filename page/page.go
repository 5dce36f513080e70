package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/describe"
)

//go:embed page.html
var source string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"count": Count, "size": Size, "percent": percent, "versions": versions,
}).Parse(source))

// largest is how many segments the page lists one by one.
const largest = 50

// Write writes the page of a report that was made with its segments. check may be nil: the files were not looked for.
func Write(w io.Writer, r *describe.Report, check *describe.Integrity) error {
	segments := slices.Clone(r.Segments)
	slices.SortStableFunc(segments, func(a, b describe.ReportSegment) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	data := struct {
		*describe.Report
		Title                                string
		DeletedShare                         float64
		BySize, ByAge, ByDeletes, Kinds, Use chart
		Listed                               []describe.ReportSegment
		Check                                *describe.Integrity
	}{
		r, title(r), share(r.Totals.DeleteEntries, r.Totals.Rows),
		sizeChart(r.Segments), ageChart(r.Segments), deleteChart(r.Segments), kindChart(r.ByKind), columnChart(r.Columns),
		segments[:min(largest, len(segments))], check,
	}
	return page.Execute(w, data)
}

func title(r *describe.Report) string {
	name := r.Collection.Database + "." + r.Collection.Name
	if r.Snapshot.Name == "" {
		return fmt.Sprintf("%s (%s)", name, r.Kind)
	}
	return fmt.Sprintf("%s of %s", r.Snapshot.Name, name)
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" }

func versions(v []int64) string { return strings.Trim(fmt.Sprint(v), "[]") }

// kindName is what a reader calls a kind of files.
func kindName(k describe.FileKind) string {
	switch k {
	case describe.FileInsert:
		return "data"
	case describe.FileDelete:
		return "deletes"
	case describe.FileStats:
		return "statistics"
	case describe.FileIndex:
		return "indexes"
	}
	return "manifests"
}

// Count writes a number with separators of thousands.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Size writes bytes in binary units.
func Size(bytes int64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	v, unit := float64(bytes), 0
	for v >= 1024 && unit < 4 {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %s", v, []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit])
}
