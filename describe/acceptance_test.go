package describe

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
)

// caseOptions are those that a user would give: where the bucket of complete URIs is now.
func caseOptions(dir, bucket string) Options {
	return Options{Opener: objstore.NewOpener(objstore.Config{}), Maps: []Map{{Bucket: bucket, Target: dir}}}
}

// atPlan says which damaged cases must be refused from metadata alone; the rest are for those who read data files.
func atPlan(name string) bool {
	for _, prefix := range []string{"avro-", "json-", "ids-", "manifest-list-", "format-version-", "no-", "storage-version-", "t14-storage",
		"t15-avro", "missing-manifest", "v2m-", "id-not-integer", "limit-avro", "limit-json", "type-", "vortex-v2"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.HasPrefix(name, "path-") && name != "path-v3-data"
}

// TestCases resolves every acceptance case: the good ones as declared, with every file in place, the damaged ones refused
// here or left to readers.
func TestCases(t *testing.T) {
	root := testkit.Acceptance(t)
	for _, c := range testkit.Cases(t, "") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(root, c.BucketDir)
			snap, err := Resolve(context.Background(), filepath.Join(dir, filepath.FromSlash(c.Snapshot)), caseOptions(dir, c.Bucket))
			switch {
			case c.Refuse != "" && err != nil:
				if class := fault.ClassName(err); !c.Accepts(class) {
					t.Fatalf("%s (%v); want %s: %s", class, err, c.Refuse, c.Because)
				}
			case c.Refuse != "":
				if atPlan(filepath.Base(c.Name)) {
					t.Fatalf("resolved; want %s: %s", c.Refuse, c.Because)
				}
			case err != nil:
				t.Fatal(err)
			default:
				checkGood(t, c, snap, dir)
			}
		})
	}
}

func checkGood(t *testing.T, c testkit.Case, snap *Snapshot, dir string) {
	t.Helper()
	report := Describe(snap, true)
	if report.Totals.Rows < c.Rows {
		t.Errorf("declares %d rows; %d must come out", report.Totals.Rows, c.Rows)
	}
	if len(report.Segments) != len(snap.Segments) || report.Totals.Segments != len(snap.Segments) {
		t.Errorf("report of %d segments has %d", len(snap.Segments), len(report.Segments))
	}
	for _, w := range []string{WarnEmptySegment, WarnUnknownField} {
		wanted := slices.Contains(c.Warnings, w)
		given := slices.ContainsFunc(snap.Warnings, func(x Warning) bool { return x.Kind == w })
		if wanted && !given {
			t.Errorf("no warning %q; warnings are %v", w, snap.Warnings)
		}
	}
	result, err := Check(context.Background(), snap, CheckOptions{Options: caseOptions(dir, c.Bucket)})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(c.Name, "/t15-format-") { // their index files were never made
		result.Missing = slices.DeleteFunc(result.Missing, func(f Finding) bool { return f.Kind == FileIndex })
	}
	if !result.OK() {
		t.Errorf("missing %v\nmismatched %v", result.Missing, result.Mismatched)
	}
}
