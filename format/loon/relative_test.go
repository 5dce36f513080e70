package loon

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/fault"
)

// files are all paths of a manifest, resolved.
func files(m *Manifest, base string) (out []string) {
	for _, g := range m.Groups {
		for _, f := range g.Files {
			out = append(out, Resolve(base, SectionData, f.Path))
		}
	}
	for _, d := range m.Deltas {
		out = append(out, Resolve(base, SectionDelta, d.Path))
	}
	for _, l := range m.LOBs {
		out = append(out, Resolve(base, SectionLOB, l.Path))
	}
	return out
}

// The manifests that Milvus's library wrote name the copies of the same files once they are relative; those of January 2026
// did not before.
func TestRelativeGenuine(t *testing.T) {
	full := 0
	genuine(t, func(path string, b []byte) {
		_, key, _ := strings.Cut(filepath.Dir(filepath.Dir(path)), "/bucket/")
		moved, err := Relative(b, key)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !bytes.Equal(b, moved) {
			full++
		}
		before, _ := Decode(b)
		after, err := Decode(moved)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, f := range files(before, key) {
			want = append(want, "else/where/7/8/9"+strings.TrimPrefix(f, key))
		}
		if d := cmp.Diff(want, files(after, "else/where/7/8/9")); d != "" {
			t.Errorf("%s: %s", path, d)
		}
		again, err := Relative(moved, key)
		if err != nil || !bytes.Equal(again, moved) {
			t.Errorf("%s: not the same the second time, %v", path, err)
		}
	})
	if full == 0 {
		t.Error("no manifest had paths in full")
	}
}

// Statistics, indexes and everything else that is not a path stay, of either encoding.
func TestRelativeKeepsTheRest(t *testing.T) {
	const base = "files/insert_log/1/2/3"
	s := `{"type":"record","name":"Manifest","fields":[` + `{"name":"column_groups","type":` + milvGroups + `},{"name":"odd","type":"double"},{"name":"on","type":"boolean"},
		{"name":"stats","type":` + milvStats3 + `},{"name":"indexes","type":` + milvIndexes + `},{"name":"lob_files","type":` + milvDeltas + `}]}`
	parsed, err := parseSchema([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	value := func(data, stats, index, lob string) map[string]any {
		return map[string]any{
			"column_groups": []any{map[string]any{"columns": []any{"0"}, "format": "parquet", "files": []any{map[string]any{"path": data, "start_index": int64(0), "end_index": int64(4), "metadata": "\xff\x00"}}}},
			"odd":           "\x01\x02\x03\x04\x05\x06\x07\x08", "on": true,
			"stats":     map[string]any{"bloom_filter.100": map[string]any{"paths": []any{stats, "1"}, "metadata": map[string]any{"b": "2", "a": "1"}}, "none": map[string]any{}},
			"indexes":   []any{map[string]any{"column_name": "101", "index_type": "HNSW", "path": index, "properties": map[string]any{"k": "v"}}},
			"lob_files": []any{map[string]any{"path": lob, "type": int64(0), "num_entries": int64(5)}},
		}
	}
	encode := func(v map[string]any) []byte { return container(s, appendValue(nil, parsed, v)) }
	want := encode(value("0_a.parquet", "bloom_filter.100/1", "x/y", "103/_data/u.vx"))
	in := encode(value(base+"/_data/0_a.parquet", base+"/_stats/bloom_filter.100/1", base+"/_index/x/y", "103/_data/u.vx"))
	got, err := Relative(in, base+"/")
	if err != nil {
		t.Fatal(err)
	}
	strip := func(b []byte) string { return string(b[bytes.Index(b, []byte(s))+len(s)+17 : len(b)-16]) } // the markers between differ
	if strip(got) != strip(want) {
		t.Errorf("got  %q\nwant %q", strip(got), strip(want))
	}
	for _, bad := range []string{"s3://other/x", "/files/insert_log/1/2/4/_data/0.parquet", base + "/_delta/1", "../x"} {
		if _, err := Relative(encode(value(bad, "1", "1", "1")), base); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
