package flush_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/internal/testkit/milvus235"
	"github.com/snapexport/snapexport/milvus"
)

// TestMilvusImports has a genuine Milvus 2.3.5 import files of our writer, as restoring a backup does, and compares the rows
// that it then returns with those that were written and not deleted.
func TestMilvusImports(t *testing.T) {
	server := milvus235.Start(t)
	for _, c := range []struct {
		name    string
		key     milvus.DataType
		binlogs binlog.Writer
		deletes deltalog.Writer
		filter  binlog.FilterKind
	}{
		{"as 2.3 writes", milvus.TypeInt64, binlog.Writer{Before25: true}, deltalog.Writer{Before25: true}, binlog.FilterUndeclared},
		{"as 2.3 writes", milvus.TypeVarChar, binlog.Writer{Before25: true}, deltalog.Writer{Before25: true}, binlog.FilterUndeclared},
		{"current codec", milvus.TypeInt64, binlog.Writer{}, deltalog.Writer{}, binlog.FilterBlocked},
		{"current codec", milvus.TypeVarChar, binlog.Writer{}, deltalog.Writer{}, binlog.FilterBlocked},
		{"deletes as text", milvus.TypeInt64, binlog.Writer{}, deltalog.Writer{Form: deltalog.Text}, binlog.FilterBasic},
		{"stream", milvus.TypeInt64, binlog.Writer{Dialect: binlog.Stream}, deltalog.Writer{Dialect: binlog.Stream}, binlog.FilterBlocked},
		{"early stream", milvus.TypeInt64, binlog.Writer{}, deltalog.Writer{Dialect: binlog.Stream, Before25: true}, binlog.FilterBasic},
	} {
		t.Run(c.name+" "+c.key.String(), func(t *testing.T) {
			f := collection(t, c.key)
			f.Files.Binlogs, f.Files.Deltalogs, f.Files.Filter = c.binlogs, c.deletes, c.filter
			live := history(t, f)
			got, err := server.Import(t, &f.Collection.Schema, folders(f)...)
			if err != nil {
				t.Fatal(err)
			}
			compareRows(t, got, live)
		})
	}
}

// folders names the folders of the collection's partitions.
func folders(f *fixture.Collection) []milvus235.Partition {
	var out []milvus235.Partition
	for _, p := range f.Collection.Partitions {
		part := milvus235.Partition{Name: p.Name, Insert: filepath.Join(f.Dir, "files", "insert_log", "1", fmt.Sprint(p.ID))}
		for _, s := range f.Segments {
			if s.Partition == p.ID && len(s.Deltalogs) > 0 {
				part.Delta = filepath.Join(f.Dir, "files", "delta_log", "1", fmt.Sprint(p.ID))
			}
		}
		out = append(out, part)
	}
	return out
}

func compareRows(t *testing.T, got milvus235.Reply, want []map[string]any) {
	t.Helper()
	if int(got.Count) != len(want) || len(got.Rows) != len(want) {
		t.Errorf("Milvus counts %d rows and returns %d, want %d", got.Count, len(got.Rows), len(want))
	}
	byKey := map[string]map[string]any{}
	for _, r := range got.Rows {
		byKey[spell(r["pk"])] = r
	}
	for _, w := range want {
		r := byKey[spell(w["pk"])]
		if r == nil {
			t.Errorf("row %v is missing", w["pk"])
			continue
		}
		for name, v := range w {
			if spell(r[name]) != spell(v) {
				t.Errorf("row %v: %s is %s, want %s", w["pk"], name, spell(r[name]), spell(v))
			}
		}
	}
}

// spell gives a value one spelling: integers all digits, other numbers as the nearest float64.
func spell(v any) string {
	text, _ := json.Marshal(normal(v))
	return string(text)
}

func normal(v any) any {
	switch x := v.(type) {
	case json.Number:
		if _, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return x
		}
		f, _ := x.Float64()
		return normal(f)
	case float64:
		if x == float64(int64(x)) && x < 1e15 && x > -1e15 {
			return int64(x)
		}
		return x
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = normal(x[i])
		}
		return out
	case []float64:
		out := make([]any, len(x))
		for i := range x {
			out[i] = normal(x[i])
		}
		return out
	}
	return v
}
