//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/snapshot"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// exporter makes the own tables of the server's snapshots, one after the other, while the server runs.
type exporter struct {
	app    *app
	meta   *metastore.Store
	files  objstore.Store
	bucket objstore.Location
	place  string // the bucket as describe_snapshot says it
	root   string
	log    *slog.Logger
	ended  *prometheus.CounterVec

	wake chan struct{}

	mu    sync.Mutex
	queue []waiting
	now   *running
}

// waiting is a snapshot whose table is still to be made.
type waiting struct {
	info  *pb.SnapshotInfo
	tries int       // that failed
	due   time.Time // not before
}

// Pauses after an export that failed: the first one, doubled with each further failure, up to the longest.
const (
	firstPause   = 10 * time.Second
	longestPause = 30 * time.Minute
)

func pauseAfter(tries int) time.Duration {
	return min(firstPause<<min(tries-1, 10), longestPause)
}

// running is the export under way.
type running struct {
	waiting
	cancel context.CancelFunc
	ended  chan struct{}
}

func newExporter(a *app, s *serveSettings, c *core) *exporter {
	return &exporter{
		app: a, meta: c.meta, files: c.files, bucket: c.bucket, place: c.place(), root: s.root, log: s.log, wake: make(chan struct{}, 1),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "snapexport_exports_total", Help: "Exports of snapshots to their own tables by result: made, found, failed or dropped."}, []string{"result"}),
	}
}

func (e *exporter) metrics() []prometheus.Collector {
	gauge := func(name, help string, counts func(waiting) bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			e.mu.Lock()
			defer e.mu.Unlock()
			n := 0
			for _, w := range e.queue {
				if counts(w) {
					n++
				}
			}
			if e.now != nil && counts(e.now.waiting) {
				n++
			}
			return float64(n)
		})
	}
	return []prometheus.Collector{
		e.ended,
		gauge("snapexport_exports_waiting", "Snapshots whose table is still to be made.", func(waiting) bool { return true }),
		gauge("snapexport_exports_failing", "Those of them whose last export failed; it is tried again.", func(w waiting) bool { return w.tries > 0 }),
	}
}

// Committed lines a snapshot up.
func (e *exporter) Committed(info *pb.SnapshotInfo) {
	e.add(waiting{info: info})
}

func (e *exporter) add(w waiting) {
	e.mu.Lock()
	if !slices.ContainsFunc(e.queue, func(other waiting) bool { return other.info.Id == w.info.Id }) {
		e.queue = append(e.queue, w)
	}
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default: // it will look anyhow
	}
}

// Leaving ends the snapshot's export and waits until nothing more is written.
func (e *exporter) Leaving(ctx context.Context, info *pb.SnapshotInfo) {
	e.mu.Lock()
	e.queue = slices.DeleteFunc(e.queue, func(other waiting) bool { return other.info.Id == info.Id })
	now := e.now
	e.mu.Unlock()
	if now == nil || now.info.Id != info.Id {
		return
	}
	now.cancel()
	select {
	case <-now.ended:
	case <-ctx.Done():
	}
}

