package backupmeta

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

func equal(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("got + and want -:\n%s", d)
	}
}

// TestRealBackup reads a backup that milvus-backup made in 2023, in both forms, and finds every file.
func TestRealBackup(t *testing.T) {
	dir := filepath.Join(testkit.Shared(t), "data", "spark-milvus-demo", "data", "backup_demo")
	meta := func(name string) []byte { return testkit.ReadFile(t, dir, "meta", name) }
	b, err := Decode(meta("full_meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	levels, err := DecodeLevels(meta("backup_meta.json"), meta("collection_meta.json"), meta("partition_meta.json"), meta("segment_meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, levels, b)

	c, err := b.Find("", "hello_milvus")
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "backup_demo" || len(b.Collections) != 2 || c.ID != 442958042415517552 || c.Shards != 1 || len(c.Schema.Fields) != 4 ||
		c.PartitionName(442958042415517553) != "_default" || c.Indexes[0].Field != 103 {
		t.Errorf("got %+v", c)
	}
	if f, _ := c.Schema.Field(103); f.Type != milvus.TypeFloatVector || f.Dim != 8 {
		t.Errorf("field %+v", f)
	}
	s := c.Segments[0]
	if s.Rows != 3000 || s.Binlogs[0].Field != milvus.RowIDField || s.Binlogs[0].Binlogs[0].LogID != 442958042415717589 ||
		s.Deltalogs[0].Binlogs[0].File.Key != "file/delta_log/442958042415517552/442958042415517553/442958042415717570/442958042415720717" {
		t.Errorf("segment %+v", s)
	}
	files := 0
	for _, c := range b.Collections {
		for _, s := range c.Segments {
			here := s.InBackup()
			for _, list := range [][]milvus.FieldBinlog{here.Binlogs, here.Deltalogs} {
				for _, f := range list {
					for _, l := range f.Binlogs {
						info, err := os.Stat(filepath.Join(dir, l.File.Key))
						if err != nil || info.Size() != l.Size {
							t.Errorf("%s: %v, want %d bytes", l.File.Key, err, l.Size)
						}
						files++
					}
				}
			}
		}
	}
	if files != 19 {
		t.Errorf("%d files", files)
	}
}

const collection = `{"collection_backups":[{"collection_id":9007199254740993,"db_name":"d","collection_name":"c","schema":{"name":"old","fields":[
	{"fieldID":100,"name":"id","is_primary_key":true,"data_type":5}%s]},
	"partition_backups":[{"partition_id":201,"partition_name":"p","collection_id":9007199254740993,"segment_backups":[%s]}]%s}]%s}`

func backup(field, segment, more, end string) string {
	out := collection
	for _, s := range []string{field, segment, more, end} {
		out = strings.Replace(out, "%s", s, 1)
	}
	return out
}

const segment = `{"segment_id":1,"collection_id":9007199254740993,"partition_id":201,"num_of_rows":3,"group_id":7,"v_channel":"v1","storage_version":2,
	"binlogs":[{"fieldID":103,"binlogs":[{"log_path":"x","log_id":5,"log_size":9}]}],"deltalogs":[{"binlogs":[{"log_path":"files/delta_log/1/2/3/44"}]}]}`

func TestNewerBackup(t *testing.T) {
	fields := `,{"fieldID":101,"name":"a","data_type":5,"default_value_base64":"GAc="},
		{"fieldID":102,"name":"b","data_type":21,"default_value":{"Data":{"StringData":"x"}}},
		{"fieldID":103,"name":"c","data_type":1,"default_value_proto":"\u0008\u0001"},{"fieldID":104,"name":"d","data_type":1,"state":3}`
	l0 := `,"l0_segments":[{"segment_id":2,"collection_id":9007199254740993,"partition_id":-1,"is_l0":true,"v_channel":"v0",
		"deltalogs":[{"fieldID":0,"binlogs":[{"log_path":"files/delta_log/1/-1/2/6","log_id":6}]}]}]`
	b, err := Decode([]byte(backup(fields, segment, l0, `,"format":"binlog","new":{}`)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Find("d", "c")
	if err != nil {
		t.Fatal(err)
	}
	var defaults []any
	for _, f := range c.Schema.Fields {
		defaults = append(defaults, f.Default)
	}
	equal(t, defaults, []any{nil, int64(7), "x", true})
	equal(t, c.Channels, []string{"v0", "v1"})
	var keys []string
	for i := range c.Segments {
		s := c.Segments[i].InBackup()
		for _, list := range [][]milvus.FieldBinlog{s.Binlogs, s.Deltalogs} {
			for _, f := range list {
				keys = append(keys, f.Binlogs[0].File.Key)
			}
		}
	}
	equal(t, keys, []string{
		"binlogs/insert_log/9007199254740993/201/7/1/103/5", "binlogs/delta_log/9007199254740993/201/7/1/44", "binlogs/delta_log/9007199254740993/-1/2/6",
	})
	if !c.Segments[1].IsL0() || c.Segments[1].Partition != milvus.AllPartitions || c.Segments[0].StorageVersion != milvus.StorageV2 {
		t.Errorf("segments %+v", c.Segments)
	}
	if c.Segments[0].Binlogs[0].Binlogs[0].File.Key != "x" {
		t.Error("InBackup changed the segment")
	}
	if _, err := b.Find("", "c"); fault.ClassName(err) != "ErrMissing" {
		t.Errorf("got %v", err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ what, json, class string }{
		{"not JSON", `{`, "ErrCorrupt"},
		{"not finished", `{"state_code":1}`, "ErrCorrupt"},
		{"of snapshots", `{"format":"snapshot"}`, "ErrUnsupported"},
		{"no schema", `{"collection_backups":[{"collection_id":1}]}`, "ErrCorrupt"},
		{"no id", `{"collection_backups":[{"schema":{}}]}`, "ErrCorrupt"},
		{"same collection", `{"collection_backups":[{"collection_id":1,"schema":{}},{"collection_id":1,"schema":{}}]}`, "ErrCorrupt"},
		{"unknown type", backup(`,{"fieldID":101,"name":"x","data_type":77}`, "", "", ""), "ErrUnsupported"},
		{"default that is not base64", backup(`,{"fieldID":101,"name":"x","data_type":5,"default_value_base64":"%%"}`, "", "", ""), "ErrCorrupt"},
		{"segment twice", backup("", segment+","+segment, "", ""), "ErrCorrupt"},
		{"segment of another partition", backup("", strings.Replace(segment, "201", "202", 1), "", ""), "ErrCorrupt"},
		{"log without id", backup("", strings.Replace(segment, `"log_id":5`, `"log_id":0`, 1), "", ""), "ErrCorrupt"},
		{"storage version 9", backup("", strings.Replace(segment, `"storage_version":2`, `"storage_version":9`, 1), "", ""), "ErrUnsupported"},
		{"deep", strings.Repeat(`{"x":`, 100) + strings.Repeat(`}`, 100), "ErrLimit"},
	} {
		if _, err := Decode([]byte(c.json)); fault.ClassName(err) != c.class {
			t.Errorf("%s: got %v, want %s", c.what, err, c.class)
		}
	}
	for _, levels := range [][3]string{
		{`{}`, `{"infos":[{"partition_id":1,"collection_id":9}]}`, `{}`},
		{`{"infos":[{"collection_id":9,"schema":{}}]}`, `{}`, `{"infos":[{"segment_id":1,"collection_id":9,"partition_id":3}]}`},
	} {
		if _, err := DecodeLevels([]byte(`{}`), []byte(levels[0]), []byte(levels[1]), []byte(levels[2])); fault.ClassName(err) != "ErrCorrupt" {
			t.Errorf("%v: got %v", levels, err)
		}
	}
}

func FuzzBackupMeta(f *testing.F) {
	f.Add([]byte(backup(`,{"fieldID":101,"name":"a","data_type":5,"default_value":{"Data":{"LongData":1}}}`, segment, "", "")))
	f.Add([]byte(`{"collection_backups":[{"collection_id":1,"schema":{},"l0_segments":[{"segment_id":1,"collection_id":1,"partition_id":-1}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			if fault.ClassName(err) == "" {
				t.Fatalf("an error without a class: %v", err)
			}
			return
		}
		again, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, again, got)
		for _, c := range got.Collections {
			for i := range c.Segments {
				c.Segments[i].InBackup()
			}
		}
	})
}
