package restore

import (
	"context"
	"errors"
	"log/slog"
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

// Config are the settings of a [Service].
type Config struct {
	Root    string                   // root path of the files in the store ("files"; may be empty)
	Now     func() time.Time         // the clock
	Log     *slog.Logger             // nil: silent
	Fault   func(point string) error // for crash tests, at every step; nil: none
	Workers int                      // objects copied at once, of all jobs; 0: DefaultWorkers
	Jobs    int                      // jobs worked on at once; 0: DefaultJobs
	Timeout time.Duration            // of a job; 0: DefaultTimeout
}

// Request says what to restore as what.
type Request struct {
	Source      *metastore.Collection
	Snapshot    string
	TargetDB    string // "": the default
	Target      string
	SkipIndex   bool              // no indexes: neither declarations nor files
	Description *string           // nil: the source's
	Properties  []milvus.KeyValue // put over the source's
}

// Job is what is known of a restore.
type Job struct {
	ID         int64
	Snapshot   string
	Database   string                 // of the target
	Collection string                 // the target's name
	State      pb.CopySegmentJobState // Pending, Executing, Completed, Failed
	Progress   int                    // percent, never less than before
	Reason     string
	Start      time.Time
	Cost       time.Duration // 0 until it ended; then at least a millisecond
}

// Service restores snapshots.
type Service struct {
	store     *metastore.Store
	files     objstore.Store
	snapshots Snapshots
	config    Config
}

var errSoon = errors.New("not there yet")

// New returns a service.
func New(store *metastore.Store, files objstore.Store, snapshots Snapshots, c Config) *Service {
	return &Service{store: store, files: files, snapshots: snapshots, config: c}
}

func (s *Service) Start(ctx context.Context, r Request) (job int64, err error) { return 0, errSoon }
func (s *Service) Job(id int64) (Job, error)                                   { return Job{}, errSoon }
func (s *Service) Jobs(db, target string) ([]Job, error)                       { return nil, errSoon }
func (s *Service) Cancel(ctx context.Context, id int64) error                  { return errSoon }
func (s *Service) Run(ctx context.Context) error                               { return errSoon }
