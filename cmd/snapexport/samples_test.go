package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// sampleSegment is what the samples' segments.json says of a segment.
type sampleSegment struct {
	ID             milvus.SegmentID    `json:"segment"`
	Collection     milvus.CollectionID `json:"collection"`
	Partition      milvus.PartitionID  `json:"partition"`
	StorageVersion int64               `json:"storage_version"`
	Level          string              `json:"level"`
	ManifestPath   string              `json:"manifest_path"`
	Rows           int64               `json:"rows"`
	Live           int64               `json:"live"`
	Truth          string              `json:"truth"`
	Deltalogs      []string            `json:"deltalogs"`
	L0             []milvus.SegmentID  `json:"l0_applies"`
	Fields         []sampleField       `json:"fields"`
	Binlogs        []sampleGroup       `json:"binlogs"`
}

type sampleField struct {
	ID       milvus.FieldID  `json:"fieldID"`
	Name     string          `json:"name"`
	Type     milvus.DataType `json:"data_type_code"`
	Nullable bool            `json:"nullable"`
	Key      bool            `json:"is_primary_key"`
	Dim      int             `json:"dim"`
	Element  string          `json:"element_type"`
	Dynamic  bool            `json:"is_dynamic"`
	Of       milvus.FieldID  `json:"struct_sub_field"`
}

type sampleGroup struct {
	Field   milvus.FieldID   `json:"fieldID"`
	Fields  []milvus.FieldID `json:"child_fields"`
	Binlogs []struct {
		LogID   milvus.LogID     `json:"logID"`
		Entries int64            `json:"entries_num"`
		From    milvus.Timestamp `json:"timestamp_from"`
		To      milvus.Timestamp `json:"timestamp_to"`
		Size    int64            `json:"log_size"`
	} `json:"binlogs"`
}

func sampleSegments(t *testing.T) (out []sampleSegment) {
	t.Helper()
	if err := json.Unmarshal(testkit.ReadFile(t, testkit.StorageSamples(t), "segments.json"), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

var sampleElements = map[string]milvus.DataType{
	"": 0, "Int32": milvus.TypeInt32, "Int64": milvus.TypeInt64, "VarChar": milvus.TypeVarChar, "FloatVector": milvus.TypeFloatVector,
}

// schema declares each member of a struct array as an array of its own, since their lengths differ in the samples.
func (s sampleSegment) schema(t *testing.T) (out milvus.Schema) {
	t.Helper()
	out.Name = "samples"
	for _, f := range s.Fields {
		element, known := sampleElements[f.Element]
		if !known {
			t.Fatalf("element type %s", f.Element)
		}
		field := milvus.Field{ID: f.ID, Name: f.Name, Type: f.Type, ElementType: element, Dim: f.Dim, Nullable: f.Nullable, PrimaryKey: f.Key, Dynamic: f.Dynamic}
		for _, p := range []struct {
			key string
			n   int
		}{{"dim", f.Dim}, {"max_length", 65535}, {"max_capacity", 4096}} {
			if p.n > 0 {
				field.TypeParams = append(field.TypeParams, milvus.KeyValue{Key: p.key, Value: fmt.Sprint(p.n)})
			}
		}
		switch {
		case f.ID < milvus.FirstUserField:
		case f.Of != 0:
			out.StructArrays = append(out.StructArrays, milvus.StructArray{ID: 1000 + f.ID, Name: structName(f.Name), Members: []milvus.Field{field}})
		default:
			out.Fields = append(out.Fields, field)
			out.EnableDynamic = out.EnableDynamic || f.Dynamic
		}
	}
	return out
}

// structName names the array of one member: "st[a]" becomes "st_a".
func structName(member string) string {
	return strings.TrimSuffix(strings.Replace(member, "[", "_", 1), "]")
}

func (s sampleSegment) segment() milvus.Segment {
	out := milvus.Segment{ID: s.ID, Collection: s.Collection, Partition: s.Partition, Level: milvus.LevelL1, Channel: "channel",
		Rows: s.Rows, StorageVersion: s.StorageVersion, ManifestPath: s.ManifestPath}
	if s.Level == "L0" {
		out.Level, out.StorageVersion = milvus.LevelL0, milvus.StorageV1
	}
	for _, g := range s.Binlogs {
		fb := milvus.FieldBinlog{Field: g.Field, ChildFields: g.Fields}
		for _, b := range g.Binlogs {
			key := fmt.Sprintf("files/insert_log/%d/%d/%d/%d/%d", s.Collection, s.Partition, s.ID, g.Field, b.LogID)
			fb.Binlogs = append(fb.Binlogs, milvus.Binlog{File: milvus.FileRef{Key: key}, LogID: b.LogID, Entries: b.Entries, From: b.From, To: b.To, Size: b.Size})
		}
		out.Binlogs = append(out.Binlogs, fb)
	}
	deletes := milvus.FieldBinlog{}
	for _, key := range s.Deltalogs {
		deletes.Binlogs = append(deletes.Binlogs, milvus.Binlog{File: milvus.FileRef{Key: key}})
	}
	if len(deletes.Binlogs) > 0 {
		out.Deltalogs = []milvus.FieldBinlog{deletes}
	}
	return out
}

// sampleSnapshot writes a snapshot of the segments over a copy of a bucket of the samples, and returns the path of its metadata.
func sampleSnapshot(t *testing.T, bucket string, schema milvus.Schema, segments ...milvus.Segment) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(testkit.StorageSamples(t), bucket))); err != nil {
		t.Fatal(err)
	}
	c := fixture.New(dir, milvus.Collection{ID: segments[0].Collection, Database: "default", Schema: schema, Channels: []string{"channel"},
		Partitions: []milvus.Partition{{ID: segments[0].Partition, Name: "_default"}}})
	return filepath.Join(dir, c.Snapshot(t, "samples", 7001, segments))
}
