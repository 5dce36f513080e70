package deltalog

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// TestDamagedCases reads every deltalog of the cases whose damage is in one: exactly that must be met, with its class.
func TestDamagedCases(t *testing.T) {
	root := testkit.Acceptance(t)
	damage := map[string]bool{
		"damaged/delta-not-json": true, "damaged/delta-multi-one-column": true, "damaged/edek-delta": true,
		"traps/t03-delta-unreadable": true, "damaged/v3-delta-cut": true,
		"damaged/count-delta-entries": false, // readable; the number is declared elsewhere
		"damaged/delta-pk-type":       false, // readable; the collection's keys are of another type, see TestCheckKeys
	}
	met := 0
	for _, c := range testkit.Cases(t, "") {
		damaged, ours := damage[c.Name]
		if !ours {
			continue
		}
		met++
		bad := 0
		for _, path := range deltalogs(t, filepath.Join(root, c.BucketDir)) {
			_, err := Read(testkit.ReadFile(t, path))
			if err == nil {
				continue
			}
			bad++
			if class := fault.ClassName(err); !damaged || !c.Accepts(class) {
				t.Errorf("%s: %v, want %s", c.Name, err, c.Refuse)
			}
		}
		if damaged != (bad > 0) {
			t.Errorf("%s: %d files were refused", c.Name, bad)
		}
	}
	if met != len(damage) {
		t.Errorf("%d cases, want %d", met, len(damage))
	}
}

// TestCheckKeys compares the deltalogs of that case with its collection's VarChar keys.
func TestCheckKeys(t *testing.T) {
	bad := 0
	for _, path := range deltalogs(t, filepath.Join(testkit.Acceptance(t), "damaged", "delta-pk-type", "bucket")) {
		d, err := Read(testkit.ReadFile(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.CheckKeys(milvus.TypeVarChar); errors.Is(err, fault.ErrCorrupt) {
			bad++
		} else if err != nil {
			t.Error(err)
		}
	}
	if bad != 1 {
		t.Errorf("%d files with other keys, want 1", bad)
	}
	if err := (&Deletes{}).CheckKeys(milvus.TypeInt64); err != nil {
		t.Errorf("no deletes at all: %v", err)
	}
}

func deltalogs(t *testing.T, bucket string) []string {
	t.Helper()
	var files []string
	for _, pattern := range [][]string{{"*", "delta_log", "*", "*", "*", "[0-9]*"}, {"*", "insert_log", "*", "*", "*", "_delta", "*"}} {
		found, err := filepath.Glob(filepath.Join(append([]string{bucket}, pattern...)...))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// TestAcceptedDeltalogs reads every deltalog of the cases that must be read.
func TestAcceptedDeltalogs(t *testing.T) {
	root, n, deletes := testkit.Acceptance(t), 0, 0
	seen := map[string]bool{}
	for _, c := range testkit.Cases(t, "") {
		if c.Refuse != "" || seen[c.BucketDir] {
			continue
		}
		seen[c.BucketDir] = true
		for _, path := range deltalogs(t, filepath.Join(root, c.BucketDir)) {
			n++
			d, err := Read(testkit.ReadFile(t, path))
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			deletes += d.Len()
		}
	}
	t.Logf("%d deletes in %d files", deletes, n)
	if n < 150 {
		t.Errorf("%d files", n)
	}
}
