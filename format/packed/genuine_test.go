package packed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// sample is what one write of Milvus's own library left: one file of every group.
type sample struct {
	name    string
	version int64
	policy  packed.Policy
	schema  *milvus.Schema
	groups  [][]milvus.FieldID
	files   []string // by group
}

func bucket(t testing.TB) string {
	return filepath.Join(testkit.Acceptance(t), "snapshots", "storage-v2-v3", "bucket")
}

// samples are the writes of all genuine segments.
func samples(t testing.TB) (out []sample) {
	t.Helper()
	for _, s := range []struct {
		collection, snapshot int
		policy               packed.Policy
	}{{455101, 880001, packed.Policy{}}, {455701, 880021, packed.Policy{}}, {455702, 880022, packed.Policy{Early: true}}} {
		m, err := snapfile.DecodeMetadata(testkit.ReadFile(t, bucket(t), snapfile.MetadataKey("files", int64(s.collection), int64(s.snapshot))))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range m.ManifestList {
			seg, err := snapfile.DecodeSegment(testkit.ReadFile(t, bucket(t), path[strings.Index(path, "files/snapshots/"):]), m.FormatVersion)
			if err != nil {
				t.Fatal(err)
			}
			groups := seg.Binlogs
			if seg.StorageVersion == milvus.StorageV3 {
				groups = manifestGroups(t, m.Manifests[seg.ID])
			}
			for k := 0; len(groups) > 0 && k < len(groups[0].Binlogs); k++ {
				one := sample{name: fmt.Sprintf("segment %d, write %d", seg.ID, k), version: seg.StorageVersion, policy: s.policy, schema: &m.Collection.Schema}
				for _, g := range groups {
					if k < len(g.Binlogs) && !slices.Contains(g.ChildFields, 130) { // a group added later, by a write of its own
						one.groups = append(one.groups, g.ChildFields)
						one.files = append(one.files, filepath.Join(bucket(t), g.Binlogs[k].File.Key))
					}
				}
				out = append(out, one)
			}
		}
	}
	return out
}

// manifestGroups gives the groups of a manifest the form of V2's metadata.
func manifestGroups(t testing.TB, path string) (out []milvus.FieldBinlog) {
	t.Helper()
	var version int64
	_, err := fmt.Sscanf(path, `{"ver":%d,`, &version)
	base := strings.Split(path, `"`)[5]
	if err != nil || version == 0 {
		return nil
	}
	m, err := loon.Decode(testkit.ReadFile(t, bucket(t), loon.Key(base, version)))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range m.Groups {
		fb := milvus.FieldBinlog{}
		for _, c := range g.Columns {
			id, _ := strconv.Atoi(c)
			fb.ChildFields = append(fb.ChildFields, milvus.FieldID(id))
		}
		for _, f := range g.Files {
			fb.Binlogs = append(fb.Binlogs, milvus.Binlog{File: milvus.FileRef{Key: loon.Resolve(base, loon.SectionData, f.Path)}})
		}
		out = append(out, fb)
	}
	return out
}

// fields returns the schema's fields that the write has, in the schema's order. V2 files keep the names of fields: those of
// the genuine ones count, since the schema has other struct arrays.
func (s sample) fields(t testing.TB) (out []milvus.Field) {
	t.Helper()
	all := slices.Clone(s.schema.Fields)
	for _, a := range s.schema.StructArrays {
		all = append(all, a.Members...)
	}
	for _, f := range all {
		for i, ids := range s.groups {
			if slices.Contains(ids, f.ID) {
				file := open(t, testkit.ReadFile(t, s.files[i]))
				c, _ := file.Find(f)
				f.Name = file.Columns()[c].Name
				out = append(out, f)
			}
		}
	}
	return out
}

