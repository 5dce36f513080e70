package main

import (
	"fmt"
	"path"
	"path/filepath"

	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

const (
	snapshotID     = 7001
	manifestFields = 8 // one insert log each; with deletes and statistics a segment has 10 files
)

// writeManifests writes a snapshot whose segments' files do not exist, and returns where its metadata is.
func writeManifests(dir string, segments int) (string, error) {
	meta := &snapfile.Metadata{
		Info:       snapfile.Info{Name: "manifests", ID: snapshotID, Collection: collectionID, CreateTS: beginning},
		Collection: milvus.Collection{ID: collectionID, Schema: milvus.Schema{Name: "manifests"}, Partitions: []milvus.Partition{{ID: partitionID, Name: "_default"}}},
	}
	for f := range manifestFields {
		meta.Collection.Schema.Fields = append(meta.Collection.Schema.Fields,
			milvus.Field{ID: milvus.FirstUserField + milvus.FieldID(f), Name: fmt.Sprint("f", f), Type: milvus.TypeInt64, PrimaryKey: f == 0})
	}
	const below = "bucket"
	for i := range segments {
		seg := manifestSegment(milvus.SegmentID(firstSegment + i))
		b, err := snapfile.EncodeSegment(&seg, snapfile.NewestVersion)
		if err != nil {
			return "", err
		}
		key := snapfile.ManifestKey(storageRoot, collectionID, snapshotID, int64(seg.ID))
		if err := writeFile(filepath.Join(dir, below, filepath.FromSlash(key)), b); err != nil {
			return "", err
		}
		meta.ManifestList = append(meta.ManifestList, key)
		meta.SegmentIDs = append(meta.SegmentIDs, seg.ID)
	}
	b, err := snapfile.EncodeMetadata(meta)
	if err != nil {
		return "", err
	}
	key := snapfile.MetadataKey(storageRoot, collectionID, snapshotID)
	return path.Join(below, key), writeFile(filepath.Join(dir, below, filepath.FromSlash(key)), b)
}

func manifestSegment(id milvus.SegmentID) milvus.Segment {
	seg := milvus.Segment{ID: id, Partition: partitionID, Level: milvus.LevelL1, Channel: channel, Rows: 1000, Sorted: true}
	log := func(kind string, field milvus.FieldID, size int64) milvus.FieldBinlog {
		key := fmt.Sprintf("%s/%s/%d/%d/%d/%d/%d", storageRoot, kind, collectionID, partitionID, id, field, 460_000_000_000_000_000+int64(id)*100+int64(field))
		return milvus.FieldBinlog{Field: field, Binlogs: []milvus.Binlog{{File: milvus.FileRef{Key: key}, Entries: 1000, From: 1, To: 2, Size: size, MemorySize: 2 * size}}}
	}
	for f := range manifestFields {
		seg.Binlogs = append(seg.Binlogs, log("insert_log", milvus.FirstUserField+milvus.FieldID(f), 8000))
	}
	seg.Deltalogs = []milvus.FieldBinlog{log("delta_log", 0, 500)}
	seg.Statslogs = []milvus.FieldBinlog{log("stats_log", milvus.FirstUserField, 700)}
	return seg
}
