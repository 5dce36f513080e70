package etcdmeta

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// fixture is a cluster with one collection (100, partition 201) and one flushed segment (1001) of two chunks.
func fixture(k Keys) ([]KV, error) {
	info := &pb.CollectionInfo{
		ID: 100, DbId: 1, ShardsNum: 1, VirtualChannelNames: []string{"dml_0_100v0"}, CreateTime: 5,
		Properties: []*pb.KeyValuePair{{Key: "collection.ttl.seconds", Value: "60"}},
		Schema: &pb.CollectionSchema{Name: "c", Fields: []*pb.FieldSchema{
			{FieldID: 0, Name: "RowID", DataType: pb.DataType_Int64},
			{FieldID: 1, Name: "Timestamp", DataType: pb.DataType_Int64},
			{FieldID: 100, Name: "id", DataType: pb.DataType_Int64, IsPrimaryKey: true},
		}, Functions: []*pb.FunctionSchema{{Id: 7, Name: "bm25", Type: pb.FunctionType_BM25, OutputFieldIds: []int64{103}}},
			StructArrayFields: []*pb.StructArrayFieldSchema{{FieldID: 110, Name: "st", Fields: []*pb.FieldSchema{
				{FieldID: 111, Name: "a", DataType: pb.DataType_Array, ElementType: pb.DataType_Int64}}}}},
	}
	rows, err := CollectionRows(k, info, []*pb.PartitionInfo{{PartitionID: 201, PartitionName: "_default", CollectionId: 100}})
	if err != nil {
		return nil, err
	}
	more, err := SegmentRows(k, "files", segment(1001))
	if err != nil {
		return nil, err
	}
	return append(rows, more...), nil
}

// segment has 5 rows in two chunks of the fields 0, 1 and 100, and a delete.
func segment(id int64) *pb.SegmentInfo {
	s := &pb.SegmentInfo{ID: id, CollectionID: 100, PartitionID: 201, InsertChannel: "dml_0_100v0", NumOfRows: 5, State: pb.SegmentState_Flushed}
	for _, f := range []int64{0, 1, 100} {
		s.Binlogs = append(s.Binlogs, &pb.FieldBinlog{FieldID: f, Binlogs: []*pb.Binlog{
			{EntriesNum: 2, LogPath: fmt.Sprintf("files/insert_log/100/201/%d/%d/%d", id, f, 9000+f)},
			{EntriesNum: 3, LogID: 9500 + f},
		}})
	}
	s.Deltalogs = []*pb.FieldBinlog{{FieldID: 100, Binlogs: []*pb.Binlog{{EntriesNum: 1, LogID: 9900}}}}
	return s
}

func seq(rows []KV) func(func(KV, error) bool) {
	return func(yield func(KV, error) bool) {
		for _, kv := range rows {
			if !yield(kv, nil) {
				return
			}
		}
	}
}

// cluster is the fixture that tests change.
type cluster struct {
	t    *testing.T
	k    Keys
	rows []KV
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, k: Keys{DefaultRoot}}
	var err error
	if c.rows, err = fixture(c.k); err != nil {
		t.Fatal(err)
	}
	return c
}

