package snapshot

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// MaxProtection is the longest protection from compaction.
const MaxProtection = 7 * 24 * time.Hour

// Request says what snapshot to make.
type Request struct {
	Name        string
	Description string
	Protection  time.Duration // from compaction; whole seconds, 0 to MaxProtection
	SkipIndex   bool          // neither declarations of indexes nor their files
}

func (r *Request) check() (err error) {
	if r.Name, err = CheckName(r.Name); err != nil {
		return err
	}
	switch {
	case r.Protection < 0:
		return status.Invalid("compaction_protection_seconds must be non-negative")
	case r.Protection > MaxProtection:
		return status.Invalid("compaction_protection_seconds must not exceed %d", int64(MaxProtection/time.Second))
	}
	return nil
}

// Create makes a snapshot of what is in files: nothing is flushed. It returns the COMMITTED row. A failed Create leaves
// nothing, or an abandoned snapshot that no one sees.
func (s *Service) Create(ctx context.Context, c *metastore.Collection, r Request) (*pb.SnapshotInfo, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if c.Schema.ExternalSource != "" {
		return nil, status.Invalid("collection %s has an external source, of which there are no snapshots", c.Schema.Name)
	}
	defer s.enter(c.ID, r.Name)()
	_, err := s.Find(c.ID, r.Name)
	switch {
	case err == nil:
		return nil, status.SnapshotExists(c.ID, r.Name)
	case !status.Is(err, status.SnapshotMissing):
		return nil, err
	}
	id, err := s.store.IDs(1)
	if err != nil {
		return nil, err
	}
	defer s.work(milvus.SnapshotID(id))()
	d, err := s.capture(c, milvus.SnapshotID(id), r)
	if err != nil {
		return nil, err
	}
	info, err := s.write(ctx, d)
	if err == nil {
		if s.config.Watcher != nil {
			s.config.Watcher.Committed(info)
		}
		return info, nil
	}
	if errors.As(err, &crash{}) {
		return nil, err
	}
	tidy, cancel := afterwards(ctx)
	defer cancel()
	if failed := s.remove(tidy, info); failed != nil {
		s.config.Log.Warn("a snapshot that could not be made is left", "collection", info.CollectionId, "snapshot", info.Id, "error", failed)
	}
	return nil, err
}

// write makes a draft a snapshot. The row that it returns with an error is the PENDING one.
func (s *Service) write(ctx context.Context, d *draft) (*pb.SnapshotInfo, error) {
	info := snapfile.FromInfo(&d.meta.Info)
	if err := s.fault("snapshot create: captured"); err != nil {
		return info, err
	}
	if err := s.store.PutSnapshot(ctx, info); err != nil {
		return info, err
	}
	if err := s.fault("snapshot create: pending"); err != nil {
		return info, err
	}
	if err := s.writeFiles(ctx, d); err != nil {
		return info, err
	}
	committed := proto.CloneOf(info)
	committed.State = pb.SnapshotState_SnapshotStateCommitted
	committed.S3Location = s.metadataKey(info)
	if err := s.store.PutSnapshot(ctx, committed); err != nil {
		return info, err
	}
	return committed, s.fault("snapshot create: committed")
}
