package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/snapexport/snapexport/export"
)

// meter shows the progress of one long piece of work on standard error: a bar on a terminal, JSON lines elsewhere.
type meter struct {
	app   *app
	verb  string
	state *export.Progress // nil: done and total are used
	done  atomic.Int64
	total atomic.Int64
	start time.Time

	quit chan struct{}
	wait sync.WaitGroup
}

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 2 * time.Second
)

// startProgress begins to show. stop ends it.
func (a *app) startProgress(verb string, state *export.Progress) *meter {
	m := &meter{app: a, verb: verb, state: state, start: a.now(), quit: make(chan struct{})}
	mode := a.progress
	if mode == "auto" {
		mode = "json"
		if f, ok := a.errs.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			mode = "bar"
		}
	}
	switch mode {
	case "bar":
		m.wait.Go(m.bar)
	case "json":
		m.wait.Go(m.lines)
	}
	return m
}

// count is a callback for work that counts to a total.
func (m *meter) count(done, total int) {
	m.done.Store(int64(done))
	m.total.Store(int64(total))
}

func (m *meter) stop() {
	close(m.quit)
	m.wait.Wait()
}

// bar draws one line over and over, and leaves none behind.
func (m *meter) bar() {
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	defer fmt.Fprint(m.app.errs, "\r\x1b[K")
	for {
		select {
		case <-m.quit:
			return
		case <-tick.C:
			fmt.Fprint(m.app.errs, "\r", m.drawing(m.width()), "\x1b[K")
		}
	}
}

// width returns the columns of the terminal.
func (m *meter) width() int {
	if f, ok := m.app.errs.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// drawing is the bar as text: what comes first is what matters most, and what does not fit the width is left out.
func (m *meter) drawing(width int) string {
	const blocks = 20
	done, total := m.position()
	share := 0.0
	if total > 0 {
		share = min(float64(done)/float64(total), 1)
	}
	full := int(share * blocks)
	line := fmt.Sprintf("%s %3.0f%% %s%s", m.verb, math.Floor(share*100), strings.Repeat("█", full), strings.Repeat("░", blocks-full))
	used := len(m.verb) + 6 + blocks
	for _, part := range m.parts(done, total) {
		if used+2+len(part) >= width {
			break
		}
		line += "  " + part
		used += 2 + len(part)
	}
	return line
}

// parts are what stands behind the bar; ASCII only.
func (m *meter) parts(done, total int64) []string {
	s := m.state
	switch {
	case s == nil && total == 0:
		return nil
	case s == nil && m.verb == "verify":
		if done < total/2 {
			return []string{"reading the snapshot"}
		}
		return []string{"reading the table"}
	case s == nil:
		return []string{fmt.Sprintf("%s of %s", count(done), count(total))}
	}
	if s.Committing.Load() {
		return []string{"committing"}
	}
	if looked := s.FilesChecked.Load(); s.SegmentsDone.Load() == 0 && s.RowsWritten.Load() == 0 && looked < s.FilesTotal.Load() {
		return []string{fmt.Sprintf("looking at files, %s of %s", count(looked), count(s.FilesTotal.Load()))}
	}
	seconds := max(m.app.now().Sub(m.start).Seconds(), 0.001)
	parts := []string{fmt.Sprintf("%d/%d segments", s.SegmentsDone.Load(), s.SegmentsTotal.Load()),
		count(s.RowsWritten.Load()) + " rows", count(int64(float64(s.RowsWritten.Load())/seconds)) + " rows/s"}
	if done > 0 && seconds > 1 {
		left := time.Duration(seconds / float64(done) * float64(total-done) * float64(time.Second))
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	return parts
}

// position returns how much is done of how much. Rows count as read at the end of their segment; of the segments under way
// it is known what was written.
func (m *meter) position() (done, total int64) {
	if m.state == nil {
		return m.done.Load(), m.total.Load()
	}
	total = m.state.RowsTotal.Load()
	return min(max(m.state.RowsRead.Load(), m.state.RowsWritten.Load()), total), total
}

// lines prints an object now and then; short work prints none.
func (m *meter) lines() {
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-tick.C:
			line, _ := json.Marshal(map[string]any{"progress": m.line()}) // numbers and strings always encode
			fmt.Fprintln(m.app.errs, string(line))
		}
	}
}

func (m *meter) line() map[string]any {
	done, total := m.position()
	seconds := m.app.now().Sub(m.start).Seconds()
	line := map[string]any{"verb": m.verb, "done": done, "total": total, "seconds": tenths(seconds)}
	if done > 0 && total >= done {
		line["seconds_left"] = tenths(seconds / float64(done) * float64(total-done))
	}
	if s := m.state; s != nil {
		line["files_checked"], line["files_total"] = s.FilesChecked.Load(), s.FilesTotal.Load()
		line["segments"], line["segments_total"] = s.SegmentsDone.Load(), s.SegmentsTotal.Load()
		line["rows_written"], line["bytes_written"], line["bytes_read"] = s.RowsWritten.Load(), s.BytesWritten.Load(), s.BytesRead.Load()
		line["rows_per_second"] = int64(float64(s.RowsWritten.Load()) / max(seconds, 0.001))
	}
	return line
}

func tenths(seconds float64) float64 { return math.Round(seconds*10) / 10 }
