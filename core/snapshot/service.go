package snapshot

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

// Config are the settings of a [Service].
type Config struct {
	Root    string                   // root path of the files in the store ("files"; may be empty)
	NoFsync bool                     // local stores: files may be lost when the machine stops
	Now     func() time.Time         // the clock
	Random  func() uint64            // chance: ids of pins
	Log     *slog.Logger             // nil: silent
	Fault   func(point string) error // for crash tests, at every step; nil: none
}

// Service makes and keeps snapshots.
type Service struct {
	store  *metastore.Store
	files  objstore.Store
	config Config
}

// Request says what snapshot to make.
type Request struct {
	Name        string
	Description string
	Protection  time.Duration // from compaction; whole seconds, 0 to MaxProtection
	SkipIndex   bool          // neither declarations of indexes nor their files
}

var errSoon = errors.New("not there yet")

// New returns a service. Call [Service.Recover] before anything is removed from the store.
func New(store *metastore.Store, files objstore.Store, c Config) *Service {
	return &Service{store: store, files: files, config: c}
}

func (s *Service) Recover(ctx context.Context) error { return errSoon }
func (s *Service) Create(ctx context.Context, c *metastore.Collection, r Request) (*pb.SnapshotInfo, error) {
	return nil, errSoon
}
func (s *Service) Find(c milvus.CollectionID, name string) (*pb.SnapshotInfo, error) {
	return nil, errSoon
}
func (s *Service) FindByName(db, name string) (*metastore.Collection, *pb.SnapshotInfo, error) {
	return nil, nil, errSoon
}
func (s *Service) List(c milvus.CollectionID) []*pb.SnapshotInfo { return nil }
func (s *Service) Drop(ctx context.Context, c milvus.CollectionID, name string) error {
	return errSoon
}
func (s *Service) DropAll(ctx context.Context, c milvus.CollectionID) error { return errSoon }
func (s *Service) Pin(ctx context.Context, c milvus.CollectionID, name string, ttl time.Duration) (int64, error) {
	return 0, errSoon
}
func (s *Service) Renew(ctx context.Context, id int64, ttl time.Duration) error { return errSoon }
func (s *Service) Unpin(ctx context.Context, id int64) error                    { return errSoon }
func (s *Service) References(c milvus.CollectionID) (segments map[milvus.SegmentID]bool, builds map[milvus.BuildID]bool, loaded bool) {
	return nil, nil, false
}
func (s *Service) Protected(id milvus.SegmentID) bool { return true }
func (s *Service) Load(ctx context.Context, info *pb.SnapshotInfo) (*snapfile.Metadata, []milvus.Segment, error) {
	return nil, nil, errSoon
}
func (s *Service) Abandoned() []*pb.SnapshotInfo                                    { return nil }
func (s *Service) RemoveAbandoned(ctx context.Context, info *pb.SnapshotInfo) error { return errSoon }
