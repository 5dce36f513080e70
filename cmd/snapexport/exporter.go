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
	queue []*pb.SnapshotInfo
	now   *running
}

// running is the export under way.
type running struct {
	id     int64
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
	return []prometheus.Collector{e.ended, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "snapexport_exports_waiting", Help: "Snapshots whose table is still to be made."}, func() float64 {
		e.mu.Lock()
		defer e.mu.Unlock()
		waiting := len(e.queue)
		if e.now != nil {
			waiting++
		}
		return float64(waiting)
	})}
}

// Committed lines a snapshot up.
func (e *exporter) Committed(info *pb.SnapshotInfo) {
	e.mu.Lock()
	if !slices.ContainsFunc(e.queue, func(other *pb.SnapshotInfo) bool { return other.Id == info.Id }) {
		e.queue = append(e.queue, info)
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
	e.queue = slices.DeleteFunc(e.queue, func(other *pb.SnapshotInfo) bool { return other.Id == info.Id })
	now := e.now
	e.mu.Unlock()
	if now == nil || now.id != info.Id {
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
	for {
		info, each := e.next(ctx)
		if info == nil {
			select {
			case <-e.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		e.export(each, info)
	}
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

// next takes a snapshot off the queue; nil if there is none.
func (e *exporter) next(ctx context.Context) (*pb.SnapshotInfo, context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 || ctx.Err() != nil {
		return nil, nil
	}
	info := e.queue[0]
	e.queue = e.queue[1:]
	each, cancel := context.WithCancel(ctx)
	e.now = &running{id: info.Id, cancel: cancel, ended: make(chan struct{})}
	return info, each
}

func (e *exporter) export(ctx context.Context, info *pb.SnapshotInfo) {
	result, err := e.make(ctx, info)
	e.mu.Lock()
	e.now.cancel()
	close(e.now.ended)
	e.now = nil
	e.mu.Unlock()
	log := e.log.With("snapshot", info.Name, "collection", info.CollectionId)
	switch {
	case err == nil && result.AlreadyExported:
		e.ended.WithLabelValues("found").Inc()
	case err == nil:
		e.ended.WithLabelValues("made").Inc()
		log.Info("exported", "table", result.Table, "rows", result.RowsWritten, "content_hash", result.ContentHash, "seconds", result.Seconds)
	case errors.Is(err, context.Canceled):
		e.ended.WithLabelValues("dropped").Inc()
		log.Info("export ended before it was done")
	default:
		e.ended.WithLabelValues("failed").Inc()
		log.Error("export failed; it is tried again when the server starts, or by 'snapexport export'", "error", err)
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
