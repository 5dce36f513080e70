package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

func make1(t *testing.T, dir, arg string) map[string]Description {
	t.Helper()
	if err := run(dir, 600, 1, []string{arg}); err != nil {
		t.Fatal(err)
	}
	notes, err := filepath.Glob(filepath.Join(dir, "*", "dataset.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Description{}
	for _, note := range notes {
		b, err := os.ReadFile(note)
		if err != nil {
			t.Fatal(err)
		}
		var d Description
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(filepath.Dir(note))] = d
	}
	return out
}

// The same arguments make the same bytes; other seeds do not.
func TestSame(t *testing.T) {
	one := make1(t, t.TempDir(), "D4:S:v1,v2-plain")
	two := make1(t, t.TempDir(), "D4:S:v1,v2-plain")
	if len(one) != 2 || one["D4-v1"] != two["D4-v1"] || one["D4-v2-plain"] != two["D4-v2-plain"] || one["D4-v1"].SHA256 == one["D4-v2-plain"].SHA256 {
		t.Errorf("%+v\n%+v", one, two)
	}
	if d := one["D4-v1"]; d.Params.Rows != 600 || d.Live < 350 || d.Live > 450 || d.Files == 0 || d.VectorBytes < 590*512 || d.VectorBytes > 610*512 {
		t.Errorf("%+v", d) // 500 keys, of which 60 % live and 20 % come again
	}
	dir := t.TempDir()
	if err := run(dir, 600, 2, []string{"D4:S:v1"}); err != nil {
		t.Fatal(err)
	}
	if other := make1(t, dir, "D6:2"); other["D4-v1"].SHA256 == one["D4-v1"].SHA256 || other["D6"].Snapshot == "" {
		t.Errorf("%+v", other)
	}
}

func TestParse(t *testing.T) {
	for arg, want := range map[string]Params{
		"D1:M:v1":           {Workload: "D1", Storage: "v1", Rows: 1_000_000, Segments: 12, ChunkRows: 25_000, Dim: 128},
		"D5:1000000:v3":     {Workload: "D5", Storage: "v3", Rows: 1_000_000, Segments: 10_000, ChunkRows: 100, Dim: 16},
		"D2:60000:v2-plain": {Workload: "D2", Storage: "v2-plain", Rows: 60_000, Segments: 4, ChunkRows: 5_000, Dim: 768},
	} {
		want.Generation = generation
		if got, err := parse(arg, 0, 0); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"D9:S:v1", "D1:X:v1", "D1:0:v1", "D1:S:v9", "D1:S", "D1"} {
		if got, err := parse(arg, 0, 0); err == nil {
			t.Errorf("%s: %+v", arg, got)
		}
	}
}

// Every field of every workload has values.
func TestColumns(t *testing.T) {
	for name, w := range workloads {
		s := schema(w, Params{Dim: w.dim})
		for _, f := range s.Fields {
			a, err := column(f, 1, 7, 100)
			if err != nil || a.Len() != 100 || a.NullN() > 0 != f.Nullable {
				t.Errorf("%s, %s: %v, %v", name, f.Name, a, err)
			}
		}
		if pk, ok := s.PrimaryKey(); !ok || pk.ID != milvus.FirstUserField {
			t.Errorf("%s: key %+v", name, pk)
		}
	}
}
