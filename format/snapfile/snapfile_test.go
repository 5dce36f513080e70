package snapfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

var update = flag.Bool("update", false, "write golden files")

func equal(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
		t.Errorf("got + and want -:\n%s", d)
	}
}

// full is a segment with something in every field of format version 5, and more than one block of logs.
func full() milvus.Segment {
	s := milvus.Segment{
		ID: 1001, Partition: milvus.AllPartitions, Level: milvus.LevelL2, Channel: "by-dev-rootcoord-dml_0_100v0", Rows: 1 << 40,
		Start: milvus.Position{Channel: "by-dev-rootcoord-dml_0", MessageID: []byte{8, 0, 255}, Group: "g", Timestamp: 1<<63 + 5},
		DML:   milvus.Position{Channel: "c", Timestamp: 461000000200000000}, StorageVersion: 2, Sorted: true,
		CommitTimestamp: 461000000200000001, DeleteApplyStart: 461000000200000002,
		Binlogs: []milvus.FieldBinlog{{Field: 102, ChildFields: []milvus.FieldID{0, 1, 100}, Format: "parquet"}},
		Deltalogs: []milvus.FieldBinlog{{Field: 0, Binlogs: []milvus.Binlog{{
			File: milvus.FileRef{Key: "files/delta_log/100/201/1001/9"}, LogID: 9, Entries: 3, From: 4, To: 5, Size: 6, MemorySize: 7}}}},
		Statslogs: []milvus.FieldBinlog{{Field: 100, Binlogs: []milvus.Binlog{{File: milvus.FileRef{Key: "stats"}, LogID: 1}}}},
		BM25logs:  []milvus.FieldBinlog{{Field: 103, Binlogs: []milvus.Binlog{{File: milvus.FileRef{Key: "bm25"}, LogID: 1}}}},
		Indexes: []milvus.IndexFiles{{Field: 102, Index: 301, Build: 401, Name: "vector", Params: []milvus.KeyValue{{Key: "index_type", Value: "HNSW"}},
			Files: []milvus.FileRef{{Key: "index_files/401/1/201/1001/HNSW"}, {Key: ""}}, SerializedSize: 11, Version: 12, Rows: 13,
			CurrentVersion: -14, MemorySize: 15, ScalarVersion: 16, StorePathVersion: 1}},
		TextIndexes: []milvus.FieldStats{{Field: 104, Version: 1, Files: []milvus.FileRef{{Key: "text"}}, LogSize: 2, MemorySize: 3, Build: 4}},
		JSONStats:   []milvus.FieldStats{{Field: 105, Version: 1, Files: []milvus.FileRef{{Key: "json"}}, LogSize: 2, MemorySize: 3, Build: 4, JSONFormat: 2}},
	}
	for i := range 250 {
		s.Binlogs[0].Binlogs = append(s.Binlogs[0].Binlogs, milvus.Binlog{
			File: milvus.FileRef{Key: fmt.Sprintf("files/insert_log/100/201/1001/102/%d", i)}, LogID: milvus.LogID(i), Entries: 10, Size: 1 << 33,
		})
	}
	return s
}

// older takes from s what the version has no place for.
func older(s milvus.Segment, version int) milvus.Segment {
	if version < 5 {
		s.DeleteApplyStart = 0
	}
	if version < 4 {
		s.Binlogs[0].ChildFields, s.Binlogs[0].Format = nil, ""
	}
	if version < 3 {
		s.CommitTimestamp = 0
	}
	if version < 2 {
		s.Indexes[0].StorePathVersion = 0
	}
	return s
}

// The golden files were read with fastavro and the published schemas, and held what full and older say.
func TestSegmentGolden(t *testing.T) {
	for version := OldestVersion; version <= NewestVersion; version++ {
		want := older(full(), version)
		got, err := EncodeSegment(&want, version)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", fmt.Sprintf("segment_v%d.avro", version))
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, testkit.ReadFile(t, golden)) {
			t.Errorf("version %d: the encoded bytes changed", version)
		}
		s, err := DecodeSegment(got, version)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, *s, want)
		for other := OldestVersion; other <= NewestVersion; other++ {
			if _, err := DecodeSegment(got, other); (err == nil) != (other == version) {
				t.Errorf("version %d read as %d: %v", version, other, err)
			}
		}
		if version < NewestVersion {
			s := full()
			if _, err := EncodeSegment(&s, version); fault.ClassName(err) != "ErrUnsupported" {
				t.Errorf("version %d: newer fields were lost: %v", version, err)
			}
		}
	}
}

