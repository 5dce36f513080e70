package snapshot

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// Drop makes a snapshot disappear at once and removes its files, the table that was exported into its folder among them.
// Files that can't be removed now are left to [Service.RemoveAbandoned]. A name that no snapshot has is fine; one that is
// pinned is status.SnapshotPinned.
func (s *Service) Drop(ctx context.Context, c milvus.CollectionID, name string) error {
	name, err := CheckName(name)
	if err != nil {
		return err
	}
	defer s.enter(c, name)()
	info, err := s.Find(c, name)
	if status.Is(err, status.SnapshotMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.drop(ctx, info)
}

// drop needs the name's lock.
func (s *Service) drop(ctx context.Context, info *pb.SnapshotInfo) error {
	if s.pinned(info) {
		return status.Pinned(info.Name)
	}
	defer s.work(milvus.SnapshotID(info.Id))()
	if err := s.hide(ctx, info); err != nil {
		return err
	}
	err := s.removeFiles(ctx, info)
	if errors.As(err, &crash{}) {
		return err
	}
	if err != nil {
		s.config.Log.Warn("files of a dropped snapshot are left", "collection", info.CollectionId, "snapshot", info.Id, "error", err)
	}
	return nil
}

// DropAll drops a collection's snapshots, after the collection was dropped. Pinned ones stay until [Service.Abandoned] finds
// them without pins. It tries all and returns the first error.
func (s *Service) DropAll(ctx context.Context, c milvus.CollectionID) (first error) {
	defer s.collections.lock(strconv.FormatInt(int64(c), 10))()
	for _, info := range s.List(c) {
		if err := s.drop(ctx, info); err != nil && !status.Is(err, status.SnapshotPinned) && first == nil {
			first = err
		}
	}
	return first
}

// remove does all of a drop but asking for pins.
func (s *Service) remove(ctx context.Context, info *pb.SnapshotInfo) error {
	if err := s.hide(ctx, info); err != nil {
		return err
	}
	return s.removeFiles(ctx, info)
}

// hide makes the row DELETING: from then on the snapshot needs nothing, whatever becomes of its files.
func (s *Service) hide(ctx context.Context, info *pb.SnapshotInfo) error {
	if err := s.fault("snapshot drop: begin"); err != nil {
		return err
	}
	gone := proto.CloneOf(info)
	gone.State = pb.SnapshotState_SnapshotStateDeleting
	gone.PinIds, gone.PinExpireAtMs = nil, nil
	if err := s.store.PutSnapshot(ctx, gone); err != nil {
		return err
	}
	s.forget(milvus.SnapshotID(info.Id))
	if s.config.Watcher != nil {
		s.config.Watcher.Leaving(ctx, info)
	}
	return s.fault("snapshot drop: deleting")
}

// removeFiles removes manifests by their prefix, the metadata, and then the row: while a file may be left, so is the row.
func (s *Service) removeFiles(ctx context.Context, info *pb.SnapshotInfo) error {
	id := milvus.SnapshotID(info.Id)
	for _, prefix := range []string{s.manifestsPrefix(info), TablePrefix(s.config.Root, milvus.CollectionID(info.CollectionId), id)} {
		if _, err := objstore.DeletePrefix(ctx, s.files, prefix); err != nil {
			return err
		}
		if err := s.fault("snapshot drop: prefix"); err != nil {
			return err
		}
	}
	if err := s.files.Delete(ctx, s.metadataKey(info)); err != nil {
		return err
	}
	if err := s.fault("snapshot drop: files"); err != nil {
		return err
	}
	if err := s.store.DeleteSnapshot(ctx, milvus.CollectionID(info.CollectionId), id); err != nil {
		return err
	}
	return s.fault("snapshot drop: gone")
}

// Abandoned returns the snapshots that no one works on and that are to go: those not COMMITTED, and those without pins whose
// collection is gone.
func (s *Service) Abandoned() []*pb.SnapshotInfo {
	s.forgetUnmade()
	return slices.DeleteFunc(slices.Clone(s.store.AllSnapshots()), func(info *pb.SnapshotInfo) bool { return !s.isAbandoned(info) })
}

func (s *Service) isAbandoned(info *pb.SnapshotInfo) bool {
	if s.isWorking(info.Id) {
		return false
	}
	if info.State != pb.SnapshotState_SnapshotStateCommitted {
		return true
	}
	_, there := s.store.CollectionByID(milvus.CollectionID(info.CollectionId))
	return !there && !s.pinned(info)
}

// RemoveAbandoned removes an abandoned snapshot: its files and then its row. One that is not abandoned any more stays.
func (s *Service) RemoveAbandoned(ctx context.Context, info *pb.SnapshotInfo) error {
	defer s.enter(milvus.CollectionID(info.CollectionId), info.Name)()
	now := s.current(info)
	if now == nil || !s.isAbandoned(now) {
		return nil
	}
	return s.remove(ctx, now)
}
