package loon

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hamba/avro/v2/ocf"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
)

func sample() *Manifest {
	return &Manifest{
		LOBsListed: true,
		Groups: []ColumnGroup{
			{Columns: []string{"0", "1", "100"}, Format: FormatParquet, Files: []File{{"0_a.parquet", 0, 40, 1234, 99}, {"0_b.parquet", 5, 25, 0, 0}}},
			{Columns: []string{"101"}, Format: FormatParquet, Files: []File{{"1_c.parquet", 0, 60, 0, 0}}},
		},
		Deltas: []Delta{{"455401022", DeltaPrimaryKey, 7}},
		LOBs:   []LOBFile{{"../lobs/103/_data/x.vx", 103, 9, 8, 77}},
	}
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	b, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Encode(want)
	if string(b) != string(again) {
		t.Error("the same manifest gives other bytes")
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n, err := got.Rows(); n != 60 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*Manifest)
		class error
	}{
		{"groups of different length", func(m *Manifest) { m.Groups[1].Files[0].End = 59 }, fault.ErrCorrupt},
		{"negative start", func(m *Manifest) { m.Groups[0].Files[0].Start = -1 }, fault.ErrCorrupt},
		{"empty range", func(m *Manifest) { m.Groups[0].Files[0].End = 0 }, fault.ErrCorrupt},
		{"positional delta", func(m *Manifest) { m.Deltas[0].Type = DeltaPositional }, fault.ErrUnsupported},
		{"equality delta", func(m *Manifest) { m.Deltas[0].Type = DeltaEquality }, fault.ErrUnsupported},
		{"unknown delta", func(m *Manifest) { m.Deltas[0].Type = 3 }, fault.ErrUnsupported},
	} {
		m := sample()
		tc.spoil(m)
		if _, err := Encode(m); !errors.Is(err, tc.class) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(b))
		}
	}
	if _, err := Decode(append(b, 0)); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestResolve(t *testing.T) {
	const base = "files/insert_log/1/2/3"
	for recorded, want := range map[string]string{
		"0_a.parquet":                         base + "/_data/0_a.parquet",
		"files/insert_log/1/2/3/_data/x":      base + "/_data/x",
		"/other/place/x":                      "other/place/x",
		"s3://bucket/key":                     "s3://bucket/key",
		"files/insert_log/1/2/33/_data/x.par": base + "/_data/files/insert_log/1/2/33/_data/x.par",
	} {
		if got := Resolve(base+"/", SectionData, recorded); got != want {
			t.Errorf("%s: %s, want %s", recorded, got, want)
		}
	}
}

