package gc

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

const op = "collect garbage"

// Defaults of Config, as Milvus has them.
const (
	defaultGrace    = 3 * time.Hour
	defaultPending  = time.Hour
	defaultInterval = time.Hour
)

// Config says where files are and how long they stay. Durations of 0 are Milvus's defaults.
type Config struct {
	Root     string           // of the files in the store
	Grace    time.Duration    // for which files stay after a drop, or after they were written: 3 h
	Pending  time.Duration    // after which a snapshot that is not finished is abandoned: 1 h
	Interval time.Duration    // between sweeps: 1 h
	DryRun   bool             // Run removes nothing and logs what it would
	Now      func() time.Time // the clock
	Log      *slog.Logger     // nil: silent

	Fault func(point string) error // for crash tests, around each removal of files; nil: none
}

// Snapshots is what the collector asks the snapshot service.
type Snapshots interface {
	// References returns what the collection's snapshots need; loaded is false while not all of it is known.
	References(milvus.CollectionID) (segments map[milvus.SegmentID]bool, builds map[milvus.BuildID]bool, loaded bool)
	// Loaded reports whether References knows everything of every collection.
	Loaded() bool
	// Abandoned returns snapshots that nobody works on and that are to go.
	Abandoned() []*pb.SnapshotInfo
	// RemoveAbandoned removes the files of an abandoned snapshot and then its row.
	RemoveAbandoned(context.Context, *pb.SnapshotInfo) error
}

// Collector removes garbage. Sweeps wait for each other.
type Collector struct {
	store     *metastore.Store
	files     objstore.Store
	snapshots Snapshots
	config    Config
	sweeping  sync.Mutex
}

// New returns a collector.
func New(store *metastore.Store, files objstore.Store, snapshots Snapshots, c Config) *Collector {
	for _, d := range []struct {
		value *time.Duration
		zero  time.Duration
	}{{&c.Grace, defaultGrace}, {&c.Pending, defaultPending}, {&c.Interval, defaultInterval}} {
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Collector{store: store, files: files, snapshots: snapshots, config: c}
}

// Run sweeps at once and then after each interval until ctx ends. It returns nil; what fails is logged and tried again.
func (g *Collector) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		r, err := g.Sweep(ctx, g.config.DryRun)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			g.config.Log.Warn("garbage collection did not come to its end", "error", err)
		}
		g.log(r)
		wait := time.NewTimer(g.config.Interval)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
	return nil
}

// log says what a sweep did, or would have done.
func (g *Collector) log(r Report) {
	if r.Files == 0 && r.Snapshots == 0 {
		return
	}
	what := "garbage collected"
	if r.DryRun {
		what = "garbage that would be collected"
		for _, key := range r.Keys {
			g.config.Log.Info("would be removed", "key", key)
		}
	}
	g.config.Log.Info(what, "files", r.Files, "bytes", r.Bytes, "segments", r.Segments, "orphans", r.Orphans, "snapshots", r.Snapshots)
}

// Sweep removes what may go now and reports it; dryRun only reports. After an error it goes on with the rest where it can, and
// returns the first one with a report of what was done.
func (g *Collector) Sweep(ctx context.Context, dryRun bool) (Report, error) {
	g.sweeping.Lock()
	defer g.sweeping.Unlock()
	w := &sweep{Collector: g, dry: dryRun, now: g.config.Now(),
		gone: map[milvus.SegmentID]bool{}, goneBuilds: map[milvus.BuildID]bool{}, goneKeys: map[string]bool{}}
	w.report = Report{DryRun: dryRun, blocked: map[milvus.CollectionID]bool{}}
	if err := w.store.Refresh(ctx); err != nil {
		return w.report, err
	}
	owned, err := w.owned(ctx)
	w.report.Owned = owned
	var first error
	for _, step := range []func(context.Context) error{
		func(context.Context) error { return err }, w.abandoned, w.segments, w.builds, w.orphans, w.staging,
	} {
		if err := step(ctx); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	w.report.finish()
	return w.report, first
}

// sweep is one pass.
type sweep struct {
	*Collector
	dry bool
	now time.Time

	mu     sync.Mutex // guards what follows while segments and builds are worked on, several at once
	report Report

	// What a dry run would have removed: it looks on as if it had.
	gone       map[milvus.SegmentID]bool
	goneBuilds map[milvus.BuildID]bool
	goneKeys   map[string]bool
}

// young tells what the grace time still keeps.
func (w *sweep) young(t time.Time) bool { return w.now.Sub(t) < w.config.Grace }

func (w *sweep) fault(point string) error {
	if w.config.Fault == nil {
		return nil
	}
	return w.config.Fault(point)
}

// object is a file that may go; Size is what metadata or the store says.
type object struct {
	key  string
	size int64
}

// remove deletes files and counts them.
func (w *sweep) remove(ctx context.Context, list []object) error {
	keys := make([]string, len(list))
	for i, o := range list {
		keys[i] = o.key
	}
	if !w.dry && len(keys) > 0 {
		if err := w.fault("gc: before files"); err != nil {
			return err
		}
		if err := w.files.Delete(ctx, keys...); err != nil {
			return err
		}
		if err := w.fault("gc: files"); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.add(list)
	if w.dry {
		for _, key := range keys {
			w.goneKeys[key] = true
		}
	}
	return nil
}

// note counts something in the report.
func (w *sweep) note(count func(*Report)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	count(&w.report)
}

// abandoned removes snapshots that nobody finished, and those that were dropped but for some of their files.
func (w *sweep) abandoned(ctx context.Context) (first error) {
	for _, info := range w.snapshots.Abandoned() {
		started := time.UnixMilli(info.PendingStartTime)
		if info.State == pb.SnapshotState_SnapshotStatePending && w.now.Sub(started) < w.config.Pending {
			w.report.Waiting++
			continue
		}
		if !w.dry {
			if err := w.snapshots.RemoveAbandoned(ctx, info); err != nil {
				if first == nil {
					first = err
				}
				continue
			}
		}
		w.report.Snapshots++
	}
	return first
}
