package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// refusals are the errors that the samples' refuse/cases.json wants: class, and words of the message or the object.
var refusals = map[string][]string{
	"encrypted":          {"ErrUnsupported", "encrypted", "PARE", "/insert_log/91/8/1/_data/"},
	"positional_delta":   {"ErrUnsupported", "type 1 (positional)", "/91/8/3/_metadata/manifest-1.avro"},
	"row_mismatch":       {"ErrCorrupt", "50 rows", "51", "/91/8/6/_metadata/manifest-1.avro"},
	"milv_version_9":     {"ErrUnsupported", "MILV version 9", "/91/8/7/_metadata/manifest-1.avro"},
	"truncated_manifest": {"ErrCorrupt", "46 bytes where 19 are left", "/91/8/8/_metadata/manifest-1.avro"},
	"missing_manifest":   {"ErrMissing", "/91/8/9/_metadata/manifest-4.avro"},
	"vortex":             {"ErrUnsupported", `format "vortex"`, "/91/8/11/_data/"},
	"text_lob":           {"ErrUnsupported", "field body", "LOB files (Vortex)", "/91/8/lobs/110/_data/"},
}

type refuseCase struct {
	Name         string `json:"name"`
	ManifestPath string `json:"manifest_path"`
	Expect       string `json:"expect"`
}

func refuseCases(t *testing.T) (out []refuseCase) {
	t.Helper()
	if err := json.Unmarshal(testkit.ReadFile(t, testkit.StorageSamples(t), "refuse", "cases.json"), &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != 12 {
		t.Errorf("%d cases, want 12", len(out))
	}
	return out
}

// snapshot writes the case's snapshot.
func (c refuseCase) snapshot(t *testing.T) string {
	t.Helper()
	schema := milvus.Schema{Name: "refuse", Fields: []milvus.Field{
		{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{ID: 101, Name: "name", Type: milvus.TypeVarChar, Nullable: true, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "64"}}},
	}}
	switch c.Name {
	case "dropped_column":
		schema.Fields = schema.Fields[:1]
	case "text_lob":
		schema.Fields = append(schema.Fields, milvus.Field{ID: 110, Name: "body", Type: milvus.TypeText, Nullable: true})
	}
	return sampleSnapshot(t, "refuse/bucket", schema,
		milvus.Segment{ID: c.segment(t), Collection: 91, Partition: 8, Level: milvus.LevelL1, Channel: "channel", StorageVersion: milvus.StorageV3, ManifestPath: c.ManifestPath})
}

// segment is the last part of the manifest's base path.
func (c refuseCase) segment(t *testing.T) (id milvus.SegmentID) {
	t.Helper()
	var m struct {
		Base string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(c.ManifestPath), &m); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(filepath.Base(m.Base), &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// Each case that must be refused is: by its class, by name of segment, file and feature, before anything is written. A dry run
// says the same.
func TestSamplesToRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range refuseCases(t) {
		want, refuse := refusals[c.Name]
		if strings.HasPrefix(c.Expect, "refuse") && !refuse {
			t.Errorf("%s: %s", c.Name, c.Expect)
		}
		if !refuse {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			snapshot, table := c.snapshot(t), filepath.Join(t.TempDir(), "table")
			for _, more := range [][]string{nil, {"--dry-run"}, {"--format", "parquet"}} {
				o := invoke(t, nil, append([]string{"export", snapshot, "--to", table, "--as-of", "none", "--json", "--progress", "none"}, more...)...)
				if o.code == 0 {
					t.Fatalf("was exported; %s", c.Expect)
				}
				f := failureIn(t, o)
				if f.Class != want[0] {
					t.Errorf("%s: %s, want %s", f.Class, f.Message, want[0])
				}
				for _, words := range append(want[1:], fmt.Sprintf("segment %d", c.segment(t))) {
					if !strings.Contains(f.Message+" "+f.Object, words) {
						t.Errorf("%q is not in: %s (%s)", words, f.Message, f.Object)
					}
				}
				nothingWritten(t, table)
			}
		})
	}
}