// Long texts lie beside the segments of a partition.
func TestResolveLOB(t *testing.T) {
	for base, want := range map[string]string{
		"files/insert_log/1/2/3":       "files/insert_log/1/2/lobs/110/_data/x.vx",
		"3":                            "lobs/110/_data/x.vx",
		"/var/files/insert_log/1/2/3/": "/var/files/insert_log/1/2/lobs/110/_data/x.vx",
		"s3://b/files/1/2/3":           "s3://b/files/1/2/lobs/110/_data/x.vx",
	} {
		if got := Resolve(base, SectionLOB, "110/_data/x.vx"); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

// genuine walks over all manifests of the acceptance data, written by Milvus's own library (MILV 1) or by hand (containers).
func genuine(t testing.TB, visit func(path string, b []byte)) {
	t.Helper()
	dir := filepath.Join(testkit.Acceptance(t), "snapshots")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, "/_metadata/manifest-") {
			visit(path, testkit.ReadFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every manifest names files that exist, with as many rows in each group.
func TestGenuineManifests(t *testing.T) {
	var n int
	genuine(t, func(path string, b []byte) {
		m, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		base := filepath.Dir(filepath.Dir(path))
		bucket, key, _ := strings.Cut(base, "/bucket/")
		for _, g := range m.Groups {
			for _, f := range g.Files {
				if _, err := os.Stat(filepath.Join(bucket, "bucket", Resolve(key, SectionData, f.Path))); err != nil {
					t.Error(err)
				}
			}
		}
		for _, d := range m.Deltas {
			if _, err := os.Stat(filepath.Join(bucket, "bucket", Resolve(key, SectionDelta, d.Path))); err != nil {
				t.Error(err)
			}
		}
		n++
	})
	if n < 5 {
		t.Errorf("only %d manifests found", n)
	}
}

// FuzzDecode decodes any bytes.
func FuzzDecode(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(decodes)
}

// FuzzMILV spends its time behind the magic number of the raw encoding.
func FuzzMILV(f *testing.F) {
	seeds(f, func(b []byte) {
		if body, ok := bytes.CutPrefix(b, milvMagic); ok {
			f.Add(body)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) { decodes(t, append(slices.Clone(milvMagic), body...)) })
}

// FuzzContainer spends its time in the schema and the record of a container whose framing is right.
func FuzzContainer(f *testing.F) {
	seeds(f, func(b []byte) {
		if schema, record, ok := split(b); ok {
			f.Add(schema, record)
		}
	})
	f.Fuzz(func(t *testing.T, schema string, record []byte) { decodes(t, container(schema, record)) })
}

func seeds(f *testing.F, add func([]byte)) {
	b, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	add(b)
	genuine(f, func(_ string, b []byte) { add(b) })
}

// decodes checks that the bytes give a manifest, or an error with a class.
func decodes(t *testing.T, b []byte) {
	m, err := Decode(b)
	if err != nil {
		if fault.ClassName(err) == "" {
			t.Fatalf("an error without class: %v", err)
		}
		return
	}
	if _, err := m.Rows(); err != nil {
		t.Fatal(err)
	}
}

// split takes a container apart.
func split(b []byte) (schema string, record []byte, ok bool) {
	if !bytes.HasPrefix(b, containerMagic) {
		return "", nil, false
	}
	d := &decoder{buf: b, off: len(containerMagic)}
	err := d.blocks(func() error {
		k, err := d.text(true)
		if err != nil {
			return err
		}
		v, err := d.text(false)
		if k == "avro.schema" {
			schema = v
		}
		return err
	})
	if err != nil || d.left() < 2*syncSize {
		return "", nil, false
	}
	d.off += syncSize
	d.long() // one record
	n, err := d.long()
	if err != nil {
		return "", nil, false
	}
	record, err = d.take(int(n))
	return schema, record, err == nil
}

// TestAnotherReaderAgrees reads our container with another library, by the schema that it carries.
func TestAnotherReaderAgrees(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	dec, err := ocf.NewDecoder(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for dec.HasNext() {
		var r any
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	file := func(path string, start, end int64, properties map[string]any) any {
		return map[string]any{"path": path, "start_index": start, "end_index": end, "properties": properties}
	}
	want := []any{map[string]any{
		"column_groups": []any{
			map[string]any{"columns": []any{"0", "1", "100"}, "format": "parquet", "files": []any{
				file("0_a.parquet", 0, 40, map[string]any{"file_size": "1234", "footer_size": "99"}), file("0_b.parquet", 5, 25, map[string]any{})}},
			map[string]any{"columns": []any{"101"}, "format": "parquet", "files": []any{file("1_c.parquet", 0, 60, map[string]any{})}},
		},
		"delta_logs": []any{map[string]any{"path": "455401022", "type": 0, "num_entries": int64(7)}},
		"stats":      map[string]any{}, "indexes": []any{},
		"lob_files": []any{map[string]any{"path": "../lobs/103/_data/x.vx", "field_id": int64(103), "total_rows": int64(9), "valid_rows": int64(8), "file_size_bytes": int64(77)}},
	}}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" || dec.Error() != nil {
		t.Errorf("%v\n%s", dec.Error(), d)
	}
}
