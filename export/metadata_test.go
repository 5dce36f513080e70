package export_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// forget leaves out what metadata of some releases does not have, and shuffles what has no order.
func (l *layout) forget(seg *milvus.Segment) {
	entries, ids := l.IntN(4) == 0, l.IntN(4) == 0
	early, each := seg.StorageVersion == milvus.StorageV2 && l.IntN(3) == 0, l.coin()
	for i := range seg.Binlogs {
		if early && (each || l.coin()) {
			seg.Binlogs[i].ChildFields = nil // as the first builds of 2.6 left it
		}
	}
	for _, lists := range [][]milvus.FieldBinlog{seg.Binlogs, seg.Deltalogs} {
		l.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
		for _, fb := range lists {
			l.Shuffle(len(fb.Binlogs), func(i, j int) { fb.Binlogs[i], fb.Binlogs[j] = fb.Binlogs[j], fb.Binlogs[i] })
			for i := range fb.Binlogs {
				if entries {
					fb.Binlogs[i].Entries = 0
				}
				if ids {
					fb.Binlogs[i].LogID = 0
				}
			}
		}
	}
}

// formatVersion returns a version of the snapshot's format that has a place for what the segments need.
func (l *layout) formatVersion() int {
	least := 1
	for _, seg := range l.files.Segments {
		switch {
		case seg.DeleteApplyStart != 0:
			return 5
		case seg.CommitTimestamp != 0:
			least = 3
		}
	}
	return least + l.IntN(6-least)
}

func (l *layout) metadata(dir string) string {
	l.t.Helper()
	version := l.formatVersion()
	m := &snapfile.Metadata{FormatVersion: version, Layout: snapfile.LayoutReferenced, Collection: l.files.Collection, Manifests: map[milvus.SegmentID]string{}}
	m.Info = snapfile.Info{Name: "s", ID: 9, Collection: collectionID, CreateTS: milvus.Timestamp(l.h.cut)}
	for p := range partitions {
		m.Collection.Partitions = append(m.Collection.Partitions, milvus.Partition{ID: partitionID(p), Name: fmt.Sprintf("part%d", p)})
	}
	if l.h.ttl > 0 {
		m.Collection.Properties = append(m.Collection.Properties, milvus.KeyValue{Key: "collection.ttl.seconds", Value: fmt.Sprint(l.h.ttl)})
	}
	if f, ok := m.Collection.Schema.Field(l.h.expiry); ok && l.h.expiry != 0 {
		m.Collection.Properties = append(m.Collection.Properties, milvus.KeyValue{Key: "ttl_field", Value: f.Name})
	}
	m.Collection.Schema.Fields = append(flush.SystemFields(), typeParams(m.Collection.Schema.Fields)...)
	arrays := slices.Clone(m.Collection.Schema.StructArrays)
	for i := range arrays {
		arrays[i].Members = typeParams(arrays[i].Members)
	}
	m.Collection.Schema.StructArrays = arrays
	for i := range l.files.Segments {
		seg := &l.files.Segments[i]
		if l.forget(seg); version < 4 {
			for i := range seg.Binlogs {
				seg.Binlogs[i].ChildFields, seg.Binlogs[i].Format = nil, ""
			}
		}
		if seg.ManifestPath != "" {
			m.Manifests[seg.ID] = seg.ManifestPath
		}
		body, err := snapfile.EncodeSegment(seg, version)
		key := fmt.Sprintf("files/snapshots/%d/manifests/9/%d.avro", collectionID, seg.ID)
		l.write(dir, key, body, err)
		m.ManifestList, m.SegmentIDs = append(m.ManifestList, key), append(m.SegmentIDs, seg.ID)
	}
	body, err := snapfile.EncodeMetadata(m)
	return l.write(dir, fmt.Sprintf("files/snapshots/%d/metadata/9.json", collectionID), body, err)
}

// typeParams spells dimensions as Milvus stores them.
func typeParams(fields []milvus.Field) []milvus.Field {
	out := slices.Clone(fields)
	for i := range out {
		if out[i].Dim > 0 {
			out[i].TypeParams = []milvus.KeyValue{{Key: "dim", Value: fmt.Sprint(out[i].Dim)}}
		}
	}
	return out
}

func (l *layout) write(dir, key string, body []byte, err error) string {
	l.t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(key))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, body, 0o644)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return path
}
