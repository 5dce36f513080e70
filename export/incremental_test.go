package export_test

import (
	"testing"

	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/reader"
)

// The second snapshot has one segment more: the first one's file stays.
func TestSecondSnapshotAddsItsSegment(t *testing.T) {
	t.Parallel()
	src, a := newSource(t), newAgain(t)
	first := a.must(resolve(t, a.opener, src.first), reader.Options{}, export.Options{})
	both := a.must(resolve(t, a.opener, src.both), reader.Options{}, export.Options{})
	full := newAgain(t).must(resolve(t, a.opener, src.both), reader.Options{}, export.Options{})
	if both.Reuse == nil || both.Reuse.FilesKept != 1 || both.Reuse.BytesKept != first.BytesWritten || both.FilesWritten != 1 || both.RowsWritten != full.RowsWritten || both.ContentHash != full.ContentHash {
		t.Errorf("%+v, reuse %+v; in full %+v", both, both.Reuse, full)
	}
}
