package snapshot

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// Recover reads what every snapshot refers to and removes what a crash left. It may run beside everything else and again:
// what failed is tried once more. Of the snapshots whose files can't be read the first error is returned, after all were
// tried; what can't be removed stays abandoned.
func (s *Service) Recover(ctx context.Context) error {
	var g errgroup.Group // without its context: one failure does not keep the others from being loaded
	g.SetLimit(fileWorkers)
	for _, info := range s.store.AllSnapshots() {
		g.Go(func() error {
			if info.State == pb.SnapshotState_SnapshotStateCommitted {
				return s.loadReferences(ctx, info)
			}
			if err := s.RemoveAbandoned(ctx, info); err != nil {
				s.config.Log.Warn("an abandoned snapshot is left", "collection", info.CollectionId, "snapshot", info.Id, "error", err)
			}
			return nil
		})
	}
	return g.Wait()
}

// LoadReferences reads what every snapshot refers to and removes nothing. It tries all and returns the first error.
func (s *Service) LoadReferences(ctx context.Context) error {
	var g errgroup.Group // as in Recover
	g.SetLimit(fileWorkers)
	for _, info := range s.store.AllSnapshots() {
		if info.State == pb.SnapshotState_SnapshotStateCommitted {
			g.Go(func() error { return s.loadReferences(ctx, info) })
		}
	}
	return g.Wait()
}

// loadReferences reads what one snapshot refers to: from its metadata, or from its manifests where that does not say.
func (s *Service) loadReferences(ctx context.Context, info *pb.SnapshotInfo) error {
	id := milvus.SnapshotID(info.Id)
	if s.knows(id) {
		return nil
	}
	m, err := s.metadata(ctx, info)
	if err == nil && len(m.SegmentIDs) == 0 && len(m.ManifestList) > 0 {
		m, err = s.fromManifests(ctx, info)
	}
	if err != nil {
		return err
	}
	refs := referencesOf(m)
	refs.expire = info.CompactionExpireTime
	defer s.enter(milvus.CollectionID(info.CollectionId), info.Name)()
	if now := s.current(info); now != nil && now.State == pb.SnapshotState_SnapshotStateCommitted {
		s.remember(id, refs)
	}
	return nil
}

func (s *Service) fromManifests(ctx context.Context, info *pb.SnapshotInfo) (*snapfile.Metadata, error) {
	m, segments, err := s.Load(ctx, info)
	if err != nil {
		return nil, err
	}
	d := &draft{meta: m}
	for i := range segments {
		m.SegmentIDs = append(m.SegmentIDs, segments[i].ID)
		d.addBuilds(&segments[i])
	}
	return m, nil
}

func (s *Service) knows(id milvus.SnapshotID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refs[id] != nil
}
