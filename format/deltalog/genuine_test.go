package deltalog

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// TestGenuine reads every deltalog that a real Milvus 2.3.5 wrote and writes it again: envelope and deletes must be the
// same (the Parquet bytes depend on the library's version).
func TestGenuine(t *testing.T) {
	root := testkit.Data(t, "milvus-2.3.5", "files", "delta_log")
	files, deletes := 0, 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		d, err := Read(b)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files++
		deletes += d.Len()
		sameAgain(t, path, b, d)
		return nil
	})
	if err != nil || files != 52 || deletes != 155 {
		t.Errorf("%d deletes in %d files, want 155 in 52 (%v)", deletes, files, err)
	}
}

func sameAgain(t *testing.T, path string, b []byte, d *Deletes) {
	t.Helper()
	f, err := binlog.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	g := f.Descriptor
	again, err := Writer{Before25: true}.Encode(binlog.Header{
		Collection: g.Collection, Partition: g.Partition, Segment: g.Segment, Written: g.Timestamp,
	}, d)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	first := int(f.Events[0].Offset)
	if len(again) < first || !bytes.Equal(again[:first], b[:first]) {
		t.Errorf("%s: another descriptor\n%q\n%q", path, again[:first], b[:first])
	}
	o, err := binlog.Open(again)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	// The event's own timestamp is that of another moment than the descriptor's; ours are equal.
	x, y := o.Events[0], f.Events[0]
	if x.Start != y.Start || x.End != y.End || x.Type != y.Type || int(x.NextPosition) != len(again) || int(y.NextPosition) != len(b) {
		t.Errorf("%s: %v event from %d to %d, next %d; want %v from %d to %d", path, x.Type, x.Start, x.End, x.NextPosition, y.Type, y.Start, y.End)
	}
	sameDeletes(t, path, again, d)
}

// sameDeletes reads b and compares.
func sameDeletes(t *testing.T, name string, b []byte, want *Deletes) {
	t.Helper()
	got, err := Read(b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if got.Len() != want.Len() || want.Len() > 0 && got.PKType != want.PKType {
		t.Errorf("%s: %d deletes of type %v, want %d of %v", name, got.Len(), got.PKType, want.Len(), want.PKType)
		return
	}
	for i := range got.TS {
		same := got.TS[i] == want.TS[i]
		if want.PKType == milvus.TypeVarChar {
			same = same && got.Strings.Value(i) == want.Strings.Value(i)
		} else {
			same = same && got.Int64[i] == want.Int64[i]
		}
		if !same {
			t.Errorf("%s: row %d differs", name, i)
			return
		}
	}
}
