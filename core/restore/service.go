package restore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// Snapshots is what restoring needs of the snapshots. core/snapshot has it.
type Snapshots interface {
	Find(c milvus.CollectionID, name string) (*pb.SnapshotInfo, error)
	Load(ctx context.Context, info *pb.SnapshotInfo) (*snapfile.Metadata, []milvus.Segment, error)
	Pin(ctx context.Context, c milvus.CollectionID, name string, ttl time.Duration) (int64, error)
	Renew(ctx context.Context, pin int64, ttl time.Duration) error
	Unpin(ctx context.Context, pin int64) error
}

// Defaults of [Config].
const (
	DefaultWorkers = 16
	DefaultJobs    = 4
	DefaultTimeout = 24 * time.Hour
)

const (
	taskSegments = 100
	retention    = 3 * time.Hour    // of a job after its end
	startTTL     = 10 * time.Minute // of the source's pin before the job is written: what a crash between the two leaves
	pinTTL       = 24 * time.Hour   // of the source's pin
	renewEvery   = time.Hour
	sweepEvery   = 10 * time.Second // Run looks for jobs that are due, although it is told of new ones
)

// Config are the settings of a [Service].
type Config struct {
	Root    string                   // root path of the files in the store ("files"; may be empty)
	Now     func() time.Time         // the clock
	Log     *slog.Logger             // nil: silent
	Fault   func(point string) error // for crash tests, at every step; nil: none
	Workers int                      // objects copied at once, of all jobs; 0: DefaultWorkers
	Jobs    int                      // jobs worked on at once; 0: DefaultJobs
	Timeout time.Duration            // of a job; 0: DefaultTimeout
	Means   objstore.Means           // how local files are copied; "": objstore.MeansAuto
	NoFsync bool                     // local stores: files may be lost when the machine stops
}

// Service restores snapshots.
type Service struct {
	store     *metastore.Store
	files     objstore.Store
	snapshots Snapshots
	config    Config

	slots chan struct{} // one for each object that may be copied now
	wake  chan struct{} // there may be work

	rows     sync.Mutex // held while a job's row is changed
	mu       sync.Mutex
	running  map[int64]context.CancelCauseFunc
	starting map[int64]bool // jobs whose Start has not returned
}

// New returns a service. Jobs are worked on while [Service.Run] runs.
func New(store *metastore.Store, files objstore.Store, snapshots Snapshots, c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Workers <= 0 {
		c.Workers = DefaultWorkers
	}
	if c.Jobs <= 0 {
		c.Jobs = DefaultJobs
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Means == "" {
		c.Means = objstore.MeansAuto
	}
	return &Service{
		store: store, files: files, snapshots: snapshots, config: c,
		slots: make(chan struct{}, c.Workers), wake: make(chan struct{}, 1),
		running: map[int64]context.CancelCauseFunc{}, starting: map[int64]bool{},
	}
}

// crash is a fault that tests inject: what follows must not happen, tidying up least of all.
type crash struct{ error }

func (s *Service) fault(point string) error {
	if s.config.Fault == nil {
		return nil
	}
	if err := s.config.Fault(point); err != nil {
		return crash{err}
	}
	return nil
}

// tidyTimeout bounds what is done after a request has failed or was cancelled.
const tidyTimeout = 30 * time.Second

// afterwards is a context for tidying up.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
}
