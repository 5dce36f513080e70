package metastore

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Snapshots returns the rows of a collection's snapshots in any state, by id; the collection may be gone.
func (s *Store) Snapshots(c milvus.CollectionID) (out []*pb.SnapshotInfo) {
	s.see(func(v *view) { out = slices.Clone(v.snapshots[c]) })
	return out
}

// AllSnapshots returns the rows of all snapshots, by id.
func (s *Store) AllSnapshots() (out []*pb.SnapshotInfo) {
	s.see(func(v *view) {
		for _, list := range v.snapshots {
			out = append(out, list...)
		}
	})
	slices.SortFunc(out, func(a, b *pb.SnapshotInfo) int { return cmp.Compare(a.Id, b.Id) })
	return out
}

// PutSnapshot writes a snapshot's row, new or changed.
func (s *Store) PutSnapshot(ctx context.Context, snap *pb.SnapshotInfo) error {
	snap = proto.CloneOf(snap)
	return s.mutate(ctx, func(ctx context.Context) error {
		var b batch
		b.put(etcdmeta.SnapshotRow(s.keys, snap))
		if err := s.commit(ctx, "put-snapshot:commit", &b); err != nil {
			return err
		}
		s.show(func(v *view) { v.setSnapshot(snap) })
		return nil
	})
}

// DeleteSnapshot removes a snapshot's row; one that is not there is fine.
func (s *Store) DeleteSnapshot(ctx context.Context, c milvus.CollectionID, id milvus.SnapshotID) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		var b batch
		b.remove(s.keys.Snapshot(c, id))
		if err := s.commit(ctx, "delete-snapshot:commit", &b); err != nil {
			return err
		}
		s.show(func(v *view) {
			v.snapshots[c] = slices.DeleteFunc(slices.Clone(v.snapshots[c]), func(x *pb.SnapshotInfo) bool { return x.Id == int64(id) })
			if len(v.snapshots[c]) == 0 {
				delete(v.snapshots, c)
			}
		})
		return nil
	})
}
