package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// formed is a collection of the types that have forms, with one segment.
type formed struct {
	*typed
	source string
}

func newFormed(t *testing.T) formed {
	t.Helper()
	f := formed{typed: newTyped(slices.DeleteFunc(someTypes(), func(c typedColumn) bool {
		return !c.Type.IsVector() && c.Type != milvus.TypeArrayOfVector && c.members == nil && c.Name != "json" || c.Dim > 100
	}))}
	f.source = f.write(t, t.TempDir(), milvus.StorageV1)
	return f
}

// export writes a table of its own.
func (f formed) export(t *testing.T, flags ...string) (table string, e exported) {
	t.Helper()
	table = filepath.Join(t.TempDir(), "table")
	succeed(t, nil, &e, append([]string{"export", f.source, "--to", table}, flags...)...)
	if e.Rows != typedRows {
		t.Errorf("%d rows", e.Rows)
	}
	return table, e
}

// The content hash is that of the rows, not of their form, and verify finds it in a table of any form.
func TestFormsKeepTheContentHash(t *testing.T) {
	t.Parallel()
	f := newFormed(t)
	_, want := f.export(t)
	for _, flags := range []string{"--vector-as=binary --sparse-as=struct", "--vector-as=binary --json-as=variant", "--vector-as=fixed-list --json-as=variant --format=parquet", "--iceberg-format=3"} {
		table, got := f.export(t, strings.Fields(flags)...)
		if got.Hash != want.Hash {
			t.Errorf("%s: content hash %s, with lists, maps and strings %s", flags, got.Hash, want.Hash)
		}
		if strings.Contains(flags, "parquet") {
			continue
		}
		var r struct {
			Snapshot, Found struct {
				Hash   string `json:"content_hash"`
				Values string `json:"value_hash"`
			}
			ByValue []string `json:"json_by_value"`
		}
		succeed(t, nil, &r, "verify", f.source, table)
		switch {
		case r.Snapshot.Hash != want.Hash:
			t.Errorf("%s: the snapshot has %s", flags, r.Snapshot.Hash)
		case strings.Contains(flags, "variant"):
			if r.Found.Hash != "" || r.Found.Values == "" || r.Found.Values != r.Snapshot.Values || !slices.Equal(r.ByValue, []string{"json", "json_null", "_meta"}) {
				t.Errorf("%s: %+v", flags, r)
			}
		case r.Found.Hash != want.Hash || r.ByValue != nil:
			t.Errorf("%s: %+v", flags, r)
		}
	}
}

// The bytes of vectors are those that numpy makes of the values, whatever they are nested in.
func TestVectorsAsBytes(t *testing.T) {
	t.Parallel()
	f := newFormed(t)
	table, _ := f.export(t, "--vector-as", "binary")
	if got := string(testkit.RunPython(t, filepath.Join("testdata", "check_forms.py"), table, f.truth(t, false))); got != fmt.Sprintln(formedVectors(f)) {
		t.Errorf("%s vectors compared, there are %d", strings.TrimSpace(got), formedVectors(f))
	}
}

// formedVectors counts the dense vectors in all rows.
func formedVectors(f formed) (n int) {
	for row := range typedRows {
		for _, c := range f.columns {
			var v any
			if err := json.Unmarshal([]byte(c.at(row)), &v); err != nil || v == nil || c.bits {
				continue
			}
			list, _ := v.([]any)
			switch {
			case c.Type.IsDenseVector():
				n++
			case c.Type == milvus.TypeArrayOfVector, c.members != nil:
				n += len(list)
			}
		}
	}
	return n
}

// Files with fixed-size lists are read as such by pyarrow, NULL ones included.
func TestVectorsAsFixedLists(t *testing.T) {
	t.Parallel()
	f := newFormed(t)
	dir, _ := f.export(t, "--vector-as", "fixed-list", "--format", "parquet")
	testkit.RunPython(t, filepath.Join("testdata", "check_lists.py"), dir, f.truth(t, false))
}

// JSON that no variant holds is a value that does not fit, and the flag for those decides.
func TestJSONThatIsNoVariant(t *testing.T) {
	t.Parallel()
	odd := newTyped(slices.DeleteFunc(someTypes(), func(c typedColumn) bool { return c.Name != "json_odd" }))
	source, table := odd.write(t, t.TempDir(), milvus.StorageV1), filepath.Join(t.TempDir(), "table")
	export := []string{"export", source, "--to", table, "--columns", "id,json_odd", "--json-as", "variant"}
	o := invoke(t, nil, append(export, "--json")...)
	f := failureIn(t, o)
	if o.code != 4 || f.Class != "ErrCorrupt" || !strings.Contains(f.Object, "/1000/") ||
		!strings.Contains(f.Message, `segment 1000`) || !strings.Contains(f.Message, `field "json_odd" (JSON), row 1: the JSON has a number beyond the range of a double`) {
		t.Errorf("exit %d, %+v", o.code, f)
	}
	var e exported
	succeed(t, nil, &e, append(export, "--on-bad-row", "skip")...)
	if e.Rows != typedRows-3 {
		t.Errorf("%d rows", e.Rows)
	}
	verify := []string{"verify", source, table, "--columns", "id,json_odd", "--on-bad-row", "skip"}
	succeed(t, nil, nil, append(verify, "--json-as", "variant")...)
	if o := invoke(t, nil, verify...); o.code != 5 {
		t.Errorf("exit %d: rows that were skipped are in the snapshot", o.code)
	}
}
