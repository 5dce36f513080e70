package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
)

// large makes files of several parts.
var large = fixture.Shape{Segments: 2, Rows: 1500, Dim: 1024}

// request selects requests by method, by a part of the path, and by a parameter ("" is any; "!" none).
func request(method, path, parameter string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && strings.Contains(r.URL.Path, path) && (parameter == "" || r.URL.Query().Has(parameter))
	}
}

// hold holds the requests that are selected.
func hold(selected func(*http.Request) bool, f testkit.Fault) func(*http.Request) testkit.Fault {
	return func(r *http.Request) testkit.Fault {
		if selected(r) {
			return f
		}
		return nil
	}
}

// An interrupt at a moment that a held request determines: exit 130, and nothing is left, open uploads included.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := newStage(t, large)
	for _, c := range []struct {
		name     string
		proxy    *testkit.FaultProxy
		selected func(*http.Request) bool
		signal   syscall.Signal
	}{
		{"reading metadata", s.toMilvus, request("GET", "/metadata/", ""), syscall.SIGINT},
		{"reading data", s.toMilvus, request("GET", "/102/", ""), syscall.SIGTERM},
		{"looking for the table", s.toLake, request("GET", "/version-hint.text", ""), syscall.SIGINT},
		{"writing the first part", s.toLake, request("PUT", ".parquet", "partNumber"), syscall.SIGINT},
		{"completing a file", s.toLake, request("POST", ".parquet", "uploadId"), syscall.SIGTERM},
	} {
		for _, answered := range []bool{false, true} {
			name, gate := c.name+" before", testkit.NewGate()
			held := gate.HoldBefore()
			if answered {
				name, held = c.name+" after", gate.HoldAfter()
			}
			t.Run(name, func(t *testing.T) {
				c.proxy.Choose(hold(c.selected, held))
				defer c.proxy.Choose(nil)
				p := start(t, s.env, s.export(s.both)...)
				gate.Await(t)
				p.signal(t, c.signal)
				if o := p.wait(t); o.code != exitInterrupted || failureIn(t, o).Class != "interrupted" {
					t.Error(o)
				}
				if left := s.leftovers(t); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
	t.Run("local", func(t *testing.T) { interruptLocal(t, s) })
}

// interruptLocal has the table on disk; the second segment's data does not come.
func interruptLocal(t *testing.T, s *stage) {
	gate := testkit.NewGate()
	s.toMilvus.Choose(hold(func(r *http.Request) bool {
		return r.Method == "GET" && strings.Contains(r.URL.Path, "insert_log") && strings.Contains(r.URL.Path, fmt.Sprint(s.Segments[1].ID))
	}, gate.HoldBefore()))
	defer s.toMilvus.Choose(nil)
	table := filepath.Join(t.TempDir(), "table")
	p := start(t, s.env, s.args("export", s.both, "--to", table, "--json", "--workers", "1")...)
	gate.Await(t)
	p.signal(t, syscall.SIGINT)
	if o := p.wait(t); o.code != exitInterrupted {
		t.Error(o)
	}
	nothingWritten(t, table)
}

// moments are those of a commit. A kill that falls on one leaves the table old or new.
var moments = []struct {
	name      string
	selected  func(*http.Request) bool
	after     bool // the request was carried out
	committed bool
}{
	{"the last data file", request("POST", ".parquet", "uploadId"), true, false},
	{"before the manifest", request("PUT", "-m1.avro", ""), false, false},
	{"after the manifest list", request("PUT", "/snap-", ""), true, false},
	{"before the metadata", request("PUT", "/v2.metadata.json", ""), false, false},
	{"after the metadata", request("PUT", "/v2.metadata.json", ""), true, true},
	{"before the hint", request("PUT", "/version-hint.text", ""), false, true},
	{"after the hint", request("PUT", "/version-hint.text", ""), true, true},
}

// kill -9 during the export to a table that has a snapshot. The next run finds what there is and succeeds.
func TestKill(t *testing.T) {
	t.Parallel()
	s := newStage(t, large)
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			if o := invoke(t, s.env, s.export(s.first)...); o.code != 0 {
				t.Fatal(o)
			}
			gate := testkit.NewGate()
			held := gate.HoldBefore()
			if m.after {
				held = gate.HoldAfter()
			}
			s.toLake.Choose(hold(m.selected, held))
			p := start(t, s.env, s.export(s.both)...)
			gate.Await(t)
			p.signal(t, syscall.SIGKILL)
			p.wait(t)
			s.toLake.Choose(nil)
			want := []string{"first"}
			if m.committed {
				want = append(want, "both")
			}
			if got := s.history(t); !slices.Equal(got, want) {
				t.Errorf("the table holds %v, want %v", got, want)
			}
			s.runAgain(t, m.committed)
			s.emptyLake(t)
		})
	}
}

// runAgain exports all segments and verifies the table.
func (s *stage) runAgain(t *testing.T, committed bool) {
	t.Helper()
	var result struct {
		AlreadyExported bool `json:"already_exported"`
	}
	succeed(t, s.env, &result, s.export(s.both)...)
	if result.AlreadyExported != committed {
		t.Errorf("already exported: %v", result.AlreadyExported)
	}
	if got := s.history(t); !slices.Equal(got, []string{"first", "both"}) {
		t.Errorf("the table holds %v", got)
	}
	if o := invoke(t, s.env, s.args("verify", s.both, stageTable)...); o.code != 0 {
		t.Error(o)
	}
}

func (s *stage) emptyLake(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(s.lake.Root, lakeBucket, "tables")); err != nil {
		t.Fatal(err)
	}
}

// An interrupt during the commit: the commit comes to its end. Old table and exit 130, or new table and exit 0.
func TestInterruptDuringCommit(t *testing.T) {
	t.Parallel()
	s := newStage(t, fixture.Shape{Segments: 2, Rows: 50})
	for _, m := range moments[1:] {
		t.Run(m.name, func(t *testing.T) {
			if o := invoke(t, s.env, s.export(s.first)...); o.code != 0 {
				t.Fatal(o)
			}
			before := s.leftovers(t)
			gate := testkit.NewGate()
			held := gate.HoldBefore()
			if m.after {
				held = gate.HoldAfter()
			}
			s.toLake.Choose(hold(m.selected, held))
			p := start(t, s.env, s.export(s.both)...)
			gate.Await(t)
			p.signal(t, syscall.SIGINT)
			gate.Open()
			o := p.wait(t)
			s.toLake.Choose(nil)
			switch got := s.history(t); {
			case o.code == 0 && slices.Equal(got, []string{"first", "both"}):
			case o.code == exitInterrupted && slices.Equal(got, []string{"first"}) && slices.Equal(s.leftovers(t), before):
			default:
				t.Errorf("the table holds %v after %s", got, o)
			}
			s.emptyLake(t)
		})
	}
}