// The other cases are exported: the rows of their files that the manifest names, and its columns.
func TestSamplesToExport(t *testing.T) {
	t.Parallel()
	file := parquetRows(t, testkit.StorageSamples(t), "refuse/bucket/files/insert_log/91/8/2/_data/0_5611abc4-b322-4da0-a224-05d5ad3fd1c7.parquet")
	for _, c := range refuseCases(t) {
		rows := file
		switch c.Name {
		case "plain", "absolute_path", "dropped_column":
		case "subrange":
			rows = file[10:46]
		default:
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			var want []plainRow
			for _, r := range rows {
				row := plainRow{"RowID": r["0"], "Timestamp": r["1"], "id": r["100"], "name": r["101"]}
				if c.Name == "dropped_column" {
					delete(row, "name")
				}
				want = append(want, row)
			}
			equalRows(t, want, catRows(t, c.snapshot(t)))
			var got exported
			succeed(t, nil, &got, "export", c.snapshot(t), "--to", filepath.Join(t.TempDir(), "table"), "--as-of", "none")
			if got.Rows != int64(len(want)) {
				t.Errorf("%d rows were exported, want %d", got.Rows, len(want))
			}
		})
	}
}

// Long texts in LOB files become NULL on request: they are counted and warned of, the table's rows are verified, and a filter
// over them is refused, as it would drop rows without a word.
func TestUnreadableTextAsNull(t *testing.T) {
	t.Parallel()
	cases := refuseCases(t)
	c := cases[slices.IndexFunc(cases, func(c refuseCase) bool { return c.Name == "text_lob" })]
	snapshot := c.snapshot(t)
	stored := parquetRows(t, testkit.StorageSamples(t), "refuse/bucket/files/insert_log/91/8/12/_data/0_7c3cd623-1a44-4975-942b-b984c9bacba3.parquet")
	var want []plainRow
	references := 0
	for _, r := range stored {
		row := plainRow{"RowID": r["0"], "Timestamp": r["1"], "id": r["100"], "name": r["101"], "body": nil}
		if text, ok := r["110"].(string); ok && text[0] == 0 {
			row["body"] = text[1:]
		} else if ok {
			references++
		}
		want = append(want, row)
	}
	if references != 5 {
		t.Fatalf("%d references", references)
	}
	equalRows(t, want, catRows(t, snapshot, "--unreadable-text", "null"))

	table := filepath.Join(t.TempDir(), "table")
	flags := []string{"--as-of", "none", "--unreadable-text", "null"}
	var result struct {
		Rows       int64            `json:"rows_written"`
		Unreadable map[string]int64 `json:"unreadable_text"`
		Again      bool             `json:"already_exported"`
		Warnings   []struct{ Kind, Message string }
	}
	for _, again := range []bool{false, true} {
		result.Warnings = nil
		succeed(t, nil, &result, append([]string{"export", snapshot, "--to", table}, flags...)...)
		if result.Rows != 51 || len(result.Unreadable) != 1 || result.Unreadable["body"] != 5 || result.Again != again {
			t.Errorf("%+v", result)
		}
		if !again && (len(result.Warnings) != 1 || result.Warnings[0].Kind != "unreadable text" || !strings.HasPrefix(result.Warnings[0].Message, "5 texts of field body ")) {
			t.Errorf("warnings %+v", result.Warnings)
		}
	}
	if o := invoke(t, nil, append([]string{"verify", snapshot, table}, flags...)...); o.code != 0 {
		t.Errorf("verify: %s", o)
	}
	if o := invoke(t, nil, "verify", snapshot, table, "--as-of", "none"); o.code != exitUnsupported || !strings.Contains(o.errs, "--unreadable-text null") {
		t.Errorf("verify without the flag: %s", o)
	}
	o := invoke(t, nil, append([]string{"export", snapshot, "--to", filepath.Join(t.TempDir(), "other"), "--where", `body == "x"`}, flags...)...)
	if o.code != exitUnsupported || !strings.Contains(o.errs, "the filter needs them") {
		t.Errorf("a filter over the texts: %s", o)
	}
	few := 0 // references in the first rows
	for _, r := range stored {
		if text, ok := r["110"].(string); ok && text[0] == 1 && r["100"].(int64) < stored[20]["100"].(int64) {
			few++
		}
	}
	where := fmt.Sprintf("id < %d", stored[20]["100"])
	succeed(t, nil, &result, append([]string{"export", snapshot, "--to", filepath.Join(t.TempDir(), "selected"), "--where", where}, flags...)...)
	if few == 0 || few == references || result.Unreadable["body"] != int64(few) {
		t.Errorf("%d texts of selected rows made NULL, want %d", result.Unreadable["body"], few)
	}
	if o := invoke(t, nil, append([]string{"export", snapshot, "--to", filepath.Join(t.TempDir(), "words")}, flags...)...); !strings.Contains(o.out, "texts made NULL: body  5") {
		t.Errorf("the summary does not count the texts: %s", o)
	}
	// without the field, nothing is unreadable
	succeed(t, nil, nil, "export", snapshot, "--to", filepath.Join(t.TempDir(), "less"), "--as-of", "none", "--columns", "id,name")
}
