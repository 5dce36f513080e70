package reader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

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

// checkL0 refuses what would be left out without a word: an L0 segment is read for its deltalogs alone.
func checkL0(seg *milvus.Segment) error {
	switch seg.StorageVersion {
	case milvus.StorageV1, milvus.StorageV2, milvus.StorageV3:
	default:
		return unknownStorage(seg)
	}
	for _, fb := range seg.Binlogs {
		if len(fb.Binlogs) > 0 {
			return fault.Corrupt("plan", "an L0 segment, which has deletes only, lists insert logs of field %d", fb.Field)
		}
	}
	return nil
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

// prepare does what comes before the first segment is read, once: it reads the deletes of all L0 segments into memory, or joins
// those that do not fit with the keys of the segments, and finds the rows that Dedupe leaves out. What is needed of it later is
// kept until the scan ends.
func (s *Scan) prepare(ctx context.Context, counts *Counts) error {
	s.prepared.Lock()
	defer s.prepared.Unlock()
	if s.ready {
		return nil
	}
	if !s.joins.l0 {
		kept, err := s.loadL0(ctx, counts)
		if errors.Is(err, fault.ErrLimit) && s.opts.TempDir != "" { // there are more than metadata says
			s.dropL0(kept)
			s.joins.l0, err = true, nil
		}
		if err != nil {
			return err
		}
	}
	if err := s.joinDeletes(ctx, counts); err != nil {
		return err
	}
	if err := s.dedupe(ctx, counts); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// loadL0 reads the deletes of all L0 segments that are not there yet, and returns the memory that was kept for them.
func (s *Scan) loadL0(ctx context.Context, counts *Counts) (kept int64, err error) {
	for _, g := range s.l0 {
		if g.set != nil {
			continue
		}
		set := deltamerge.NewSet(s.rule.AsOf)
		for _, seg := range g.segments {
			n, err := s.keepDeletes(ctx, seg, set, counts)
			if kept += n; err != nil {
				return kept, fmt.Errorf("deletes of L0 segment %d: %w", seg.ID, err)
			}
		}
		g.set = set
	}
	return kept, nil
}

// dropL0 forgets what loadL0 read.
func (s *Scan) dropL0(kept int64) {
	for _, g := range s.l0 {
		g.set = nil
	}
	s.opts.Budget.Return(kept)
	s.deletes.Store(0)
	s.deletesAfterCut.Store(0)
}

// keepDeletes reads the deltalogs of an L0 segment, a few at a time, each time within the budget. What the set grows by is
// kept for good. All of this comes before anything else of the budget is acquired by the scan.
func (s *Scan) keepDeletes(ctx context.Context, seg *milvus.Segment, set *deltamerge.Set, counts *Counts) (kept int64, err error) {
	for group := range deltalogs(seg) {
		need, before := deletesNeed(group), set.Bytes()
		if err := s.opts.Budget.Acquire(ctx, need); err != nil {
			return kept, err
		}
		err := s.addDeletes(ctx, group, set, counts)
		s.opts.Budget.Release(need)
		if err != nil {
			return kept, err
		}
		grown := set.Bytes() - before
		if err := s.opts.Budget.Keep(ctx, grown); err != nil {
			return kept, err
		}
		kept += grown
	}
	return kept, nil
}

// bytesPerDelete of memory are taken by a delete while it is decoded and held.
const bytesPerDelete = 48

// deletesNeed estimates the memory that reading the deltalogs takes.
func deletesNeed(logs []milvus.Binlog) (n int64) {
	for _, b := range logs {
		n += b.Entries*bytesPerDelete + b.Size
	}
	return n
}

// deltalogs yields the segment's deltalogs, as many at a time as are read at once.
func deltalogs(seg *milvus.Segment) iter.Seq[[]milvus.Binlog] {
	return func(yield func([]milvus.Binlog) bool) {
		for _, fb := range seg.Deltalogs {
			for group := range slices.Chunk(fb.Binlogs, filesAtOnce) {
				if !yield(group) {
					return
				}
			}
		}
	}
}

// scope collects what applies to the segment. The scan must be prepared.
func (s *Scan) scope(ctx context.Context, seg *milvus.Segment, counts *Counts) (deltamerge.Scope, error) {
	sc := deltamerge.Scope{Commit: seg.CommitTimestamp, L0After: seg.DeleteApplyStart, Dead: s.joins.dead[seg.ID]}
	for _, g := range s.l0 {
		if g.set != nil && g.covers(seg) {
			sc.L0 = append(sc.L0, g.set)
		}
	}
	if s.noOwn(seg) {
		return sc, nil
	}
	sc.Own = deltamerge.NewSet(s.rule.AsOf)
	for group := range deltalogs(seg) {
		if err := s.addDeletes(ctx, group, sc.Own, counts); err != nil {
			return sc, fmt.Errorf("deletes: %w", err)
		}
	}
	return sc, nil
}

// addDeletes reads a group of deltalogs, all at once, and adds them in the order of metadata.
func (s *Scan) addDeletes(ctx context.Context, group []milvus.Binlog, set *deltamerge.Set, counts *Counts) error {
	entries, afterCut := set.Entries(), set.AfterCut()
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
		return err
	}
	grow(set, deletes)
	for i, d := range deletes {
		counts.Bytes += bytes[i]
		add(set, d)
	}
	s.deletes.Add(set.Entries() - entries)
	s.deletesAfterCut.Add(set.AfterCut() - afterCut)
	return nil
}

// grow makes room for what is added next.
func grow(set *deltamerge.Set, all []*deltalog.Deletes) {
	ints, texts, text := 0, 0, 0
	for _, d := range all {
		if d.Strings != nil {
			texts, text = texts+d.Len(), text+len(d.Strings.ValueBytes())
		} else {
			ints += d.Len()
		}
	}
	set.GrowInt64(ints)
	set.GrowStrings(texts, text)
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
	return d, int64(len(body)), s.checkDeletes(b, d, int64(d.Len()))
}

// checkDeletes compares deletes, of a file that has so many, with metadata and the type of the key.
func (s *Scan) checkDeletes(b milvus.Binlog, d *deltalog.Deletes, inFile int64) error {
	if b.Entries > 0 && inFile != b.Entries {
		return fault.Corrupt("read deltalog", "the file holds %d deletes, metadata says %d", inFile, b.Entries).On(b.File.String())
	}
	if d.Len() > 0 && (d.PKType == milvus.TypeInt64) != (s.key.Type == milvus.TypeInt64) {
		return fault.Corrupt("read deltalog", "deletes have %s keys, the collection has %s", d.PKType, s.key.Type).On(b.File.String())
	}
	return nil
}
