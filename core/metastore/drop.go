package metastore

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// DropCollection removes a collection without aliases. Its segments become Dropped; rows of its snapshots stay.
func (s *Store) DropCollection(ctx context.Context, id milvus.CollectionID) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.shelf(id)
		if err != nil {
			return err
		}
		if a := sh.value.Aliases; len(a) > 0 {
			return status.New(status.Unexpected, "unable to drop the collection [%s] because it has associated aliases %v, please remove all aliases before dropping the collection", sh.value.Schema.Name, a)
		}
		return s.dropShelf(ctx, "drop-collection", sh)
	})
}

// AbandonCollection removes a restore's target that was not published, like DropCollection.
func (s *Store) AbandonCollection(ctx context.Context, id milvus.CollectionID) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.shelf(id)
		if err != nil {
			return err
		}
		if sh.value.State != pb.CollectionState_CollectionCreating {
			return fault.Conflict(op, "collection %d is in use", id)
		}
		return s.dropShelf(ctx, "abandon-collection", sh)
	})
}

// dropShelf marks the collection's row, which decides, and then clears up.
func (s *Store) dropShelf(ctx context.Context, action string, sh *shelf) error {
	b, err := s.mark(sh, pb.CollectionState_CollectionDropping)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, action+":commit", b); err != nil {
		return err
	}
	var gone []*Segment
	at := s.instant()
	s.show(func(v *view) {
		v.removeShelf(sh.value.ID)
		for _, seg := range v.of(sh.value.ID) {
			if seg.State != pb.SegmentState_Dropped {
				gone = append(gone, seg.dropped(at))
			}
		}
		v.setSegments(gone...)
		for _, channel := range sh.value.Channels {
			delete(v.checkpoints, channel)
		}
	})
	s.later(s.clear(ctx, action, gone, s.remains(sh.info)))
	return nil
}

// later notes that what is left of a decided change is up to the next mutation.
func (s *Store) later(err error) {
	if err != nil {
		s.stale.Store(true)
		s.config.Log.Warn("a change of metadata is decided but not cleared up; the next one does that", "error", err)
	}
}

// mark is the collection's row in another state.
func (s *Store) mark(sh *shelf, state pb.CollectionState) (*batch, error) {
	info := proto.CloneOf(sh.info)
	info.State = state
	rows, err := etcdmeta.CollectionRows(s.keys, info, nil)
	if err != nil {
		return nil, err
	}
	b := &batch{}
	b.put(rows[len(rows)-1], nil)
	return b, nil
}

// clear writes the rows of dropped segments and then removes what made them part of something.
func (s *Store) clear(ctx context.Context, action string, gone []*Segment, remains *batch) error {
	b := &batch{}
	for _, seg := range gone {
		b.put(s.ownRow(seg))
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.spread(ctx, action+":clear", b); err != nil {
		return err
	}
	return s.spread(ctx, action+":finish", remains)
}

// remains are a dropped collection's rows but for segments and snapshots; its own is the last.
func (s *Store) remains(info *pb.CollectionInfo) *batch {
	id := milvus.CollectionID(info.ID)
	b := &batch{}
	b.remove(s.keys.Declarations(id)...)
	for _, channel := range info.VirtualChannelNames {
		b.remove(s.keys.Checkpoint(channel))
	}
	b.remove(s.keys.Collection(milvus.DatabaseID(info.DbId), id))
	return b
}

// CreatePartition makes a partition, or returns the one of that name.
func (s *Store) CreatePartition(ctx context.Context, id milvus.CollectionID, name string) (p milvus.Partition, err error) {
	err = s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.shelf(id)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(sh.value.Partitions, func(p milvus.Partition) bool { return p.Name == name }); at >= 0 {
			p = sh.value.Partitions[at]
			return nil
		}
		first, err := s.IDs(1)
		if err != nil {
			return err
		}
		created, err := s.Timestamp()
		if err != nil {
			return err
		}
		p = milvus.Partition{ID: milvus.PartitionID(first), Name: name}
		row := sh.value.partition(p, created)
		var b batch
		b.put(etcdmeta.PartitionRow(s.keys, row))
		return s.reshelve(ctx, "create-partition:commit", &b, sh, func(n *shelf, _ *[]string) { n.partitions = append(n.partitions, row) })
	})
	return p, err
}

// reshelve commits a batch and shows the collection with the change that it makes.
func (s *Store) reshelve(ctx context.Context, point string, b *batch, sh *shelf, change func(*shelf, *[]string)) error {
	next, err := sh.with(change)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, point, b); err != nil {
		return err
	}
	s.show(func(v *view) { v.setShelf(next) })
	return nil
}

// DropPartition removes a partition, but not the default one. Its segments become Dropped.
func (s *Store) DropPartition(ctx context.Context, id milvus.CollectionID, name string) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.shelf(id)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(sh.partitions, func(p *pb.PartitionInfo) bool { return p.PartitionName == name })
		switch {
		case at < 0:
			return status.PartitionNotFound(name)
		case name == "_default":
			return status.New(status.Unexpected, "default partition cannot be deleted")
		}
		row := proto.CloneOf(sh.partitions[at])
		row.State = pb.PartitionState_PartitionDropping
		next, err := sh.with(func(n *shelf, _ *[]string) { n.partitions = slices.Delete(n.partitions, at, at+1) })
		if err != nil {
			return err
		}
		var b, remains batch
		b.put(etcdmeta.PartitionRow(s.keys, row))
		if err := s.commit(ctx, "drop-partition:commit", &b); err != nil {
			return err
		}
		partition := milvus.PartitionID(row.PartitionID)
		gone := s.showWithout(next, partition)
		remains.remove(s.keys.Partition(id, partition))
		s.later(s.clear(ctx, "drop-partition", gone, &remains))
		return nil
	})
}

// showWithout shows a collection whose partition is gone, and returns the segments that went with it.
func (s *Store) showWithout(next *shelf, partition milvus.PartitionID) (gone []*Segment) {
	at := s.instant()
	s.show(func(v *view) {
		v.setShelf(next)
		for _, seg := range v.of(next.value.ID) {
			if seg.Partition == partition && seg.State != pb.SegmentState_Dropped {
				gone = append(gone, seg.dropped(at))
			}
		}
		v.setSegments(gone...)
	})
	return gone
}
