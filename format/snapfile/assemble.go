package snapfile

import (
	"maps"
	"slices"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opAssemble = "assemble snapshot"

// Assemble checks that the segments of all manifests are those of the metadata (docs/format/snapshot.md 5, rules 3 and
// 4), and sets their Collection and ManifestPath. A missing, unexpected or double segment is fault.ErrCorrupt.
// The order of segments does not matter and is kept.
func Assemble(m *Metadata, segments []milvus.Segment) error {
	if len(segments) != len(m.ManifestList) {
		return fault.Corrupt(opAssemble, "%d manifests are listed and %d were read", len(m.ManifestList), len(segments))
	}
	loaded := make(map[milvus.SegmentID]bool, len(segments))
	for i := range segments {
		s := &segments[i]
		if loaded[s.ID] {
			return fault.Corrupt(opAssemble, "two manifests are of segment %d", s.ID)
		}
		loaded[s.ID] = true
		s.Collection = m.Info.Collection
		s.ManifestPath = m.Manifests[s.ID]
	}
	for _, id := range slices.Sorted(maps.Keys(m.Manifests)) {
		if !loaded[id] {
			return fault.Corrupt(opAssemble, "storagev2_manifest_list names segment %d, which has no manifest", id)
		}
	}
	if len(m.SegmentIDs) == 0 {
		return nil
	}
	for _, id := range m.SegmentIDs {
		if !loaded[id] {
			return fault.Corrupt(opAssemble, "segment_ids names segment %d, which has no manifest", id)
		}
	}
	if len(m.SegmentIDs) != len(segments) {
		return fault.Corrupt(opAssemble, "segment_ids has %d segments, manifests are of %d", len(m.SegmentIDs), len(segments))
	}
	return nil
}
