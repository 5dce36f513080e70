package snapshot

import (
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// references is what a snapshot keeps from being removed.
type references struct {
	collection milvus.CollectionID
	segments   map[milvus.SegmentID]bool
	builds     map[milvus.BuildID]bool
	expire     uint64 // Unix seconds: until then, no compaction of the segments
}

func referencesOf(m *snapfile.Metadata) *references {
	r := &references{
		collection: m.Info.Collection, expire: m.Info.CompactionExpire,
		segments: make(map[milvus.SegmentID]bool, len(m.SegmentIDs)), builds: make(map[milvus.BuildID]bool, len(m.BuildIDs)),
	}
	for _, id := range m.SegmentIDs {
		r.segments[id] = true
	}
	for _, id := range m.BuildIDs {
		r.builds[id] = true
	}
	return r
}

// References returns the segments and index builds that the collection's snapshots need, also after the collection is gone.
// Where loaded is false, they are not all known (a snapshot's files were not read yet, or one is being made at this moment),
// and nothing of the collection may be removed. Who removes files lists them first and asks then.
func (s *Service) References(c milvus.CollectionID) (segments map[milvus.SegmentID]bool, builds map[milvus.BuildID]bool, loaded bool) {
	segments, builds = map[milvus.SegmentID]bool{}, map[milvus.BuildID]bool{}
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded = s.capturing[c] == 0
	for _, r := range s.refs {
		if r.collection != c {
			continue
		}
		for id := range r.segments {
			segments[id] = true
		}
		for id := range r.builds {
			builds[id] = true
		}
	}
	for _, info := range s.store.Snapshots(c) {
		if info.State == pb.SnapshotState_SnapshotStateCommitted && s.refs[milvus.SnapshotID(info.Id)] == nil {
			loaded = false
		}
	}
	return segments, builds, loaded
}

// Loaded reports whether [Service.References] knows everything of every collection: before, nothing may be removed of which
// the collection is not known, like files of indexes.
func (s *Service) Loaded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, info := range s.store.AllSnapshots() {
		if info.State == pb.SnapshotState_SnapshotStateCommitted && s.refs[milvus.SnapshotID(info.Id)] == nil {
			return false
		}
	}
	return len(s.capturing) == 0
}

// Protected reports whether compaction must leave a segment alone now, for a snapshot's sake.
func (s *Service) Protected(id milvus.SegmentID) bool {
	now := uint64(max(s.config.Now().Unix(), 0))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refs {
		if r.expire > now && r.segments[id] {
			return true
		}
	}
	for _, info := range s.store.AllSnapshots() { // those whose segments are not known yet protect their whole collection
		if info.State != pb.SnapshotState_SnapshotStateCommitted || info.CompactionExpireTime <= now || s.refs[milvus.SnapshotID(info.Id)] != nil {
			continue
		}
		if seg, ok := s.store.Segment(id); !ok || int64(seg.Collection) == info.CollectionId {
			return true
		}
	}
	return false
}

func (s *Service) remember(id milvus.SnapshotID, r *references) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs[id] = r
}

func (s *Service) forget(id milvus.SnapshotID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refs, id)
}

// forgetUnmade forgets what snapshots refer to that could neither be made nor marked as abandoned: there is no row of them.
func (s *Service) forgetUnmade() {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := map[milvus.SnapshotID]bool{}
	for _, info := range s.store.AllSnapshots() {
		rows[milvus.SnapshotID(info.Id)] = true
	}
	for id := range s.refs {
		if !rows[id] && !s.working[id] {
			delete(s.refs, id)
		}
	}
}

// work marks a snapshot as being made or dropped.
func (s *Service) work(id milvus.SnapshotID) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working[id] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.working, id)
	}
}

func (s *Service) isWorking(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.working[milvus.SnapshotID(id)]
}
