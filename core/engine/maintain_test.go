package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// simpleRows are rows of the simple schema.
func simpleRows(keys ...int64) Rows {
	n := len(keys)
	floats := make([]float32, 2*n)
	for i := range keys {
		floats[2*i] = float32(keys[i])
	}
	return Rows{Count: n, Columns: map[milvus.FieldID]arrow.Array{
		100: int64Array(slices.Clone(keys)), 101: fixture.Strings(slices.Repeat([]string{"x"}, n)...), 102: vectors(2, floats...),
	}}
}

func levels(w *world, c *metastore.Collection) (rows, deletes []*metastore.Segment) {
	for _, s := range w.meta.Segments(c.ID) {
		if s.IsL0() {
			deletes = append(deletes, s)
		} else {
			rows = append(rows, s)
		}
	}
	return rows, deletes
}

func remove(t *testing.T, w *world, c *metastore.Collection, expr string) {
	t.Helper()
	if _, err := w.Delete(t.Context(), c, "", expr, nil); err != nil {
		t.Fatal(err)
	}
}

// Compaction merges, leaves deleted rows out, keeps timestamps, and drops the deletes, unless a protected segment needs them.
func TestCompact(t *testing.T) {
	var kept milvus.SegmentID
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2, Protected: func(id milvus.SegmentID) bool { return id == kept }})
	c := create(t, w, Spec{Schema: simple()})
	insert(t, w, c, simpleRows(1, 2, 3))
	kept = flushed(t, w, c).Segments[0]
	insert(t, w, c, simpleRows(4, 5, 6))
	second := flushed(t, w, c).Segments[0]
	insert(t, w, c, simpleRows(7, 8))
	third := flushed(t, w, c).Segments[0]
	remove(t, w, c, "id in [3, 4]")
	flushed(t, w, c)
	want := query(t, w, c, Query{})
	var from, to milvus.Timestamp
	for _, id := range []milvus.SegmentID{second, third} {
		s, _ := w.meta.Segment(id)
		b := s.Binlogs[0].Binlogs[0]
		if to = max(to, b.To); from == 0 || b.From < from {
			from = b.From
		}
	}
	if err := w.Compact(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	rows, deletes := levels(w, c)
	if len(rows) != 2 || rows[0].ID != kept || rows[1].Rows != 4 || !slices.Equal(rows[1].CompactionFrom, []milvus.SegmentID{second, third}) || len(deletes) != 1 {
		t.Fatalf("%d segments, %d L0: %+v", len(rows), len(deletes), rows)
	}
	if b := rows[1].Binlogs[0].Binlogs[0]; b.From != from || b.To != to {
		t.Errorf("timestamps from %d to %d, want %d to %d", b.From, b.To, from, to)
	}
	same(t, "compacted beside a protected segment", query(t, w, c, Query{}), want)
	kept = 0
	if err := w.Compact(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if rows, deletes = levels(w, c); len(rows) != 1 || rows[0].Rows != 6 || len(deletes) != 0 {
		t.Fatalf("%d segments, %d L0", len(rows), len(deletes))
	}
	same(t, "compacted", query(t, w, c, Query{}), want)
	remove(t, w, c, "id > 0")
	flushed(t, w, c)
	if err := w.Compact(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if rows, deletes = levels(w, c); len(rows)+len(deletes) != 0 {
		t.Fatalf("%d segments, %d L0 of nothing", len(rows), len(deletes))
	}
}

// An index has a file for every flushed segment, before and after it was made.
func TestIndexFiles(t *testing.T) {
	w := newWorld(t, Config{StorageVersion: milvus.StorageV3}, true)
	c := create(t, w, Spec{Schema: simple()})
	insert(t, w, c, simpleRows(1, 2, 3))
	flushed(t, w, c)
	spec := IndexSpec{Field: 102, UserParams: []milvus.KeyValue{{Key: "index_type", Value: "HNSW"}, {Key: "metric_type", Value: "IP"}, {Key: "params", Value: `{"M":16}`}}}
	for range 2 { // the second time it is there
		if err := w.CreateIndex(t.Context(), c, spec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.CreateIndex(t.Context(), c, IndexSpec{Field: 102, Name: "other"}); err == nil || !strings.Contains(err.Error(), "at most one distinct index is allowed per field") {
		t.Error(err)
	}
	insert(t, w, c, simpleRows(4, 5))
	flushed(t, w, c)
	w.reopen(t)
	c, _ = w.meta.CollectionByID(c.ID)
	if len(c.Indexes) != 1 || c.Indexes[0].Name != "vec" || !slices.Equal(c.Indexes[0].UserParams, spec.UserParams) {
		t.Fatalf("%+v", c.Indexes)
	}
	rows, _ := levels(w, c)
	for i, s := range rows {
		n := []int64{3, 2}[i]
		if len(s.Indexes) != 1 || s.Indexes[0].Rows != n || s.Indexes[0].Index != c.Indexes[0].ID || len(s.Indexes[0].Files) != 1 {
			t.Fatalf("segment %d: %+v", s.ID, s.Indexes)
		}
		body, err := os.ReadFile(filepath.Join(w.bucket(), s.Indexes[0].Files[0].Key))
		if err != nil {
			t.Fatal(err)
		}
		f, err := binlog.Open(body)
		if err != nil || f.Events[0].Type != binlog.EventIndexFile || int64(len(f.Events[0].Payload)) != n*8 {
			t.Fatalf("%+v (%v)", f, err)
		}
	}
	if _, err := w.Search(t.Context(), c, Search{Field: 102, Vectors: vectors(2, 1, 0), Metric: "L2", Limit: 1}); err == nil || !strings.Contains(err.Error(), "metric type not match") {
		t.Error(err)
	}
	hits, err := w.Search(t.Context(), c, Search{Field: 102, Vectors: vectors(2, 1, 0), Limit: 1})
	if err != nil || hits[0].Scores[0] != 5 {
		t.Error(hits, err)
	}
	if err := w.DropIndex(t.Context(), c, "vec"); err != nil {
		t.Fatal(err)
	}
	if err := w.DropIndex(t.Context(), c, "vec"); !status.Is(err, status.IndexMissing) {
		t.Error(err)
	}
}

// uncertain is metadata whose commits fail though, or as if, they were made.
type uncertain struct {
	*fakeMeta
	made, fails int
	silent      bool // reading fails meanwhile, too
}

func (u *uncertain) Refresh(context.Context) error {
	if u.silent && u.fails > 0 {
		return errors.New("no answer")
	}
	return nil
}

func (u *uncertain) Commit(ctx context.Context, c metastore.Change) error {
	if u.fails == 0 {
		return u.fakeMeta.Commit(ctx, c)
	}
	u.fails--
	if u.made > 0 {
		u.made--
		if err := u.fakeMeta.Commit(ctx, c); err != nil {
			return err
		}
	}
	return errors.New("no answer")
}

// Rows are there once whether a commit without an answer was made or not, at once and after the next flush.
func TestCommitsWithoutAnswer(t *testing.T) {
	for _, u := range []*uncertain{
		{made: 1, fails: 1}, {made: 0, fails: 1}, {made: 0, fails: publishTries}, {made: 0, fails: 2 * publishTries},
		{made: 1, fails: publishTries + 1, silent: true}, {made: 0, fails: publishTries + 1, silent: true},
	} {
		w := newWorld(t, Config{StorageVersion: milvus.StorageV2})
		u.fakeMeta = w.meta.(*fakeMeta)
		w.meta = u
		w.reopen(t)
		c := create(t, w, Spec{Schema: simple(), Shards: 2})
		insert(t, w, c, simpleRows(1, 2, 3, 4))
		want := query(t, w, c, Query{})
		_, err := w.Flush(t.Context(), c)
		if failed := u.made == 0 && u.fails > 0; failed && !status.Is(err, status.ServiceUnavailable) {
			t.Error(err)
		}
		same(t, "after no answer", query(t, w, c, Query{}), want)
		if u.silent {
			u.fails = 0
		}
		insert(t, w, c, simpleRows(5))
		for range 2 {
			_, err = w.Flush(t.Context(), c)
		}
		if err != nil {
			t.Error(err)
		}
		got := query(t, w, c, Query{})
		same(t, "after flushes", got[:4], want)
		w.reopen(t)
		if again := query(t, w, c, Query{}); len(got) != 5 || !slices.Equal(again, got) {
			t.Errorf("%d rows, %d after opening again", len(got), len(again))
		}
	}
}

func TestDrop(t *testing.T) {
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: simple()})
	if _, err := w.CreatePartition(t.Context(), c, "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Insert(t.Context(), c, "p", simpleRows(1)); err != nil {
		t.Fatal(err)
	}
	insert(t, w, c, simpleRows(2))
	if err := w.DropPartition(t.Context(), c, "p"); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	if rows, err := w.Query(t.Context(), c, Query{Fields: []milvus.FieldID{100}}); err != nil || rows.Count != 1 || rows.Columns[100].ValueStr(0) != "2" {
		t.Error(rows, err)
	}
	if w.Stats(c) != 1 {
		t.Error(w.Stats(c))
	}
	for what, err := range map[string]error{"_default": w.DropPartition(t.Context(), c, "_default"), "gone": w.DropPartition(t.Context(), c, "p")} {
		if err == nil {
			t.Error(what)
		}
	}
	if err := w.DropCollection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Insert(t.Context(), c, "", simpleRows(3)); !status.Is(err, status.CollectionMissing) {
		t.Error(err)
	}
	if _, err := w.Query(t.Context(), c, Query{}); !status.Is(err, status.CollectionMissing) {
		t.Error(err)
	}
	if _, err := os.Stat(w.logDir(c.ID)); !os.IsNotExist(err) {
		t.Error("the log is still there: ", err)
	}
}

// Rows older than the collection's time to live are not seen.
func TestTTL(t *testing.T) {
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: simple(), Properties: []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "60"}}})
	insert(t, w, c, simpleRows(1))
	for after, want := range map[int64]int{59_999: 1, 60_001: 0} {
		start := w.now
		w.now = start.Add(time.Duration(after) * time.Millisecond)
		rows, err := w.Query(t.Context(), c, Query{Count: true})
		if err != nil || rows.Count != want {
			t.Errorf("after %d ms: %d rows (%v)", after, rows.Count, err)
		}
		w.now = start
	}
}