// put adds a row or replaces it.
func (c *cluster) put(key string, m proto.Message) {
	c.t.Helper()
	kv, err := Row(key, m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(key, kv.Value)
}

func (c *cluster) raw(key string, value []byte) {
	c.remove(key)
	c.rows = append(c.rows, KV{key, value})
}

func (c *cluster) remove(key string) {
	c.rows = slices.DeleteFunc(c.rows, func(kv KV) bool { return kv.Key == key })
}

func (c *cluster) segment(s *pb.SegmentInfo) {
	c.t.Helper()
	rows, err := SegmentRows(c.k, "files", s)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, kv := range rows {
		c.raw(kv.Key, kv.Value)
	}
}

func (c *cluster) load() (*Collection, error) {
	c.t.Helper()
	cat, err := Load(seq(c.rows), Options{Storage: "files"})
	if err != nil {
		return nil, err
	}
	sum, err := cat.Find("default", "c")
	if err != nil {
		return nil, err
	}
	return cat.Collection(sum.ID)
}

func ids(c *Collection) string {
	var out []string
	for _, s := range c.Segments {
		out = append(out, fmt.Sprint(s.ID))
	}
	return strings.Join(out, " ")
}

func TestFixture(t *testing.T) {
	col, err := newCluster(t).load()
	if err != nil {
		t.Fatal(err)
	}
	s := col.Segments[0]
	if s.Binlogs[2].Binlogs[0].File.Key != "files/insert_log/100/201/1001/100/9100" || s.Binlogs[2].Binlogs[1].File.Key != "files/insert_log/100/201/1001/100/9600" ||
		s.Deltalogs[0].Binlogs[0].File.Key != "files/delta_log/100/201/1001/9900" {
		t.Errorf("segment %+v", s)
	}
	if len(col.Schema.Functions) != 1 || len(col.Schema.StructArrays) != 1 || len(col.Schema.Fields) != 3 || len(col.Properties) != 1 || col.Database != "default" {
		t.Errorf("collection %+v", col.Collection)
	}
}

func TestLiveRules(t *testing.T) {
	with := func(change func(*pb.SegmentInfo)) func(*cluster) {
		return func(c *cluster) {
			s := segment(1002)
			change(s)
			c.segment(s)
		}
	}
	for _, c := range []struct {
		what   string
		change func(*cluster)
		live   string
		check  func(*Collection) bool
	}{
		{"a second one", with(func(*pb.SegmentInfo) {}), "1001 1002", nil},
		{"dropped", with(func(s *pb.SegmentInfo) { s.State = pb.SegmentState_Dropped }), "1001", nil},
		{"not exist", with(func(s *pb.SegmentInfo) { s.State = pb.SegmentState_NotExist }), "1001", nil},
		{"importing", with(func(s *pb.SegmentInfo) { s.State = pb.SegmentState_Importing }), "1001", func(c *Collection) bool { return len(c.Hidden) == 1 }},
		{"is_importing", with(func(s *pb.SegmentInfo) { s.IsImporting = true }), "1001", func(c *Collection) bool { return len(c.Hidden) == 1 }},
		{"invisible output", with(func(s *pb.SegmentInfo) {
			s.IsInvisible, s.CreatedByCompaction, s.CompactionFrom = true, true, []int64{1001}
		}), "1001",
			func(c *Collection) bool { return len(c.Hidden) == 1 && len(c.Replaced) == 0 }},
		{"invisible, flushed, unsorted", with(func(s *pb.SegmentInfo) { s.IsInvisible = true }), "1001 1002", nil},
		{"growing with data", with(func(s *pb.SegmentInfo) { s.State, s.NumOfRows = pb.SegmentState_Growing, 0 }), "1001 1002",
			func(c *Collection) bool { return len(c.Growing) == 1 && c.Segments[1].Rows == 5 }},
		{"growing without data", with(func(s *pb.SegmentInfo) {
			*s = pb.SegmentInfo{ID: 1002, CollectionID: 100, PartitionID: 201, State: pb.SegmentState_Growing}
		}), "1001",
			func(c *Collection) bool { return len(c.Growing) == 1 }},
		{"sealed", with(func(s *pb.SegmentInfo) { s.State = pb.SegmentState_Sealed }), "1001 1002", nil},
		{"unknown partition", with(func(s *pb.SegmentInfo) { s.PartitionID = 299; s.Binlogs, s.Deltalogs = nil, nil }), "1001", func(c *Collection) bool { return len(c.Hidden) == 1 }},
		{"L0 of all partitions", with(func(s *pb.SegmentInfo) {
			s.PartitionID, s.Level, s.NumOfRows, s.Binlogs = -1, pb.SegmentLevel_L0, 0, nil
		}), "1001 1002",
			func(c *Collection) bool {
				return c.Segments[1].Deltalogs[0].Binlogs[0].File.Key == "files/delta_log/100/-1/1002/9900"
			}},
		{"V3 with manifest", with(func(s *pb.SegmentInfo) {
			s.StorageVersion, s.ManifestPath = 3, `{"ver":2,"base_path":"files/insert_log/100/201/1002"}`
			s.Binlogs = nil
		}), "1001 1002", func(c *Collection) bool { return c.Segments[1].Deltalogs[0].Binlogs[0].File.Key == "" }},
		{"V2 with manifest", with(func(s *pb.SegmentInfo) { s.StorageVersion, s.ManifestPath = 2, "files/m" }), "1001 1002",
			func(c *Collection) bool {
				return c.Segments[1].Deltalogs[0].Binlogs[0].File.Key == "" && c.Segments[1].Binlogs[0].Binlogs[0].File.Key != ""
			}},
		{"output beside its input", with(func(s *pb.SegmentInfo) { s.CreatedByCompaction, s.CompactionFrom = true, []int64{1001} }), "1002",
			func(c *Collection) bool { return c.Replaced[1001] == 1002 }},
		{"a field added later", with(func(s *pb.SegmentInfo) {
			s.Binlogs = append(s.Binlogs, &pb.FieldBinlog{FieldID: 101, Binlogs: []*pb.Binlog{{EntriesNum: 3, LogID: 1}}})
		}), "1001 1002", nil},
		{"logs in the row itself", func(c *cluster) {
			s := segment(1001)
			s.Deltalogs = []*pb.FieldBinlog{{Binlogs: []*pb.Binlog{{LogPath: "old/path", EntriesNum: 1}}}}
			c.put(c.k.Segment(100, 201, 1001), s)
		}, "1001", func(c *Collection) bool { return c.Segments[0].Deltalogs[0].Binlogs[0].File.Key == "old/path" }},
		{"empty deltalog row", func(c *cluster) { c.raw(c.k.log(kindDeltalog, &segmentID{100, 201, 1001}, 0), nil) }, "1001",
			func(c *Collection) bool { return len(c.Segments[0].Deltalogs) == 0 }},
		{"delete_apply_start as number 37", with(func(s *pb.SegmentInfo) {
			s.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 37, protowire.VarintType), 77))
		}), "1001 1002", func(c *Collection) bool { return c.Segments[1].DeleteApplyStart == 77 }},
		{"child manifests as number 37", with(func(s *pb.SegmentInfo) { s.ChildManifestPaths = []string{"x"} }), "1001 1002",
			func(c *Collection) bool { return c.Segments[1].DeleteApplyStart == 0 }},
		{"tombstone of a field", func(c *cluster) { c.raw(c.k.Field(100, 102), tombstone) }, "1001", func(c *Collection) bool { return len(c.Schema.Fields) == 3 }},
		{"dropped field", func(c *cluster) {
			c.put(c.k.Field(100, 102), &pb.FieldSchema{FieldID: 102, DataType: 77, State: pb.FieldState_FieldDropping})
		}, "1001", func(c *Collection) bool { return len(c.Schema.Fields) == 3 }},
		{"twin", func(c *cluster) { c.raw(DefaultRoot+"/snapshots/root-coord/fields/100/102_ts5", []byte("x")) }, "1001", nil},
		{"credentials", func(c *cluster) { c.raw(DefaultRoot+"/root-coord/credential/users/root", []byte("x")) }, "1001", nil},
		{"legacy row of the same collection", func(c *cluster) {
			c.put(DefaultRoot+"/root-coord/collection/100", &pb.CollectionInfo{ID: 100, State: pb.CollectionState_CollectionDropped})
		}, "1001", nil},
		{"only a legacy row", func(c *cluster) {
			c.remove(c.k.Collection(1, 100))
			c.put(DefaultRoot+"/root-coord/collection/100", &pb.CollectionInfo{ID: 100, Schema: &pb.CollectionSchema{Name: "c"}})
		}, "1001", nil},
		{"row of database 0", func(c *cluster) {
			c.remove(c.k.Collection(1, 100))
			c.put(c.k.Collection(0, 100), &pb.CollectionInfo{ID: 100, Schema: &pb.CollectionSchema{Name: "c", DbName: "stale"}})
		}, "1001", func(c *Collection) bool { return c.DatabaseID == 1 && c.Schema.Database == "default" }},
		{"very old row", func(c *cluster) {
			c.put(c.k.Collection(1, 100), &pb.CollectionInfo{ID: 100, PartitionIDs: []int64{201, 202}, PartitionNames: []string{"p", "q"},
				Schema: &pb.CollectionSchema{Name: "c", Fields: []*pb.FieldSchema{{FieldID: 100, Name: "id", DataType: pb.DataType_Int64}}}})
		}, "1001", func(c *Collection) bool { return len(c.Schema.Fields) == 1 && len(c.Partitions) == 2 }},
		{"checkpoints", func(c *cluster) {
			c.put(c.k.Checkpoint("dml_0_100v0"), &pb.MsgPosition{ChannelName: "wrong", Timestamp: 9})
			c.put(c.k.Checkpoint("dml_0_999v0"), &pb.MsgPosition{Timestamp: math.MaxUint64})
		}, "1001", func(c *Collection) bool {
			return len(c.Checkpoints) == 1 && c.Checkpoints[0].Channel == "dml_0_100v0" && c.Checkpoints[0].Timestamp == 9
		}},
		{"snapshots", func(c *cluster) {
			for id := int64(7); id < 9; id++ {
				kv, _ := SnapshotRow(c.k, &pb.SnapshotInfo{Id: id, CollectionId: 100, State: pb.SnapshotState(id - 6)})
				c.raw(kv.Key, kv.Value)
			}
		}, "1001", func(c *Collection) bool { return len(c.Snapshots) == 2 && c.Snapshots[1].Id == 8 }},
		{"indexes", func(c *cluster) {
			x := &pb.FieldIndex{IndexInfo: &pb.IndexInfo{CollectionID: 100, FieldID: 100, IndexID: 301, IndexName: "x"}}
			for _, id := range []int64{301, 302} {
				x.IndexInfo.IndexID, x.Deleted = id, id == 302
				kv, _ := IndexRow(c.k, x)
				c.raw(kv.Key, kv.Value)
				for b := range pb.IndexState(4) {
					kv, err := SegmentIndexRow(c.k, "files", &pb.SegmentIndex{CollectionID: 100, PartitionID: 201, SegmentID: 1001, IndexID: id,
						BuildID: id*10 + int64(b), IndexVersion: 2, State: b, IndexStorePathVersion: 1,
						IndexFileKeys: []string{fmt.Sprintf("files/index_files/100/201/1001/%d/2/k", id*10+int64(b))}})
					if err != nil || strings.Contains(string(kv.Value), "/k") {
						c.t.Errorf("row %q, %v", kv.Value, err)
					}
					c.raw(kv.Key, kv.Value)
				}
			}
		}, "1001", func(c *Collection) bool {
			return len(c.Indexes) == 1 && len(c.Segments[0].Indexes) == 1 && c.Segments[0].Indexes[0].Files[0].Key == "files/index_files/100/201/1001/3013/2/k"
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			cl := newCluster(t)
			c.change(cl)
			col, err := cl.load()
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(col); got != c.live {
				t.Errorf("live segments: %s, want %s", got, c.live)
			}
			if c.check != nil && !c.check(col) {
				t.Errorf("got %+v", col)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*cluster)
		class  string
		torn   bool
	}{
		{"collection being dropped", func(c *cluster) {
			c.put(c.k.Collection(1, 100), &pb.CollectionInfo{ID: 100, State: pb.CollectionState_CollectionDropping, Schema: &pb.CollectionSchema{Name: "c"}})
		}, "ErrMissing", false},
		{"database being dropped", func(c *cluster) {
			c.put(c.k.Database(1), &pb.DatabaseInfo{Id: 1, Name: "default", State: pb.DatabaseState_DatabaseDropping})
		}, "ErrMissing", false},
		{"tombstone", func(c *cluster) { c.raw(c.k.Collection(1, 100), tombstone) }, "ErrMissing", false},
		{"log rows that are missing", func(c *cluster) { c.remove(c.k.log(kindBinlog, &segmentID{100, 201, 1001}, 0)) }, "", false},
		{"all log rows missing", func(c *cluster) {
			for _, f := range []int64{0, 1, 100} {
				c.remove(c.k.log(kindBinlog, &segmentID{100, 201, 1001}, f))
			}
		}, "ErrCorrupt", true},
		{"other rows", func(c *cluster) { s := segment(1001); s.NumOfRows = 6; c.segment(s) }, "ErrCorrupt", true},
		{"chunks that differ", func(c *cluster) { s := segment(1001); s.Binlogs[2].Binlogs[1].EntriesNum = 4; c.segment(s) }, "ErrCorrupt", true},
		{"more chunks", func(c *cluster) {
			s := segment(1001)
			s.Binlogs[2].Binlogs = append(s.Binlogs[2].Binlogs, &pb.Binlog{LogID: 5})
			c.segment(s)
		}, "ErrCorrupt", true},
		{"half a compaction", func(c *cluster) {
			s := segment(1002)
			s.NumOfRows, s.CompactionFrom = 9, []int64{1001}
			c.segment(s)
		}, "ErrCorrupt", true},
		{"two databases", func(c *cluster) { c.put(c.k.Collection(2, 100), &pb.CollectionInfo{ID: 100}) }, "ErrCorrupt", true},
		{"not protobuf", func(c *cluster) { c.raw(c.k.Segment(100, 201, 1001), []byte{0xff}) }, "ErrCorrupt", false},
		{"id of another", func(c *cluster) { c.put(c.k.Segment(100, 201, 1002), segment(1001)) }, "ErrCorrupt", false},
		{"field of another", func(c *cluster) { c.put(c.k.Field(100, 101), &pb.FieldSchema{FieldID: 100, DataType: 5}) }, "ErrCorrupt", false},
		{"unknown type", func(c *cluster) { c.put(c.k.Field(100, 101), &pb.FieldSchema{FieldID: 101, DataType: 77}) }, "ErrUnsupported", false},
		{"unknown state", func(c *cluster) { s := segment(1002); s.State = 9; c.segment(s) }, "ErrUnsupported", false},
		{"unknown storage version", func(c *cluster) { s := segment(1002); s.StorageVersion = 4; c.segment(s) }, "ErrUnsupported", false},
		{"key of another form", func(c *cluster) { c.raw(DefaultRoot+"/datacoord-meta/s/100/201", nil) }, "ErrCorrupt", false},
		{"key that is not a number", func(c *cluster) { c.raw(DefaultRoot+"/root-coord/fields/100/x", nil) }, "ErrCorrupt", false},
		{"row twice", func(c *cluster) { c.rows = append(c.rows, c.rows[1]) }, "ErrCorrupt", false},
		{"log without id", func(c *cluster) {
			c.put(c.k.log(kindBinlog, &segmentID{100, 201, 1001}, 101), &pb.FieldBinlog{FieldID: 101, Binlogs: []*pb.Binlog{{EntriesNum: 3}}})
		}, "ErrCorrupt", false},
		{"logs in another partition", func(c *cluster) {
			c.put(c.k.log(kindBinlog, &segmentID{100, 202, 1001}, 101), &pb.FieldBinlog{FieldID: 101, Binlogs: []*pb.Binlog{{EntriesNum: 3}}})
		}, "ErrCorrupt", false},
		{"negative rows", func(c *cluster) { s := segment(1001); s.NumOfRows = -1; c.segment(s) }, "ErrCorrupt", false},
		{"large value", func(c *cluster) { c.raw(c.k.Field(100, 101), make([]byte, MaxRowBytes+1)) }, "ErrLimit", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			cl := newCluster(t)
			c.change(cl)
			_, err := cl.load()
			if fault.ClassName(err) != c.class || errors.Is(err, ErrTorn) != c.torn {
				t.Errorf("got %v, want %s", err, c.class)
			}
		})
	}
}

