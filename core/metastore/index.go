package metastore

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// SetIndex declares an index, or changes the declaration of the one with its id.
func (s *Store) SetIndex(ctx context.Context, c milvus.CollectionID, x milvus.Index) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.shelf(c)
		if err != nil {
			return err
		}
		created, err := s.Timestamp()
		if err != nil {
			return err
		}
		row := &pb.FieldIndex{IndexInfo: pb.FromIndex(&x, c), CreateTime: uint64(created)}
		at := slices.IndexFunc(sh.indexes, func(o *pb.FieldIndex) bool { return o.IndexInfo.IndexID == int64(x.ID) })
		if at >= 0 {
			row.CreateTime = sh.indexes[at].CreateTime
		}
		var b batch
		b.put(etcdmeta.IndexRow(s.keys, row))
		return s.reshelve(ctx, "set-index:commit", &b, sh, func(n *shelf, _ *[]string) {
			if at >= 0 {
				n.indexes[at] = row
			} else {
				n.indexes = append(n.indexes, row)
			}
		})
	})
}

// DropIndex removes an index: its segments go on without it. The rows of their builds stay until [Store.ForgetBuilds].
func (s *Store) DropIndex(ctx context.Context, c milvus.CollectionID, id milvus.IndexID) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.shelf(c)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(sh.indexes, func(x *pb.FieldIndex) bool { return x.IndexInfo.IndexID == int64(id) })
		if at < 0 {
			return status.IndexNotFound("")
		}
		row := proto.CloneOf(sh.indexes[at])
		row.Deleted = true
		next, err := sh.with(func(n *shelf, _ *[]string) { n.indexes = slices.Delete(n.indexes, at, at+1) })
		if err != nil {
			return err
		}
		var b batch
		b.put(etcdmeta.IndexRow(s.keys, row))
		if err := s.commit(ctx, "drop-index:commit", &b); err != nil {
			return err
		}
		s.show(func(v *view) {
			v.setShelf(next)
			var list []*Segment
			for _, seg := range v.of(c) {
				if seg.State != pb.SegmentState_Dropped {
					if left, ok := v.part(seg, id, s.instant()); ok {
						list = append(list, left)
					}
				}
			}
			v.setSegments(list...)
		})
		return nil
	})
}

// ForgetBuilds removes the rows of dropped builds, once their files are gone. Others are left alone.
func (s *Store) ForgetBuilds(ctx context.Context, builds ...milvus.BuildID) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		wanted := make(map[milvus.BuildID]bool, len(builds))
		for _, id := range builds {
			wanted[id] = true
		}
		var b batch
		var gone []DroppedBuild
		for _, d := range s.DroppedBuilds() {
			if wanted[d.Files.Build] {
				b.remove(s.keys.SegmentIndex(d.Collection, d.Partition, d.Segment, d.Files.Build))
				gone = append(gone, d)
			}
		}
		if err := s.spread(ctx, "forget-builds:remove", &b); err != nil {
			return err
		}
		s.show(func(v *view) {
			for _, d := range gone {
				v.builds[d.Segment] = slices.DeleteFunc(slices.Clone(v.builds[d.Segment]), func(x DroppedBuild) bool { return x.Files.Build == d.Files.Build })
				if len(v.builds[d.Segment]) == 0 {
					delete(v.builds, d.Segment)
				}
			}
		})
		return nil
	})
}
