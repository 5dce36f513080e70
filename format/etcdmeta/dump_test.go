package etcdmeta

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

const folder = "milvus-2.3.5"

func readDump(t testing.TB) iter.Seq2[KV, error] {
	t.Helper()
	return ReadDump(bytes.NewReader(testkit.ReadFile(t, testkit.Data(t, folder, "etcd.json"))))
}

func loadDump(t *testing.T) *Catalog {
	t.Helper()
	c, err := Load(readDump(t), Options{Storage: "files"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type truthField struct {
	ID      int64          `json:"field_id"`
	Name    string         `json:"name"`
	Type    int32          `json:"type"`
	Element int32          `json:"element_type"`
	Primary bool           `json:"is_primary"`
	AutoID  bool           `json:"auto_id"`
	Params  map[string]any `json:"params"`
}

// truth is what testdata says of a collection.
type truth struct {
	LiveRows    int64 `json:"live_rows"`
	NumEntities int64 `json:"num_entities_incl_deleted"`
	Describe    struct {
		Shards     int          `json:"num_shards"`
		Partitions int          `json:"num_partitions"`
		ID         int64        `json:"collection_id"`
		Text       string       `json:"description"`
		Dynamic    bool         `json:"enable_dynamic_field"`
		Level      int32        `json:"consistency_level"`
		Fields     []truthField `json:"fields"`
	} `json:"describe"`
	Indexes []struct {
		Field  string         `json:"field"`
		Params map[string]any `json:"params"`
	} `json:"indexes"`
	Partitions any `json:"rows_per_partition"` // live rows by name; a remark where they were not counted
}

// declared is a line of segments.json.
type declared struct {
	Collection string `json:"collection"`
	Name       string `json:"name"`
	Partition  string `json:"partition"`
	Segment    string `json:"segment"`
	State      string `json:"state"`
	Rows       int64  `json:"rows"`
	Channel    string `json:"channel"`
	Binlogs    int    `json:"binlogs_per_field"`
	Fields     int    `json:"fields"`
	Statslogs  int    `json:"statslogs"`
}

func TestRealCluster(t *testing.T) {
	c := loadDump(t)
	all := c.Collections()
	if len(all) != 17-1 { // one is being dropped
		t.Fatalf("%d collections", len(all))
	}
	var lines []declared
	if err := json.Unmarshal(testkit.ReadFile(t, testkit.Data(t, folder, "segments.json")), &lines); err != nil {
		t.Fatal(err)
	}
	bySegment := map[milvus.SegmentID]declared{}
	for _, l := range lines {
		id, _ := strconv.ParseInt(l.Segment, 10, 64)
		bySegment[milvus.SegmentID(id)] = l
	}
	total := 0
	for _, sum := range all {
		t.Run(sum.Database+"."+sum.Name, func(t *testing.T) {
			got, err := c.Collection(sum.ID)
			if err != nil {
				t.Fatal(err)
			}
			total += len(got.Segments)
			dir := []string{testkit.Data(t, folder), "truth"}
			if sum.Database != "default" {
				dir = append(dir, sum.Database)
			}
			var want truth
			if err := json.Unmarshal(testkit.ReadFile(t, append(dir, sum.Name+".meta.json")...), &want); err != nil {
				t.Fatal(err)
			}
			checkSchema(t, got, want)
			checkSegments(t, got, want, bySegment)
		})
	}
	if total != 53 {
		t.Errorf("%d live segments, want the 53 that are flushed", total)
	}
	if _, err := c.Find("", "dropped_coll"); fault.ClassName(err) != "ErrMissing" {
		t.Errorf("the collection that is being dropped: %v", err)
	}
}

func checkSchema(t *testing.T, got *Collection, want truth) {
	t.Helper()
	d := want.Describe
	if int64(got.ID) != d.ID || got.Shards != d.Shards || len(got.Partitions) != d.Partitions || got.Schema.Description != d.Text ||
		got.Schema.EnableDynamic != d.Dynamic || got.ConsistencyLevel != d.Level {
		t.Errorf("got %+v, want %+v", got.Collection, d)
	}
	var system, dynamic int
	for _, f := range got.Schema.Fields {
		switch {
		case f.ID < milvus.FirstUserField:
			system++
			continue
		case f.Dynamic:
			dynamic++
			continue
		}
		i := slices.IndexFunc(d.Fields, func(w truthField) bool { return w.ID == int64(f.ID) })
		if i < 0 {
			t.Errorf("field %q is not in the truth", f.Name)
			continue
		}
		w := d.Fields[i]
		if f.Name != w.Name || int32(f.Type) != w.Type || int32(f.ElementType) != w.Element || f.PrimaryKey != w.Primary || f.AutoID != w.AutoID ||
			!sameParam(f.Dim, w.Params["dim"]) || !sameParam(f.MaxLength, w.Params["max_length"]) || !sameParam(f.MaxCapacity, w.Params["max_capacity"]) {
			t.Errorf("field %+v, want %+v", f, w)
		}
	}
	if system != 2 || len(got.Schema.Fields) != system+dynamic+len(d.Fields) || (dynamic == 1) != d.Dynamic {
		t.Errorf("%d system fields, %d dynamic, %d in all", system, dynamic, len(got.Schema.Fields))
	}
	if len(got.Indexes) != len(want.Indexes) {
		t.Errorf("%d indexes, want %d", len(got.Indexes), len(want.Indexes))
	}
	for i, x := range got.Indexes {
		if kind, _ := milvus.Lookup(x.Params, "index_type"); i < len(want.Indexes) && kind == "" {
			t.Errorf("index %+v has no type", x)
		}
	}
	if len(got.Checkpoints) != got.Shards || got.Checkpoints[0].Timestamp == 0 {
		t.Errorf("checkpoints %+v", got.Checkpoints)
	}
}

func sameParam(got int, want any) bool {
	text := fmt.Sprint(want)
	return want == nil && got == 0 || text == strconv.Itoa(got)
}

func checkSegments(t *testing.T, got *Collection, want truth, lines map[milvus.SegmentID]declared) {
	t.Helper()
	var rows, deletes int64
	perPartition := map[string]int64{}
	for _, s := range got.Segments {
		l := lines[s.ID]
		if l.State != "Flushed" || s.Rows != l.Rows || s.Channel != l.Channel || len(s.Binlogs) != l.Fields || len(s.Binlogs[0].Binlogs) != l.Binlogs ||
			fmt.Sprint(s.Partition) != l.Partition || fmt.Sprint(s.Collection) != l.Collection || s.StorageVersion != milvus.StorageV1 {
			t.Errorf("segment %+v, want %+v", s, l)
		}
		rows += s.Rows
		for _, f := range s.Deltalogs {
			deletes += entries(f)
		}
		perPartition[got.PartitionName(s.Partition)] += s.Rows
		checkFiles(t, s)
	}
	for _, l := range lines {
		if id, _ := strconv.ParseInt(l.Segment, 10, 64); l.Collection == fmt.Sprint(got.ID) && l.State == "Flushed" &&
			!slices.ContainsFunc(got.Segments, func(s milvus.Segment) bool { return int64(s.ID) == id }) {
			t.Errorf("segment %s is missing", l.Segment)
		}
	}
	switch got.Schema.Name {
	case "pk_edges", "dup_pk", "unflushed_tail": // what the server counts there is not what lies in files
	default:
		if rows != want.NumEntities {
			t.Errorf("%d rows, want %d", rows, want.NumEntities)
		}
	}
	if got.Schema.Name == "binvec_parts" && (rows != 76 || deletes != 11 || rows-deletes != want.LiveRows || len(got.Partitions) != 4) {
		t.Errorf("%d rows, %d deletes, partitions %+v", rows, deletes, got.Partitions)
	}
	if got.Schema.Name == "unflushed_tail" && len(got.Growing) != 1 || got.Schema.Name != "unflushed_tail" && len(got.Growing) != 0 {
		t.Errorf("growing segments: %v", got.Growing)
	}
	if len(got.Hidden)+len(got.Replaced) != 0 {
		t.Errorf("hidden %v, replaced %v", got.Hidden, got.Replaced)
	}
	for name := range perPartition {
		if counted, ok := want.Partitions.(map[string]any); ok && counted[name] == nil {
			t.Errorf("rows in partition %q", name)
		}
	}
}

// checkFiles looks for every file of the segment.
func checkFiles(t *testing.T, s milvus.Segment) {
	t.Helper()
	var files []milvus.FileRef
	for _, list := range [][]milvus.FieldBinlog{s.Binlogs, s.Deltalogs, s.Statslogs} {
		for _, f := range list {
			for _, b := range f.Binlogs {
				files = append(files, b.File)
			}
		}
	}
	for _, x := range s.Indexes {
		files = append(files, x.Files...)
	}
	for _, f := range files {
		if _, err := os.Stat(testkit.Data(t, folder, f.Key)); err != nil {
			t.Error(err)
		}
	}
}

// TestRewrite writes every live collection of the real cluster and compares with the rows it had.
func TestRewrite(t *testing.T) {
	c := loadDump(t)
	had := map[string][]byte{}
	for kv, err := range readDump(t) {
		if err != nil {
			t.Fatal(err)
		}
		had[kv.Key] = kv.Value
	}
	k, compared := Keys{DefaultRoot}, 0
	same := func(kv KV, m proto.Message) {
		t.Helper()
		old, ok := had[kv.Key]
		want, got := m, m.ProtoReflect().New().Interface()
		if !ok || proto.Unmarshal(old, want) != nil || proto.Unmarshal(kv.Value, got) != nil || !proto.Equal(got, want) {
			t.Fatalf("%s: got %v, want %v (there: %v)", kv.Key, got, want, ok)
		}
		compared++
	}
	for _, sum := range c.Collections() {
		col, err := c.Collection(sum.ID)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := CollectionRows(k, col.Info, nil)
		if err != nil {
			t.Fatal(err)
		}
		if last := rows[len(rows)-1].Key; last != k.Collection(sum.DatabaseID, sum.ID) {
			t.Errorf("the last row is %s", last)
		}
		for _, kv := range rows[:len(rows)-1] {
			f := &pb.FieldSchema{}
			if strings.HasSuffix(kv.Key, "/0") {
				had[kv.Key] = kv.Value // its id was not in the message
			}
			same(kv, f)
		}
		same(rows[len(rows)-1], &pb.CollectionInfo{})
		infos, err := c.SegmentInfos(sum.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range col.Segments {
			rows, err := SegmentRows(k, "files", infos[s.ID])
			if err != nil {
				t.Fatal(err)
			}
			for _, kv := range rows[:len(rows)-1] {
				same(kv, &pb.FieldBinlog{})
			}
			same(rows[len(rows)-1], &pb.SegmentInfo{})
			again, err := SegmentRows(k, "files", pb.FromSegment(&s)) // with complete paths
			if err != nil {
				t.Fatal(err)
			}
			for _, kv := range again[:len(again)-1] {
				same(kv, &pb.FieldBinlog{})
			}
		}
	}
	if compared < 700 {
		t.Errorf("only %d rows were compared", compared)
	}
}

func TestRoots(t *testing.T) {
	_, err := Load(readDump(t), Options{Root: "prod/meta"})
	if fault.ClassName(err) != "ErrMissing" || !strings.Contains(err.(*fault.Error).Hint, "by-dev/meta") {
		t.Errorf("got %v", err)
	}
	tikv := func(yield func(KV, error) bool) { yield(KV{Key: "by-dev/meta/session/rootcoord"}, nil) }
	if _, err := Load(tikv, Options{}); fault.ClassName(err) != "ErrUnsupported" {
		t.Errorf("sessions without collections: %v", err)
	}
}

func text(kvs ...string) string {
	var b strings.Builder
	for i := 0; i < len(kvs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"key":%q,"create_revision":7,"value":%q}`, base64.StdEncoding.EncodeToString([]byte(kvs[i])), base64.StdEncoding.EncodeToString([]byte(kvs[i+1])))
	}
	return b.String()
}

func TestReadDump(t *testing.T) {
	in := `{"header":{"revision":3},"kvs":[` + text("a", "1", "by-dev/meta/root-coord/credential/users/root", "hash", "by-dev/meta/session/x", "{}", "b", "") + `],"more":false,"count":3}`
	got := map[string]string{}
	for kv, err := range ReadDump(strings.NewReader(in)) {
		if err != nil {
			t.Fatal(err)
		}
		got[kv.Key] = string(kv.Value)
	}
	if want := map[string]string{"a": "1", "b": "", "by-dev/meta/root-coord/credential/users/root": "", "by-dev/meta/session/x": ""}; !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for range ReadDump(strings.NewReader(in)) {
		break
	}
	for _, c := range []struct{ what, in, class string }{
		{"nothing", ``, "ErrCorrupt"},
		{"another object", `{"a":1}`, "ErrCorrupt"},
		{"a list", `[]`, "ErrCorrupt"},
		{"cut", in[:len(in)/2], "ErrCorrupt"},
		{"text after it", in + "{}", "ErrCorrupt"},
		{"limited", `{"kvs":[],"more":true}`, "ErrCorrupt"},
		{"not base64", `{"kvs":[{"key":"%%"}]}`, "ErrCorrupt"},
		{"no key", `{"kvs":[{"value":"YQ=="}]}`, "ErrCorrupt"},
		{"twice", `{"kvs":[],"kvs":[]}`, "ErrCorrupt"},
		{"deep", `{"kvs":[{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}]}`, "ErrCorrupt"},
	} {
		var last error
		for _, err := range ReadDump(strings.NewReader(c.in)) {
			last = err
		}
		if fault.ClassName(last) != c.class {
			t.Errorf("%s: %v", c.what, last)
		}
	}
	endless := io.MultiReader(strings.NewReader(`{"kvs":[{"key":"`), letters{})
	var last error
	for _, err := range ReadDump(endless) {
		last = err
	}
	if fault.ClassName(last) != "ErrLimit" {
		t.Errorf("an endless row: %v", last)
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

func FuzzEtcdDump(f *testing.F) {
	f.Add([]byte(`{"header":{},"kvs":[` + text("by-dev/meta/root-coord/database/db-info/1", "\x12\x01a\x18\x01 \x01") + `]}`))
	k := Keys{DefaultRoot}
	cluster, err := fixture(k)
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for _, kv := range cluster {
		all = append(all, kv.Key, string(kv.Value))
	}
	f.Add([]byte(`{"kvs":[` + text(all...) + `]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Load(ReadDump(bytes.NewReader(b)), Options{Storage: "files"})
		if err != nil {
			classed(t, err)
			return
		}
		for _, s := range c.Collections() {
			col, err := c.Collection(s.ID)
			if err != nil {
				classed(t, err)
				continue
			}
			infos, err := c.SegmentInfos(s.ID)
			if err != nil {
				classed(t, err)
			} else if len(infos) < len(col.Segments) {
				t.Fatalf("%d messages, %d live segments", len(infos), len(col.Segments))
			}
		}
		if _, err := c.CopyJobs(); err != nil {
			classed(t, err)
		}
	})
}

func classed(t *testing.T, err error) {
	t.Helper()
	if fault.ClassName(err) == "" {
		t.Fatalf("an error without a class: %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	raw := testkit.ReadFile(b, filepath.Join(testkit.Data(b, folder, "etcd.json")))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		c, err := Load(ReadDump(bytes.NewReader(raw)), Options{Storage: "files"})
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range c.Collections() {
			if _, err := c.Collection(s.ID); err != nil {
				b.Fatal(err)
			}
		}
	}
}
