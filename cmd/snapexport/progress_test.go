package main

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/snapexport/snapexport/export"
)

func TestProgressFitsTheTerminal(t *testing.T) {
	start := time.Unix(1000, 0)
	a := &app{now: func() time.Time { return start.Add(5 * time.Second) }}
	var state export.Progress
	m := &meter{app: a, verb: "export", state: &state, start: start}
	state.SegmentsTotal.Store(6)
	state.RowsTotal.Store(500_000)
	for _, c := range []struct {
		read, written int64
		committing    bool
		width         int
		want          string
	}{
		{0, 0, false, 100, "export   0% ░░░░░░░░░░░░░░░░░░░░  0/6 segments  0 rows  0 rows/s"},
		{0, 125_000, false, 100, "export  25% █████░░░░░░░░░░░░░░░  0/6 segments  125,000 rows  25,000 rows/s  15s left"},
		{300_000, 280_000, false, 80, "export  60% ████████████░░░░░░░░  0/6 segments  280,000 rows  56,000 rows/s"},
		{300_000, 280_000, false, 50, "export  60% ████████████░░░░░░░░  0/6 segments"},
		{500_000, 475_000, true, 100, "export 100% ████████████████████  committing"},
	} {
		state.RowsRead.Store(c.read)
		state.RowsWritten.Store(c.written)
		state.Committing.Store(c.committing)
		got := m.drawing(c.width)
		if got != c.want || utf8.RuneCountInString(got) >= c.width {
			t.Errorf("%d columns: %q", c.width, got)
		}
	}
	m = &meter{app: a, verb: "verify", start: start}
	for _, want := range []string{"verify   0% ░░░░░░░░░░░░░░░░░░░░", "verify  25% █████░░░░░░░░░░░░░░░  reading the snapshot", "verify  75% ███████████████░░░░░  reading the table"} {
		if got := m.drawing(80); got != want {
			t.Errorf("%q", got)
		}
		m.count(int(m.done.Load())*2+250, 1000)
	}
	m = &meter{app: a, verb: "check", start: start}
	m.count(1200, 4800)
	if got := m.drawing(80); got != "check  25% █████░░░░░░░░░░░░░░░  1,200 of 4,800" {
		t.Errorf("%q", got)
	}
}