func open(t testing.TB, b []byte) *packed.File {
	t.Helper()
	f, err := packed.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// values reads a field and decodes it; texts of V3 lose their flag.
func values(t testing.TB, file *packed.File, f milvus.Field, version int64) arrow.Array {
	t.Helper()
	i, ok := file.Find(f)
	if !ok {
		t.Fatalf("field %d is not in the file", f.ID)
	}
	c, err := file.Cursor(i)
	if err != nil {
		t.Fatal(err)
	}
	var parts []arrow.Array
	for {
		raw, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && f.Type == milvus.TypeText && version == milvus.StorageV3 {
			raw = unflag(t, raw.(*array.Binary))
		}
		if err == nil {
			raw, err = cell.Decode(f, raw, cell.Options{})
		}
		if err != nil {
			t.Fatalf("field %d: %v", f.ID, err)
		}
		parts = append(parts, raw)
	}
	if len(parts) == 0 {
		dt, err := cell.Type(f)
		if err != nil {
			t.Fatal(err)
		}
		return array.MakeArrayOfNull(memory.DefaultAllocator, dt, 0)
	}
	all, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func unflag(t testing.TB, a *array.Binary) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for i := range a.Len() {
		switch {
		case a.IsNull(i):
			b.AppendNull()
		case a.ValueLen(i) == 0 || a.Value(i)[0] != 0:
			t.Fatalf("row %d: %q is not inline", i, a.Value(i))
		default:
			b.Append(a.Value(i)[1:])
		}
	}
	return b.NewArray()
}

// again writes the rows of a genuine write once more.
func (s sample) again(t testing.TB, w packed.Writer) ([]packed.Group, []packed.Encoded) {
	t.Helper()
	fields := s.fields(t)
	groups := s.policy.Split(fields)
	columns := map[milvus.FieldID]arrow.Array{}
	for i, ids := range s.groups {
		file := open(t, testkit.ReadFile(t, s.files[i]))
		for _, id := range ids {
			f := fields[slices.IndexFunc(fields, func(f milvus.Field) bool { return f.ID == id })]
			raw, err := cell.Encode(f, values(t, file, f, s.version))
			if err != nil {
				t.Fatal(err)
			}
			columns[id] = raw
		}
	}
	w.Version = s.version
	files, err := w.Encode(groups, columns)
	if err != nil {
		t.Fatal(err)
	}
	return groups, files
}

// The rows of every genuine write, written again, give the same groups, columns, keys, row groups and values.
func TestAsGenuine(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			groups, files := s.again(t, packed.Writer{})
			var ids [][]milvus.FieldID
			for _, g := range groups {
				var of []milvus.FieldID
				for _, f := range g.Fields {
					of = append(of, f.ID)
				}
				ids = append(ids, of)
			}
			if d := cmp.Diff(s.groups, ids); d != "" {
				t.Fatalf("other groups: %s", d)
			}
			for i, g := range groups {
				theirs, ours := open(t, testkit.ReadFile(t, s.files[i])), open(t, files[i].Body)
				compareFiles(t, fmt.Sprintf("group %d", g.ID), theirs, ours)
				for _, f := range g.Fields {
					if !array.Equal(values(t, theirs, f, s.version), values(t, ours, f, s.version)) {
						t.Errorf("field %d has other values", f.ID)
					}
				}
			}
		})
	}
}

func compareFiles(t *testing.T, name string, theirs, ours *packed.File) {
	t.Helper()
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".odd" }, cmp.Ignore())
	if d := cmp.Diff(theirs.Columns(), ours.Columns(), ignore); d != "" {
		t.Errorf("%s: other columns: %s", name, d)
	}
	for _, key := range []string{packed.KeyVersion, packed.KeyFields, packed.KeyRowGroups, "ARROW:schema"} {
		want, there := theirs.KeyValue(key)
		got, here := ours.KeyValue(key)
		if there != here || got != want && !(key == packed.KeyRowGroups && nearly(got, want)) {
			t.Errorf("%s: %s is %q (%v), want %q (%v)", name, key, got, here, want, there)
		}
	}
	shape := func(f *packed.File) (out []string) {
		for _, g := range f.RowGroups() {
			for i, c := range g.Chunks {
				out = append(out, fmt.Sprintf("%s: %d rows, %d values, %s, bounds %v", f.Columns()[i].Name, g.Rows, c.Values, c.Codec, bounded(f, i, c)))
			}
		}
		return out
	}
	if d := cmp.Diff(shape(theirs), shape(ours)); d != "" {
		t.Errorf("%s: other chunks: %s", name, d)
	}
}

// nearly allows a byte more in memory: of the genuine files one counts that less, of a bitmap that began within a byte.
func nearly(ours, theirs string) bool {
	var a, b [3]int64
	_, err1 := fmt.Sscanf(ours, "%d|%d|%d", &a[0], &a[1], &a[2])
	_, err2 := fmt.Sscanf(theirs, "%d|%d|%d", &b[0], &b[1], &b[2])
	b[0]++
	return err1 == nil && err2 == nil && a == b && !strings.Contains(ours+theirs, ";")
}

// bounded tells whether a chunk has bounds, where that matters to pruning: the elements of lists have some in parquet-cpp.
func bounded(f *packed.File, column int, c pages.Chunk) bool {
	return !f.Columns()[column].List && c.Stats.Min != nil
}

// Packed delta logs, written again, have the same columns, keys and deletes.
func TestDeletesAsGenuine(t *testing.T) {
	n := 0
	for _, path := range []string{"455101/455201/455302/_delta/455500001", "455101/455201/455302/_delta/455500002", "455701/455801/455902/_delta/456100001"} {
		b := testkit.ReadFile(t, bucket(t), "files", "insert_log", path)
		d, err := deltalog.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		var keys arrow.Array = d.Strings
		if d.Strings == nil {
			keys = longs(d.Int64)
		}
		times := make([]int64, d.Len())
		for i, ts := range d.TS {
			times[i] = int64(ts)
		}
		file, err := packed.EncodeDeletes(keys, longs(times))
		if err != nil {
			t.Fatal(err)
		}
		compareFiles(t, path, open(t, b), open(t, file.Body))
		again, err := deltalog.Read(file.Body)
		if err != nil || !slices.Equal(again.TS, d.TS) || !slices.Equal(again.Int64, d.Int64) || fmt.Sprint(again.Strings) != fmt.Sprint(d.Strings) {
			t.Errorf("%s: other deletes (%v)", path, err)
		}
		n += d.Len()
	}
	if n == 0 {
		t.Error("no deletes")
	}
}

func longs(v []int64) *array.Int64 {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(v, nil)
	return b.NewInt64Array()
}
