package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	s := &section{data: &dataset{Input: Input{VectorBytes: 6e9}}, deletes: 30e6}
	s.cases = []*Case{
		{Name: "ours", Measured: []Measurement{{Wall: 1, User: 2, Peak: 5e6}, {Wall: 2, User: 1, System: 1, Peak: 7e6}, {Wall: 4, User: 3, Peak: 6e6}}},
		{Name: "theirs", Measured: []Measurement{{Wall: 3, User: 1}, {Wall: 3, User: 4, Server: 2}}}, // fewer rounds
		{Name: "never"},
	}
	s.goals = []goal{
		{ours: "ours", beside: "theirs", of: ofWall, least: 2}, {ours: "ours", beside: "theirs", of: ofCPU, least: 2},
		{ours: "ours", of: ofVectors, least: 3}, {ours: "ours", of: ofPeak, most: 5}, {ours: "ours", of: ofSeconds}, {ours: "ours", of: ofDeletes},
		{ours: "never", of: ofWall}, {ours: "ours", beside: "never", of: ofWall},
	}
	want := []struct {
		value [3]float64
		met   bool
	}{
		{[3]float64{2.25, 1.5, 3}, true}, {[3]float64{1.75, 0.5, 3}, false}, {[3]float64{3, 2, 3}, true}, {[3]float64{6, 5, 7}, false},
		{[3]float64{2, 1, 4}, true}, {[3]float64{15, 10, 15}, true},
	}
	got := s.judge()
	if len(got) != len(want) {
		t.Fatalf("%d goals: %+v", len(got), got)
	}
	for i, w := range want {
		if got[i].Value != w.value || got[i].Met() != w.met {
			t.Errorf("goal %d: %+v, want %v, met %v", i, got[i], w.value, w.met)
		}
	}
}

func TestScans(t *testing.T) {
	rows, goals, err := scans([]byte(`{"engine":"duckdb 1","rounds":9,"queries":{"b":{"ours_wall_s":3,"ours_cpu_s":4,"pyarrow_wall_s":2,"pyarrow_cpu_s":1},"a":{"ours_wall_s":1,"pyarrow_wall_s":1}}}`), "x y")
	if err != nil || len(rows) != 4 || len(goals) != 2 {
		t.Fatalf("%+v, %+v, %v", rows, goals, err)
	}
	if r := rows[2]; r.Name != "b: ours" || r.Wall != [3]float64{3, 3, 3} || r.CPU[0] != 4 || r.Command != "x y" {
		t.Errorf("%+v", r)
	}
	if !goals[0].Met() || goals[1].Met() || goals[1].Value[0] != 1.5 {
		t.Errorf("%+v", goals)
	}
	for _, text := range []string{"", "{}", "[]"} {
		if _, _, err := scans([]byte(text), "x"); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// A case is measured with its children, in processor time and memory, and what it wrote is counted.
func TestOnce(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	c := &Case{Name: "dd", Command: []string{"sh", "-c", "mkdir OUT && dd if=/dev/zero of=OUT/x bs=1000 count=7 2>/dev/null"}}
	m, err := c.once(context.Background(), out)
	if err != nil || m.Output != 7000 || m.Wall <= 0 || m.CPU() <= 0 || m.Peak < 100_000 {
		t.Errorf("%+v, %v", m, err)
	}
	c.Command = []string{"sh", "-c", "echo broken; exit 3"}
	if _, err := c.once(context.Background(), out); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a failure is measured: %v", err)
	}
}

// Sections are those that there is data for, and that are asked for.
func TestPlan(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"D1-v1": `{"params":{"workload":"D1","storage":"v1","rows":10}}`, "D6": `{"params":{"workload":"D6","segments":5},"snapshot":"bucket/x"}`, "old": `{"params":{"rows":5}}`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "dataset.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sets, err := datasets(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	o := options{data: dir, shm: dir, milvus: "python", sections: "export,scaling D1,live", binary: "ours"}
	for _, s := range plan(o, sets, dir) {
		if o.wants(s) {
			ids = append(ids, s.id)
		}
		for _, g := range s.goals {
			if s.find(g.ours) == nil || g.beside != "" && s.find(g.beside) == nil {
				t.Errorf("%s: a goal of cases that are not there: %+v", s.id, g)
			}
		}
	}
	if got := strings.Join(ids, ", "); got != "export D1-v1, scaling D1-v1, live D1-v1" {
		t.Errorf("sections %s", got)
	}
}

func TestReplaceTable(t *testing.T) {
	got, err := replaceTable("a\n"+tableBegin+"old\n"+tableEnd+"z\n", "new\n")
	if want := "a\n" + tableBegin + "new\n" + tableEnd + "z\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := replaceTable("a\n", "new\n"); err == nil {
		t.Error("a page without marks was written")
	}
}