func TestAliasesAndJobs(t *testing.T) {
	c := newCluster(t)
	c.put(c.k.Alias(1, "one"), &pb.AliasInfo{AliasName: "one", CollectionId: 100})
	c.put(c.k.Alias(1, "gone"), &pb.AliasInfo{CollectionId: 100, State: pb.AliasState_AliasDropped})
	c.put(DefaultRoot+"/root-coord/aliases/two", &pb.AliasInfo{CollectionId: 100})
	c.put(DefaultRoot+"/root-coord/collection-alias/three", &pb.CollectionInfo{ID: 100})
	job, _ := CopyJobRow(c.k, &pb.CopySegmentJob{JobId: 5, State: pb.CopySegmentJobState_CopySegmentJobPending})
	task, _ := CopyTaskRow(c.k, &pb.CopySegmentTask{TaskId: 6, JobId: 5})
	c.rows = append(c.rows, job, task)
	cat, err := Load(seq(c.rows), Options{Storage: "files"})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := cat.Find("", "two")
	if err != nil || fmt.Sprint(sum.Aliases) != "[one three two]" || sum.Name != "c" {
		t.Errorf("%+v, %v", sum, err)
	}
	if _, err := cat.Find("", "gone"); fault.ClassName(err) != "ErrMissing" || !strings.Contains(err.(*fault.Error).Hint, "default.c") {
		t.Errorf("got %v", err)
	}
	jobs, err1 := cat.CopyJobs()
	tasks, err2 := cat.CopyTasks()
	if err1 != nil || err2 != nil || len(jobs) != 1 || jobs[0].JobId != 5 || len(tasks) != 1 || tasks[0].TaskId != 6 {
		t.Error(jobs, tasks, err1, err2)
	}
}

