package verify

import (
	"fmt"
	"slices"
)

// Side is what one side holds. A table with variants has no content hash: its JSON text is gone.
type Side struct {
	Rows      int64  `json:"rows"`
	Hash      string `json:"content_hash,omitempty"`
	ValueHash string `json:"value_hash,omitempty"` // instead, where there are variants: JSON counts by its value
}

// Report is the verdict. The two sides are equal iff Differences is empty.
type Report struct {
	Table             string    `json:"table"`
	IcebergSnapshotID int64     `json:"iceberg_snapshot_id,omitempty"`
	Tag               string    `json:"tag,omitempty"`
	Sample            *Sample   `json:"sample,omitempty"` // set: Snapshot, Found and Columns are about these files
	Snapshot          Side      `json:"snapshot"`
	Found             Side      `json:"found"`
	Recorded          string    `json:"recorded_content_hash,omitempty"` // what the export wrote into the table
	JSONByValue       []string  `json:"json_by_value,omitempty"`         // columns that are variants in the table
	Columns           []Column  `json:"columns"`
	Examples          []Example `json:"examples,omitempty"` // of keys whose rows differ, ten at most
	Differences       []string  `json:"differences"`
}

// Column compares the values of one column, which both sides have.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // Iceberg's, in the table
	Snapshot Values `json:"snapshot"`
	Found    Values `json:"found"`
	OK       bool   `json:"ok"`
}

// Values describe the values of one column on one side. Min and Max are those of numbers, texts, times and booleans, NaNs left
// out, and with [Options].Norms those of the norms of vectors; "" where there are none.
type Values struct {
	Nulls int64  `json:"nulls"`
	Min   string `json:"min,omitempty"`
	Max   string `json:"max,omitempty"`
	Dim   string `json:"dim,omitempty"` // of dense vectors; "3 to 4" if they differ
}

// Example is a primary key whose rows are not the same on both sides.
type Example struct {
	Key     string   `json:"key"`
	What    string   `json:"what"`              // onlySnapshot, onlyTable or differs
	Columns []string `json:"columns,omitempty"` // that differ
}

// What an [Example] says.
const (
	OnlySnapshot = "only in the snapshot"
	OnlyTable    = "only in the table"
	Differs      = "differs"
)

// OK reports whether the table holds exactly the snapshot's live rows, as far as they were read.
func (r *Report) OK() bool { return len(r.Differences) == 0 }

// mostDifferences bounds the list: a table may lack all of its files.
const mostDifferences = 200

func (r *Report) differ(format string, args ...any) {
	switch n := len(r.Differences); {
	case n < mostDifferences:
		r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
	case n == mostDifferences:
		r.Differences = append(r.Differences, "there are more differences")
	}
}

// judge compares the columns of both sides.
func (r *Report) judge(want, found []profile) {
	for i := range r.Columns {
		c := &r.Columns[i]
		c.Snapshot, c.Found = want[i].values(), found[i].values()
		if c.Snapshot.Nulls != c.Found.Nulls {
			c.OK = false
			r.differ("column %q: %d NULLs in the snapshot, %d in the table", c.Name, c.Snapshot.Nulls, c.Found.Nulls)
		}
		if !want[i].same(&found[i]) {
			c.OK = false
			r.differ("column %q: %s in the snapshot, %s in the table", c.Name, c.Snapshot.extent(), c.Found.extent())
		}
	}
}

// extent says from where to where values go.
func (v Values) extent() string {
	switch {
	case v.Dim != "" && v.Min != "":
		return fmt.Sprintf("dimension %s, norms from %s to %s", v.Dim, v.Min, v.Max)
	case v.Dim != "":
		return "dimension " + v.Dim
	case v.Min == "" && v.Max == "":
		return "no values"
	}
	return fmt.Sprintf("from %s to %s", v.Min, v.Max)
}

// blame marks a column whose values differ.
func (r *Report) blame(name string) {
	if i := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name }); i >= 0 {
		r.Columns[i].OK = false
	}
}
