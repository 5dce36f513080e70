package snapshot

import (
	"context"
	"log/slog"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
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
	Watcher Watcher                  // nil: nobody
	Fault   func(point string) error // for crash tests, at every step; nil: none
}

// Watcher follows snapshots.
type Watcher interface {
	// Committed is told of a snapshot that was made. It must return at once.
	Committed(*pb.SnapshotInfo)
	// Leaving is told of a snapshot that is about to go, files below [TablePrefix] included: when it returns, the watcher writes
	// none there any more.
	Leaving(context.Context, *pb.SnapshotInfo)
}

// Service makes and keeps snapshots.
type Service struct {
	store  *metastore.Store
	files  objstore.Store
	config Config

	collections, names locks

	mu        sync.Mutex
	refs      map[milvus.SnapshotID]*references // of snapshots that are COMMITTED or being made
	capturing map[milvus.CollectionID]int       // snapshots whose segments are being looked up
	working   map[milvus.SnapshotID]bool        // being made or dropped
}

// New returns a service. Until [Service.Recover] has succeeded nothing may be removed from the store.
func New(store *metastore.Store, files objstore.Store, c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		store: store, files: files, config: c,
		refs:      map[milvus.SnapshotID]*references{},
		capturing: map[milvus.CollectionID]int{},
		working:   map[milvus.SnapshotID]bool{},
	}
}

// enter waits for the snapshots of that name in the collection and returns what lets the next one in.
func (s *Service) enter(c milvus.CollectionID, name string) (leave func()) {
	key := strconv.FormatInt(int64(c), 10)
	done := s.collections.rlock(key)
	next := s.names.lock(key + "/" + name)
	return func() { next(); done() }
}

// Find returns a collection's snapshot: status.SnapshotMissing if there is none of that name.
func (s *Service) Find(c milvus.CollectionID, name string) (*pb.SnapshotInfo, error) {
	name, err := CheckName(name)
	if err != nil {
		return nil, err
	}
	for _, info := range s.List(c) {
		if info.Name == name {
			return info, nil
		}
	}
	return nil, status.SnapshotNotFound(c, name)
}

// FindByName looks a name up in all collections of a database, as clients before Milvus 3.0 ask. Several snapshots of that name
// are status.InvalidParameter; the reason names their collections.
func (s *Service) FindByName(db, name string) (*metastore.Collection, *pb.SnapshotInfo, error) {
	name, err := CheckName(name)
	if err != nil {
		return nil, nil, err
	}
	collections, err := s.store.Collections(db)
	if err != nil {
		return nil, nil, err
	}
	var in *metastore.Collection
	var found *pb.SnapshotInfo
	var all []string
	for _, c := range collections {
		if info, err := s.Find(c.ID, name); err == nil {
			in, found = c, info
			all = append(all, c.Schema.Name)
		}
	}
	switch len(all) {
	case 0:
		return nil, nil, status.New(status.SnapshotMissing, "snapshot not found[snapshot=%s]", name)
	case 1:
		return in, found, nil
	}
	return nil, nil, status.Invalid("snapshot name %s is not unique, name one of the collections %v", name, all)
}

// List returns a collection's snapshots, by id.
func (s *Service) List(c milvus.CollectionID) []*pb.SnapshotInfo {
	var out []*pb.SnapshotInfo
	for _, info := range s.store.Snapshots(c) {
		if info.State == pb.SnapshotState_SnapshotStateCommitted {
			out = append(out, info)
		}
	}
	return out
}

// current returns the collection's row of that id, whatever its state.
func (s *Service) current(info *pb.SnapshotInfo) *pb.SnapshotInfo {
	for _, now := range s.store.Snapshots(milvus.CollectionID(info.CollectionId)) {
		if now.Id == info.Id {
			return now
		}
	}
	return nil
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

// Keys of a snapshot's files.

func (s *Service) metadataKey(i *pb.SnapshotInfo) string {
	return snapfile.MetadataKey(s.config.Root, i.CollectionId, i.Id)
}

func (s *Service) manifestsPrefix(i *pb.SnapshotInfo) string {
	return path.Dir(snapfile.ManifestKey(s.config.Root, i.CollectionId, i.Id, 1)) + "/"
}

// TablePrefix returns the key prefix, ending in "/", of what is exported from a snapshot without a place of its own: it goes
// with the snapshot.
func TablePrefix(root string, c milvus.CollectionID, id milvus.SnapshotID) string {
	return path.Join(root, "snapshots", strconv.FormatInt(int64(c), 10), "tables", strconv.FormatInt(int64(id), 10)) + "/"
}

// tidyTimeout bounds what is done after a request has failed or was cancelled.
const tidyTimeout = 30 * time.Second

// afterwards is a context for tidying up.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
}