// TestUnknownFields: what this program does not know of a row survives a rewrite.
func TestUnknownFields(t *testing.T) {
	c := newCluster(t)
	s := segment(1001)
	unknown := protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "future")
	s.ProtoReflect().SetUnknown(unknown)
	s.Binlogs[0].ProtoReflect().SetUnknown(unknown)
	c.segment(s)
	cat, err := Load(seq(c.rows), Options{Storage: "files"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := cat.SegmentInfos(100)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := SegmentRows(c.k, "files", got[1001])
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, kv := range rows {
		if strings.Contains(string(kv.Value), "future") {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("unknown fields are in %d rows", kept)
	}
}

func TestSegmentRowsRefusesOtherPaths(t *testing.T) {
	for _, path := range []string{"files/insert_log/100/201/9999/0/1", "other/insert_log/100/201/1001/0/1", "files/insert_log/100/201/1001/0/x", "1"} {
		s := segment(1001)
		s.Binlogs[0].Binlogs[0].LogPath = path
		if _, err := SegmentRows(Keys{DefaultRoot}, "files", s); fault.ClassName(err) != "ErrCorrupt" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestStatsPaths(t *testing.T) {
	c := newCluster(t)
	s := segment(1001)
	s.TextStatsLogs = map[int64]*pb.TextIndexStats{102: {FieldID: 102, Version: 1, BuildID: 4, Files: []string{"files/text_log/4/1/100/201/1001/102/a"}}}
	s.JsonKeyStats = map[int64]*pb.JsonKeyStats{
		103: {FieldID: 103, Version: 1, BuildID: 5, Files: []string{"b"}},
		104: {FieldID: 104, Version: 1, BuildID: 6, JsonKeyStatsDataFormat: 2, Files: []string{"shared_key_index/c"}},
	}
	c.segment(s)
	col, err := c.load()
	if err != nil {
		t.Fatal(err)
	}
	got := []milvus.FileRef{col.Segments[0].TextIndexes[0].Files[0], col.Segments[0].JSONStats[0].Files[0], col.Segments[0].JSONStats[1].Files[0]}
	want := []milvus.FileRef{{Key: "files/text_log/4/1/100/201/1001/102/a"}, {Key: "files/json_key_index_log/5/1/100/201/1001/103/b"},
		{Key: "files/json_stats/2/6/1/100/201/1001/104/shared_key_index/c"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
