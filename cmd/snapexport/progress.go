package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
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

func (m *meter) bar() {
	w := progress.NewWriter()
	w.SetOutputWriter(m.app.errs)
	w.SetAutoStop(false)
	w.SetUpdateFrequency(barEvery)
	w.SetTrackerLength(30)
	w.SetStyle(progress.StyleBlocks)
	w.Style().Visibility.Value = false
	w.Style().Visibility.ETA = true
	t := &progress.Tracker{Message: m.verb}
	w.AppendTracker(t)
	go w.Render()
	defer func() {
		m.draw(t)
		if t.Total > 0 && t.Value() >= t.Total {
			t.MarkAsDone()
		}
		time.Sleep(2 * barEvery) // the writer draws on its own clock
		w.Stop()
	}()
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-tick.C:
			m.draw(t)
		}
	}
}

func (m *meter) draw(t *progress.Tracker) {
	done, total := m.position()
	t.UpdateTotal(total)
	// the tracker ends itself when it is full; the commit is still to come
	t.SetValue(min(done, max(total-1, 0)))
	if m.state == nil {
		t.UpdateMessage(fmt.Sprintf("%s %s of %s", m.verb, count(done), count(total)))
		return
	}
	s := m.state
	if s.Committing.Load() {
		t.UpdateMessage(m.verb + " committing")
		return
	}
	seconds := max(m.app.now().Sub(m.start).Seconds(), 0.001)
	t.UpdateMessage(fmt.Sprintf("%s %d/%d segments  %s rows  %s written  %s rows/s", m.verb, s.SegmentsDone.Load(), s.SegmentsTotal.Load(),
		count(s.RowsWritten.Load()), size(s.BytesWritten.Load()), count(int64(float64(s.RowsWritten.Load())/seconds))))
}

func (m *meter) position() (done, total int64) {
	if m.state == nil {
		return m.done.Load(), m.total.Load()
	}
	return m.state.RowsRead.Load(), m.state.RowsTotal.Load()
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
	line := map[string]any{"verb": m.verb, "done": done, "total": total, "seconds": seconds}
	if done > 0 && total >= done {
		line["seconds_left"] = seconds / float64(done) * float64(total-done)
	}
	if s := m.state; s != nil {
		line["segments"], line["segments_total"] = s.SegmentsDone.Load(), s.SegmentsTotal.Load()
		line["rows_written"], line["bytes_written"], line["bytes_read"] = s.RowsWritten.Load(), s.BytesWritten.Load(), s.BytesRead.Load()
		line["rows_per_second"] = int64(float64(s.RowsWritten.Load()) / max(seconds, 0.001))
	}
	return line
}