// run works until ctx ends. It begins with snapshots of before that have no table yet.
func (e *exporter) run(ctx context.Context) error {
	for _, info := range e.meta.AllSnapshots() {
		if info.State == pb.SnapshotState_SnapshotStateCommitted && !e.hasTable(ctx, info) {
			e.Committed(info)
		}
	}
	for ctx.Err() == nil {
		w, each, pause := e.next(ctx)
		if each != nil {
			e.export(each, w)
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-e.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err()
}

func (e *exporter) prefix(info *pb.SnapshotInfo) string {
	return snapshot.TablePrefix(e.root, milvus.CollectionID(info.CollectionId), milvus.SnapshotID(info.Id))
}

// hasTable is false where it can't be known: the export finds out.
func (e *exporter) hasTable(ctx context.Context, info *pb.SnapshotInfo) bool {
	for _, err := range e.files.List(ctx, e.prefix(info)+"metadata/") {
		return err == nil
	}
	return false
}

// isThere is asked after e.now is set: a snapshot that goes from then on waits for it in Leaving.
func (e *exporter) isThere(info *pb.SnapshotInfo) bool {
	return slices.ContainsFunc(e.meta.Snapshots(milvus.CollectionID(info.CollectionId)), func(now *pb.SnapshotInfo) bool {
		return now.Id == info.Id && now.State == pb.SnapshotState_SnapshotStateCommitted
	})
}

// next takes the first snapshot that is due off the queue; without one, the context is nil, and pause is how long to wait for one.
func (e *exporter) next(ctx context.Context) (w waiting, each context.Context, pause time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	pause = longestPause
	now := e.app.now()
	for i, w := range e.queue {
		if left := w.due.Sub(now); left > 0 {
			pause = min(pause, left)
			continue
		}
		e.queue = slices.Delete(e.queue, i, i+1)
		each, cancel := context.WithCancel(ctx)
		e.now = &running{waiting: w, cancel: cancel, ended: make(chan struct{})}
		return w, each, 0
	}
	return w, nil, pause
}

func (e *exporter) export(ctx context.Context, w waiting) {
	result, err := e.make(ctx, w.info)
	failed := err != nil && !errors.Is(err, context.Canceled)
	e.mu.Lock()
	e.now.cancel()
	close(e.now.ended)
	e.now = nil
	if failed {
		w.tries++
		w.due = e.app.now().Add(pauseAfter(w.tries))
		e.queue = append(e.queue, w)
	}
	e.mu.Unlock()
	log := e.log.With("snapshot", w.info.Name, "collection", w.info.CollectionId)
	switch {
	case failed:
		e.ended.WithLabelValues("failed").Inc()
		log.Error("export failed; it is tried again", "in", pauseAfter(w.tries), "tries", w.tries, "error", err)
	case err != nil:
		e.ended.WithLabelValues("dropped").Inc()
		log.Info("export ended before it was done")
	case result.AlreadyExported:
		e.ended.WithLabelValues("found").Inc()
	default:
		e.ended.WithLabelValues("made").Inc()
		log.Info("exported", "table", result.Table, "rows", result.RowsWritten, "content_hash", result.ContentHash, "seconds", result.Seconds)
	}
}

// make exports as 'snapexport export' without --to does with its defaults.
func (e *exporter) make(ctx context.Context, info *pb.SnapshotInfo) (_ *export.Result, err error) {
	defer func() {
		if r := recover(); r != nil { // the server goes on
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if !e.isThere(info) {
		return nil, context.Canceled
	}
	a, start := e.app, e.app.now()
	dopts, err := a.describeOptions()
	if err != nil {
		return nil, err
	}
	snap, err := describe.Resolve(ctx, e.bucket.Join(info.S3Location).String(), dopts)
	if err != nil {
		return nil, err
	}
	var rows rowFlags
	rows.register(&cobra.Command{}) // defaults
	ropts, err := rows.options(a, snap)
	if err != nil {
		return nil, err
	}
	ropts.Budget = reader.NewBudget(a.budget.Total()) // an export keeps what it has reserved
	scan, err := reader.Open(snap, ropts)
	if err != nil {
		return nil, err
	}
	opts := export.Options{
		Target: describe.TableTarget(path.Join(e.place, e.prefix(info)), ""), OwnTable: true,
		Workers: max(1, runtime.NumCPU()/2), RunID: runID(), Version: version,
	}
	plan, err := export.NewPlan(scan, ropts, opts)
	if err != nil {
		return nil, err
	}
	result, err := export.Run(ctx, scan, plan, opts, a.opener, ropts.Budget, &export.Progress{})
	if err == nil {
		result.Seconds = a.now().Sub(start).Seconds()
	}
	return result, err
}
