package engine

import (
	"errors"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// Logs are not taken for those of collections that are gone where the metadata is other metadata.
func TestLogsOfOtherMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: simple()})
	insert(t, w, c, simpleRows(1, 2))
	want := query(t, w, c, Query{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	other := newFakeMeta()
	other.name = "other"
	if e, err := open(t.Context(), other, objstore.Local(w.bucket()), w.config); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("opened with other metadata: %v", err)
		if e != nil {
			_ = e.Close()
		}
	}
	w.reopen(t)
	same(t, "with its own", query(t, w, c, Query{}), want)
}
