package snapshot

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// draft is a snapshot that is not written yet.
type draft struct {
	meta     *snapfile.Metadata
	segments []*metastore.Segment
}

// capture fixes what the snapshot holds and registers its references. Until they are, nothing of the collection counts as
// free.
func (s *Service) capture(c *metastore.Collection, id milvus.SnapshotID, r Request) (*draft, error) {
	s.mu.Lock()
	s.capturing[c.ID]++
	s.mu.Unlock()
	d, err := s.look(c.ID, id, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.capturing[c.ID]--; s.capturing[c.ID] == 0 {
		delete(s.capturing, c.ID)
	}
	if err == nil {
		s.refs[id] = referencesOf(d.meta)
	}
	return d, err
}

// look reads the collection, its checkpoints and its segments, all of one moment: again where one changed meanwhile.
func (s *Service) look(collection milvus.CollectionID, id milvus.SnapshotID, r Request) (*draft, error) {
	for {
		c, ok := s.store.CollectionByID(collection)
		if !ok || c.State != pb.CollectionState_CollectionCreated {
			return nil, status.New(status.CollectionMissing, "collection not found[collection=%d]", collection)
		}
		seek := s.checkpoints(c)
		segments := s.store.Segments(collection)
		now, ok := s.store.CollectionByID(collection)
		if ok && now == c && slices.EqualFunc(seek, s.checkpoints(c), samePosition) {
			return s.draft(c, id, r, seek, segments), nil
		}
	}
}

func (s *Service) checkpoints(c *metastore.Collection) []milvus.Position {
	out := make([]milvus.Position, 0, len(c.Channels))
	for _, channel := range c.Channels {
		p := s.store.Checkpoint(channel)
		p.Channel = channel
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b milvus.Position) int { return strings.Compare(a.Channel, b.Channel) })
	return out
}

func samePosition(a, b milvus.Position) bool {
	return a.Channel == b.Channel && a.Timestamp == b.Timestamp
}

func (s *Service) draft(c *metastore.Collection, id milvus.SnapshotID, r Request, seek []milvus.Position, segments []*metastore.Segment) *draft {
	now := s.config.Now()
	info := snapfile.Info{
		Name: r.Name, ID: id, Description: r.Description, Collection: c.ID, CreateTS: cut(c, seek),
		State: pb.SnapshotState_SnapshotStatePending, PendingStart: now.UnixMilli(), SeekPositions: seek, SkipIndex: r.SkipIndex,
	}
	if r.Protection > 0 {
		info.CompactionExpire = uint64(now.Add(r.Protection).Unix())
	}
	for _, p := range c.Partitions {
		info.Partitions = append(info.Partitions, p.ID)
	}
	d := &draft{meta: &snapfile.Metadata{
		FormatVersion: snapfile.NewestVersion, Info: info, Collection: c.Collection, Layout: snapfile.LayoutReferenced,
		Manifests: map[milvus.SegmentID]string{},
	}}
	if !r.SkipIndex {
		d.meta.Indexes = c.Indexes
	}
	for _, seg := range segments {
		if hasData(seg) {
			s.add(d, seg)
		}
	}
	slices.Sort(d.meta.BuildIDs)
	d.meta.BuildIDs = slices.Compact(d.meta.BuildIDs)
	return d
}

// cut is the least checkpoint: what is at or before it is in files on every channel.
func cut(c *metastore.Collection, seek []milvus.Position) milvus.Timestamp {
	if len(seek) == 0 {
		return c.Created
	}
	least := seek[0].Timestamp
	for _, p := range seek[1:] {
		least = min(least, p.Timestamp)
	}
	return max(least, c.Created)
}

func (s *Service) add(d *draft, seg *metastore.Segment) {
	if d.meta.Info.SkipIndex && len(seg.Indexes) > 0 {
		bare := *seg
		bare.Indexes = nil
		seg = &bare
	}
	d.segments = append(d.segments, seg)
	d.meta.SegmentIDs = append(d.meta.SegmentIDs, seg.ID)
	d.meta.ManifestList = append(d.meta.ManifestList, snapfile.ManifestKey(s.config.Root, int64(seg.Collection), int64(d.meta.Info.ID), int64(seg.ID)))
	if seg.ManifestPath != "" {
		d.meta.Manifests[seg.ID] = seg.ManifestPath
	}
	d.addBuilds(&seg.Segment)
}

// addBuilds lists the builds of a segment's indexes and statistics.
func (d *draft) addBuilds(seg *milvus.Segment) {
	for i := range seg.Indexes {
		d.build(seg.Indexes[i].Build)
	}
	for _, stats := range [][]milvus.FieldStats{seg.TextIndexes, seg.JSONStats} {
		for i := range stats {
			d.build(stats[i].Build)
		}
	}
}

func (d *draft) build(id milvus.BuildID) {
	if id != 0 {
		d.meta.BuildIDs = append(d.meta.BuildIDs, id)
	}
}

// hasData tells segments with rows or deletes. A V3 segment may have nothing but its manifest, which before the first commit
// does not exist.
func hasData(seg *metastore.Segment) bool {
	if seg.StorageVersion == milvus.StorageV3 || strings.HasPrefix(seg.ManifestPath, "{") {
		var m struct {
			Version int64 `json:"ver"`
		}
		if json.Unmarshal([]byte(seg.ManifestPath), &m) == nil && m.Version == 0 {
			return false
		}
	}
	if seg.Rows > 0 {
		return true
	}
	return slices.ContainsFunc(seg.Deltalogs, func(f milvus.FieldBinlog) bool {
		return slices.ContainsFunc(f.Binlogs, func(b milvus.Binlog) bool { return b.Entries > 0 || b.Size > 0 })
	})
}
