package describe

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

var update = flag.Bool("update", false, "write the golden files")

// TestReportGolden: the JSON of describe, as scripts read it.
func TestReportGolden(t *testing.T) {
	wanted := map[string]string{
		"traps/t14-mixed-versions": "mixed.json", "traps/t06-empty-segments": "empty.json", "traps/t18-big-ids": "big-ids.json",
		"snapshots/milvus-2.3.5/indexed@470646500000000508": "indexed.json",
	}
	for _, c := range testkit.Cases(t, "") {
		golden, ok := wanted[c.Name]
		if !ok {
			continue
		}
		t.Run(golden, func(t *testing.T) {
			dir := filepath.Join(testkit.Acceptance(t), c.BucketDir)
			snap, err := Resolve(context.Background(), filepath.Join(dir, filepath.FromSlash(c.Snapshot)), caseOptions(dir, c.Bucket))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(Describe(snap, true), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append([]byte(strings.ReplaceAll(string(got), dir, "DIR")), '\n')
			file := filepath.Join("testdata", golden)
			if *update {
				writeFile(t, file, got)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the report is not %s; if it should not be, run the test with -update and read the difference\n%s", file, got)
			}
		})
	}
}