func TestSegmentOfAnotherWriter(t *testing.T) {
	want := testkit.ReadFile(t, testkit.Shared(t), "formats/snapshot/seg_v5.avro")
	s, err := DecodeSegment(want, 5)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != 1001 || s.Rows != 3000 || len(s.Indexes) != 1 || len(s.Deltalogs) != 1 || s.Binlogs[0].ChildFields == nil {
		t.Errorf("decoded %+v", s)
	}
	got, err := EncodeSegment(s, 5)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("encoded %x, want %x", got, want)
	}
}

func TestMetadataOfAnotherWriter(t *testing.T) {
	want := testkit.ReadFile(t, testkit.Shared(t), "formats/snapshot/example-metadata.json")
	m, err := DecodeMetadata(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := EncodeMetadata(m)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, generic(t, got), generic(t, want))

	m.raw = nil // what the typed values hold is enough for this one, but for the partition keys' number of partitions
	if got, err = EncodeMetadata(m); err != nil {
		t.Fatal(err)
	}
	equal(t, generic(t, got), generic(t, want))
}

func generic(t *testing.T, b []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

const head = `{"snapshotInfo":{"id":9007199254740993,"collection_id":"100","createTs":461000000200000000},`

func TestMetadataForms(t *testing.T) {
	b := head + ` "unknown": [[{}, null, 1.5]], "layout": 2, "build_ids": null, "manifestList" : ["a"], "segment_ids": [9007199254740993],
		"storagev2ManifestList": [{"segmentId": 9007199254740993, "manifest": "{\"ver\":1}"}],
		"collection": {"schema": {"name":"c", "dbName": null, "fields": [
			{"fieldID": 101, "name": "v", "dataType": 101, "typeParams": [{"key":"dim","value":"4"}], "new": 1},
			{"fieldID": "100", "name": "id", "data_type": "Int64", "isPrimaryKey": true, "default_value": {"long_data": "9007199254740995"}},
			{"fieldID": 102, "name": "gone", "data_type": 77, "state": "FieldDropped"},
			{"fieldID": 103, "name": "m", "data_type": "Mol"},
			{"name": "RowID", "data_type": 5}]},
			"partitions": {"b": "2", "a": 3}, "consistencyLevel": 3, "virtual_channel_names": ["v0"]}}`
	m, err := DecodeMetadata([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, strip(m), Metadata{
		FormatVersion: 1, Layout: LayoutSelfContained, ManifestList: []string{"a"},
		SegmentIDs: []milvus.SegmentID{9007199254740993}, Manifests: map[milvus.SegmentID]string{9007199254740993: `{"ver":1}`},
		Info: Info{ID: 9007199254740993, Collection: 100, CreateTS: 461000000200000000},
		Collection: milvus.Collection{ID: 100, Database: "default", ConsistencyLevel: 3, Channels: []string{"v0"},
			Partitions: []milvus.Partition{{ID: 2, Name: "b"}, {ID: 3, Name: "a"}},
			Schema: milvus.Schema{Name: "c", Database: "default", Fields: []milvus.Field{
				{ID: 0, Name: "RowID", Type: milvus.TypeInt64},
				{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true, Default: int64(9007199254740995)},
				{ID: 101, Name: "v", Type: milvus.TypeFloatVector, Dim: 4, TypeParams: []milvus.KeyValue{{Key: "dim", Value: "4"}}},
				{ID: 103, Name: "m", Type: milvus.TypeMol},
			}}},
	})
}

func TestMetadataRefused(t *testing.T) {
	collection := `"collection":{"schema":{"fields":[%s]}}`
	fields := func(f string) string { return head + fmt.Sprintf(collection, f) + "}" }
	for _, c := range []struct{ what, json, class, says string }{
		{"not an object", `[]`, "ErrCorrupt", "not an object"},
		{"nothing", ` `, "ErrCorrupt", "too early"},
		{"text after it", head + `"collection":{"schema":{}}} x`, "ErrCorrupt", "follows"},
		{"a fraction", `{"segment_ids":[1.5]}`, "ErrCorrupt", "1.5"},
		{"too large", `{"segment_ids":[9223372036854775808]}`, "ErrCorrupt", ""},
		{"double key", `{"layout":1,"layout":2}`, "ErrCorrupt", "duplicate"},
		{"double key in two spellings", `{"build_ids":[1],"buildIds":[2]}`, "ErrCorrupt", "duplicate"},
		{"double partition", head + `"collection":{"schema":{},"partitions":{"a":1,"a":2}}}`, "ErrCorrupt", "duplicate"},
		{"newer version", `{"format_version":6}`, "ErrUnsupported", "version 6"},
		{"version as text", `{"format_version":"x"}`, "ErrCorrupt", ""},
		{"unknown layout", `{"layout":"SnapshotLayoutElsewhere"}`, "ErrUnsupported", "Elsewhere"},
		{"unknown layout number", head + `"layout":7,"collection":{"schema":{}}}`, "ErrUnsupported", "7"},
		{"unknown type name", fields(`{"name":"f","data_type":"Quaternion"}`), "ErrUnsupported", "Quaternion"},
		{"unknown type", fields(`{"fieldID":7,"name":"f","data_type":77}`), "ErrUnsupported", `"f" (7) is of the unknown data type 77`},
		{"unknown element type", fields(`{"name":"f","data_type":22,"element_type":78}`), "ErrUnsupported", "78"},
		{"unknown member type", head + `"collection":{"schema":{"struct_array_fields":[{"fields":[{"name":"f","data_type":77}]}]}}}`, "ErrUnsupported", "77"},
		{"no type", fields(`{"name":"f"}`), "ErrCorrupt", "no data type"},
		{"no dim", fields(`{"name":"f","data_type":101}`), "ErrCorrupt", "dim"},
		{"bad dim", fields(`{"name":"f","data_type":101,"type_params":[{"key":"dim","value":"-4"}]}`), "ErrCorrupt", `"-4"`},
		{"huge dim", fields(`{"name":"f","data_type":101,"type_params":[{"key":"dim","value":"99999999"}]}`), "ErrLimit", "99999999"},
		{"same id", fields(`{"name":"f","data_type":1},{"name":"g","data_type":1}`), "ErrCorrupt", "same id"},
		{"default of another type", fields(`{"name":"f","data_type":1,"default_value":{"int_data":1}}`), "ErrCorrupt", "default"},
		{"default that does not fit", fields(`{"name":"f","data_type":2,"default_value":{"int_data":128}}`), "ErrCorrupt", "default"},
		{"no schema", head + `"collection":{}}`, "ErrCorrupt", "missing"},
		{"no ids", `{"snapshot_info":{},"collection":{"schema":{}}}`, "ErrCorrupt", "positive"},
		{"deep", `{"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, "ErrLimit", "deep"},
		{"many objects", `{"x":[` + strings.Repeat("{},", 1<<20) + `{}]}`, "ErrLimit", "objects"},
		{"empty manifest path", head + `"manifest_list":[""],"collection":{"schema":{}}}`, "ErrCorrupt", "empty"},
		{"same manifest", head + `"storagev2_manifest_list":[{"segment_id":1,"manifest":"x"},{"segment_id":1,"manifest":"y"}],"collection":{"schema":{}}}`, "ErrCorrupt", "twice"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := DecodeMetadata([]byte(c.json))
			if fault.ClassName(err) != c.class || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %s that says %q", err, c.class, c.says)
			}
		})
	}
}

func TestAssembleRefused(t *testing.T) {
	base := func() (*Metadata, []milvus.Segment) {
		return &Metadata{Info: Info{Collection: 100}, ManifestList: []string{"a", "b"}, SegmentIDs: []milvus.SegmentID{1, 2},
			Manifests: map[milvus.SegmentID]string{2: "m"}}, []milvus.Segment{{ID: 1}, {ID: 2}}
	}
	m, segments := base()
	if err := Assemble(m, segments); err != nil || segments[1].ManifestPath != "m" || segments[0].Collection != 100 {
		t.Fatal(err, segments)
	}
	for what, change := range map[string]func(*Metadata, []milvus.Segment){
		"double":     func(_ *Metadata, s []milvus.Segment) { s[1].ID = 1 },
		"missing":    func(m *Metadata, s []milvus.Segment) { m.SegmentIDs[0] = 3 },
		"unexpected": func(m *Metadata, s []milvus.Segment) { m.SegmentIDs = m.SegmentIDs[1:] },
		"manifest":   func(m *Metadata, s []milvus.Segment) { m.Manifests[7] = "x" },
		"count":      func(m *Metadata, s []milvus.Segment) { m.ManifestList = m.ManifestList[1:] },
	} {
		m, segments := base()
		change(m, segments)
		if err := Assemble(m, segments); fault.ClassName(err) != "ErrCorrupt" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestEncodeFresh(t *testing.T) {
	m := &Metadata{
		Info:       Info{Name: "s", ID: 7, Collection: 100, Partitions: []milvus.PartitionID{201}, CreateTS: 5, State: pb.SnapshotState_SnapshotStatePending},
		Collection: milvus.Collection{ID: 100, Database: "db", Schema: milvus.Schema{Name: "c"}},
		Indexes:    []milvus.Index{{ID: 3, Field: 101, Name: "x"}}, ManifestList: []string{"a"}, SegmentIDs: []milvus.SegmentID{1},
	}
	b, err := EncodeMetadata(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format_version":5,"snapshot_info":{"name":"s","id":"7","collection_id":"100","partition_ids":["201"],"create_ts":"5","state":"SnapshotStatePending"},
		"collection":{"schema":{"name":"c","dbName":"db"}},"indexes":[{"collectionID":"100","fieldID":"101","index_name":"x","indexID":"3"}],
		"manifest_list":["a"],"segment_ids":["1"],"layout":"SnapshotLayoutReferenced"}`
	equal(t, generic(t, b), generic(t, []byte(want)))
	if MetadataKey("files", 100, 7) != "files/snapshots/100/metadata/7.json" || ManifestKey("", 100, 7, 1) != "snapshots/100/manifests/7/1.avro" {
		t.Error("keys")
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(head + `"collection":{"schema":{"fields":[{"name":"f","data_type":101,"type_params":[{"key":"dim","value":"4"}]}]}},"layout":"SnapshotLayoutReferenced"}`))
	f.Add([]byte(`{"format_version":5,"snapshot_info":{"id":1e3,"pin_expire_at_ms":{"1":"2"}},"segment_ids":["1",2]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMetadata(b)
		if err != nil {
			if fault.ClassName(err) == "" {
				t.Fatalf("an error without a class: %v", err)
			}
			return
		}
		out, err := EncodeMetadata(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeMetadata(out)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, strip(again), strip(m))
	})
}

func FuzzSegment(f *testing.F) {
	for version := OldestVersion; version <= NewestVersion; version++ {
		s := older(full(), version)
		s.Binlogs[0].Binlogs = s.Binlogs[0].Binlogs[:2]
		b, err := EncodeSegment(&s, version)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, version)
	}
	f.Fuzz(func(t *testing.T, b []byte, version int) {
		s, err := DecodeSegment(b, version)
		if err != nil {
			if fault.ClassName(err) == "" {
				t.Fatalf("an error without a class: %v", err)
			}
			return
		}
		out, err := EncodeSegment(s, version)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeSegment(out, version)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, *again, *s)
	})
}

func BenchmarkDecodeSegment(b *testing.B) {
	s := full()
	buf, err := EncodeSegment(&s, 5)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := DecodeSegment(buf, 5); err != nil {
			b.Fatal(err)
		}
	}
}
