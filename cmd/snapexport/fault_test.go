package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
)

// firstOf strikes the first n requests of each method and path, of those that are selected.
func firstOf(n int, selected func(*http.Request) bool, f testkit.Fault) func(*http.Request) testkit.Fault {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(r *http.Request) testkit.Fault {
		if !selected(r) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		key := r.Method + r.URL.Path + r.URL.Query().Get("partNumber")
		if seen[key]++; seen[key] > n {
			return nil
		}
		return f
	}
}

func everything(*http.Request) bool { return true }

// changes selects what changes the lake, but for the beginning of uploads: one that nobody was told of stays open.
func changes(r *http.Request) bool {
	return r.Method == "PUT" || r.Method == "POST" && !r.URL.Query().Has("uploads")
}

func method(names ...string) func(*http.Request) bool {
	return func(r *http.Request) bool { return slices.Contains(names, r.Method) }
}

// What a server does wrong for a while, an export survives: the right rows, one commit, no files beside those of the table.
func TestSurvivesFaults(t *testing.T) {
	t.Parallel()
	s := newStage(t, fixture.Shape{Segments: 2, Rows: 1500, Dim: 1024, Deletes: 10})
	for _, c := range []struct {
		name           string
		toMilvus, lake func(*http.Request) testkit.Fault
	}{
		{"500 once each", firstOf(1, everything, testkit.Refuse(500, "InternalError")), firstOf(1, everything, testkit.Refuse(500, "InternalError"))},
		{"bursts of 503", firstOf(3, everything, testkit.Refuse(503, "SlowDown")), firstOf(3, method("PUT", "POST"), testkit.Refuse(503, "SlowDown"))},
		{"cut bodies", firstOf(1, method("GET"), testkit.CutBody()), firstOf(1, method("GET"), testkit.CutBody())},
		{"slow bodies", firstOf(9, request("GET", "/102/", ""), testkit.SlowBody(20*time.Millisecond)), firstOf(9, method("GET"), testkit.SlowBody(5*time.Millisecond))},
		{"broken connections", firstOf(1, everything, testkit.Disconnect()), firstOf(1, method("GET", "HEAD"), testkit.Disconnect())},
		{"lost answers", nil, firstOf(1, changes, testkit.LoseAnswer(500, "InternalError"))},
		{"lost answers, cut off", nil, firstOf(1, changes, testkit.Disconnect())},
		{"conflicts of creators", nil, firstOf(2, request("PUT", "metadata.json", ""), testkit.LoseAnswer(409, "ConditionalRequestConflict"))},
		{"slow down after the metadata", nil, firstOf(3, request("PUT", "metadata.json", ""), testkit.LoseAnswer(503, "SlowDown"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.toMilvus.Choose(c.toMilvus)
			s.toLake.Choose(c.lake)
			var got struct {
				exported
				Already bool `json:"already_exported"`
			}
			succeed(t, s.env, &got, s.export(s.both)...)
			s.toMilvus.Choose(nil)
			s.toLake.Choose(nil)
			if want := int64(2 * (1500 - 10)); got.Rows != want || got.Already {
				t.Errorf("%+v, want %d rows", got, want)
			}
			if h := s.history(t); !slices.Equal(h, []string{"both"}) {
				t.Errorf("the table holds %v", h)
			}
			if keys := s.leftovers(t); len(keys) != 1+5 { // a data file, its mapping, manifest, list, metadata, hint
				t.Errorf("the lake holds %v", keys)
			}
			if o := invoke(t, s.env, s.args("verify", s.both, stageTable)...); o.code != 0 {
				t.Error(o)
			}
			s.emptyLake(t)
		})
	}
}

// What stays wrong makes an export fail, with its class, and nothing is left of it.
func TestFailsCleanly(t *testing.T) {
	t.Parallel()
	s := newStage(t, fixture.Shape{Segments: 2, Rows: 1500, Dim: 1024, Deletes: 10})
	always := func(selected func(*http.Request) bool, f testkit.Fault) func(*http.Request) testkit.Fault {
		return hold(selected, f)
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	for _, c := range []struct {
		name           string
		toMilvus, lake func(*http.Request) testkit.Fault
		code           int
	}{
		{"source down", always(request("GET", "/102/", ""), testkit.Refuse(500, "InternalError")), nil, exitError},
		{"source forbidden", always(request("GET", "/102/", ""), testkit.Refuse(403, "AccessDenied")), nil, exitAuth},
		{"deletes missing", always(request("GET", "/delta_log/", ""), testkit.Refuse(404, "NoSuchKey")), nil, exitBadSource},
		{"half bodies that look whole", always(request("GET", "/102/", ""), testkit.ChangeBody(half)), nil, exitBadSource},
		{"cut bodies for ever", always(request("GET", "/102/", ""), testkit.CutBody()), nil, exitError},
		{"parts refused", nil, always(request("PUT", ".parquet", "partNumber"), testkit.Refuse(403, "AccessDenied")), exitAuth},
		{"parts fail", nil, always(request("PUT", ".parquet", "partNumber"), testkit.Refuse(503, "SlowDown")), exitError},
		{"completion refused", nil, always(request("POST", ".parquet", "uploadId"), testkit.Refuse(400, "InvalidPart")), exitError},
		{"completion without an answer", nil, always(request("POST", ".parquet", "uploadId"), testkit.LoseAnswer(403, "AccessDenied")), exitAuth},
		{"manifest refused", nil, always(request("PUT", ".avro", ""), testkit.Refuse(403, "AccessDenied")), exitAuth},
		{"manifest list refused", nil, always(request("PUT", "/snap-", ""), testkit.Refuse(403, "AccessDenied")), exitAuth},
		{"metadata refused", nil, always(request("PUT", ".metadata.json", ""), testkit.Refuse(403, "AccessDenied")), exitAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.toMilvus.Choose(c.toMilvus)
			s.toLake.Choose(c.lake)
			o := invoke(t, s.env, s.export(s.both)...)
			s.toMilvus.Choose(nil)
			s.toLake.Choose(nil)
			if o.code != c.code {
				t.Errorf("want exit %d: %s", c.code, o)
			}
			if left := s.leftovers(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
				s.emptyLake(t)
			}
		})
	}
}

// The metadata can't be written and nobody knows whether it was: the data files stay, and the next run decides.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	s := newStage(t, fixture.Shape{Segments: 2, Rows: 50})
	s.toLake.Choose(hold(request("PUT", ".metadata.json", ""), testkit.Refuse(500, "InternalError")))
	o := invoke(t, s.env, s.export(s.both)...)
	s.toLake.Choose(nil)
	if f := failureIn(t, o); o.code != exitError || !strings.Contains(f.Message, "not known") {
		t.Error(o)
	}
	succeed(t, s.env, nil, s.export(s.both)...)
	if h := s.history(t); !slices.Equal(h, []string{"both"}) {
		t.Errorf("the table holds %v", h)
	}
}

// An object that changes while it is read: the right rows or a conflict, never a mixture.
func TestChangedETags(t *testing.T) {
	t.Parallel()
	s := newStage(t, fixture.Shape{Segments: 2, Rows: 1500, Dim: 1024})
	var mu sync.Mutex
	tags := []string{"1", "2", "3"}
	s.toMilvus.Choose(func(r *http.Request) testkit.Fault {
		mu.Lock()
		defer mu.Unlock()
		tags = append(tags[1:], tags[0])
		return testkit.ChangeETag(tags[0])
	})
	o := invoke(t, s.env, s.export(s.both)...)
	s.toMilvus.Choose(nil)
	switch {
	case o.code == exitConflict && len(s.leftovers(t)) == 0:
	case o.code == 0:
		if o := invoke(t, s.env, s.args("verify", s.both, stageTable)...); o.code != 0 {
			t.Error(o)
		}
	default:
		t.Error(o)
	}
}
