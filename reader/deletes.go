package reader

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/milvus"
)

// l0Group is the L0 segments of one channel and partition.
type l0Group struct {
	channel   string
	partition milvus.PartitionID
	segments  []*milvus.Segment
	set       *deltamerge.Set // nil until it is read
}

func (s *Scan) addL0(seg *milvus.Segment) {
	for _, g := range s.l0 {
		if g.channel == seg.Channel && g.partition == seg.Partition {
			g.segments = append(g.segments, seg)
			return
		}
	}
	s.l0 = append(s.l0, &l0Group{channel: seg.Channel, partition: seg.Partition, segments: []*milvus.Segment{seg}})
}

// covers reports whether the group's deletes apply to the segment: same channel, where both are known, and same partition.
func (g *l0Group) covers(seg *milvus.Segment) bool {
	sameChannel := g.channel == seg.Channel || g.channel == "" || seg.Channel == ""
	return sameChannel && (g.partition == seg.Partition || g.partition == milvus.AllPartitions)
}

// loadL0 reads the deletes of all L0 segments, once: they are shared by all segments and kept until the scan ends.
func (s *Scan) loadL0(ctx context.Context, counts *Counts) error {
	s.l0Lock.Lock()
	defer s.l0Lock.Unlock()
	for _, g := range s.l0 {
		if g.set != nil {
			continue
		}
		set := deltamerge.NewSet(s.rule.AsOf)
		for _, seg := range g.segments {
			if err := s.addDeletes(ctx, seg, set, counts); err != nil {
				return err
			}
		}
		if err := s.opts.Budget.Keep(ctx, set.Bytes()); err != nil {
			return fmt.Errorf("deletes of L0 segments on channel %q: %w", g.channel, err)
		}
		g.set = set
	}
	return nil
}

// scope collects what applies to the segment. L0 deletes must have been loaded.
func (s *Scan) scope(ctx context.Context, seg *milvus.Segment, counts *Counts) (deltamerge.Scope, error) {
	sc := deltamerge.Scope{Commit: seg.CommitTimestamp, L0After: seg.DeleteApplyStart, Own: deltamerge.NewSet(s.rule.AsOf)}
	for _, g := range s.l0 {
		if g.covers(seg) {
			sc.L0 = append(sc.L0, g.set)
		}
	}
	return sc, s.addDeletes(ctx, seg, sc.Own, counts)
}

// addDeletes reads all deltalogs of the segment, several at once, and adds them in the order of metadata.
func (s *Scan) addDeletes(ctx context.Context, seg *milvus.Segment, set *deltamerge.Set, counts *Counts) error {
	before, cutBefore := set.Entries(), set.AfterCut()
	for _, fb := range seg.Deltalogs {
		for first := 0; first < len(fb.Binlogs); first += filesAtOnce {
			group := fb.Binlogs[first:min(first+filesAtOnce, len(fb.Binlogs))]
			deletes := make([]*deltalog.Deletes, len(group))
			bytes := make([]int64, len(group))
			g, gctx := errgroup.WithContext(ctx)
			for i, b := range group {
				g.Go(func() (err error) {
					deletes[i], bytes[i], err = s.readDeltalog(gctx, b)
					return err
				})
			}
			if err := g.Wait(); err != nil {
				return fmt.Errorf("deletes of segment %d: %w", seg.ID, err)
			}
			for i, d := range deletes {
				counts.Bytes += bytes[i]
				add(set, d)
			}
		}
	}
	s.deletes.Add(set.Entries() - before)
	s.deletesAfterCut.Add(set.AfterCut() - cutBefore)
	return nil
}

func add(set *deltamerge.Set, d *deltalog.Deletes) {
	if d.Strings != nil {
		set.AddStrings(d.Strings, d.TS)
		return
	}
	set.AddInt64(d.Int64, d.TS)
}

// readDeltalog reads one file and checks it against its metadata and the type of the key.
func (s *Scan) readDeltalog(ctx context.Context, b milvus.Binlog) (*deltalog.Deletes, int64, error) {
	body, err := s.fetch(ctx, b)
	if err != nil {
		return nil, 0, err
	}
	d, err := deltalog.Read(body)
	if err != nil {
		return nil, 0, fault.Place(err, b.File.String())
	}
	if b.Entries > 0 && int64(d.Len()) != b.Entries {
		return nil, 0, fault.Corrupt("read deltalog", "the file holds %d deletes, metadata says %d", d.Len(), b.Entries).On(b.File.String())
	}
	if d.Len() > 0 && (d.PKType == milvus.TypeInt64) != (s.key.Type == milvus.TypeInt64) {
		return nil, 0, fault.Corrupt("read deltalog", "deletes have %s keys, the collection has %s", d.PKType, s.key.Type).On(b.File.String())
	}
	return d, int64(len(body)), nil
}
