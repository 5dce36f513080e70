package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/milvus"
)

// A flush that did not get through leaves files that no metadata names, which may be gone before the next one: its rows must
// not be.
func TestFlushThatWasNotMade(t *testing.T) {
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprint("files gone ", gone), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{StorageVersion: milvus.StorageV2})
			meta := w.meta.(*fakeMeta)
			c := create(t, w, Spec{Schema: everyType(milvus.TypeInt64)})
			r, m := rand.New(rand.NewPCG(1, 1)), model{}
			m.put(t, w, c, r, "_default", keyRange(0, 20), false)
			meta.failCommit = errors.New("etcd does not answer")
			if _, err := w.Flush(t.Context(), c); err == nil {
				t.Fatal("the flush succeeded")
			}
			same(t, "before it is settled", query(t, w, c, Query{}), m.texts(nil))
			if gone {
				if err := os.RemoveAll(filepath.Join(w.bucket(), "files")); err != nil {
					t.Fatal(err)
				}
			}
			m.put(t, w, c, r, "_default", keyRange(10, 30), true)
			if _, err := w.Flush(t.Context(), c); err == nil {
				t.Fatal("the flush succeeded")
			}
			meta.failCommit = nil
			at := flushed(t, w, c)
			same(t, "after it is settled", query(t, w, c, Query{}), m.texts(nil))
			same(t, "files", exported(t, w, c, at.Timestamp), m.exported())
			w.reopen(t)
			same(t, "after a restart", query(t, w, c, Query{}), m.texts(nil))
		})
	}
}

// A partition may turn out to be gone although dropping it failed: flushes go on without its rows.
func TestFlushWithoutAPartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2}, true)
	c := create(t, w, Spec{Schema: everyType(milvus.TypeInt64)})
	if _, err := w.CreatePartition(t.Context(), c, "p"); err != nil {
		t.Fatal(err)
	}
	r, m, lost := rand.New(rand.NewPCG(1, 1)), model{}, model{}
	m.put(t, w, c, r, "_default", keyRange(0, 10), false)
	lost.put(t, w, c, r, "p", keyRange(10, 20), false)
	if err := w.meta.(*metastore.Store).DropPartition(t.Context(), c.ID, "p"); err != nil { // behind the engine's back
		t.Fatal(err)
	}
	same(t, "before the flush", query(t, w, c, Query{}), m.texts(nil))
	flushed(t, w, c)
	same(t, "after the flush", query(t, w, c, Query{}), m.texts(nil))
}
