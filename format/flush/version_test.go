package flush_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// TestVersions lays the same history out as V2 and as V3 and compares rows and deletes with those that were given.
func TestVersions(t *testing.T) {
	for _, version := range []int64{milvus.StorageV2, milvus.StorageV3} {
		for _, key := range []milvus.DataType{milvus.TypeInt64, milvus.TypeVarChar} {
			t.Run(fmt.Sprintf("V%d %v", version, key), func(t *testing.T) {
				v1, c := collection(t, key), collection(t, key)
				c.Files.Version = version
				history(t, v1)
				history(t, c)
				parts := map[milvus.FieldID][]arrow.Array{}
				for i := range c.Segments {
					seg := &c.Segments[i]
					if seg.StorageVersion != version || seg.Rows != v1.Segments[i].Rows || len(seg.Statslogs) != len(v1.Segments[i].Statslogs) {
						t.Errorf("segment %+v", seg)
					}
					for _, g := range seg.Binlogs {
						readGroup(t, c, seg, g, parts)
					}
					if d := cmp.Diff(deletesOf(t, v1, &v1.Segments[i]), deletesOf(t, c, seg)); d != "" {
						t.Errorf("segment %d has other deletes: %s", seg.ID, d)
					}
				}
				want := everyRow(t, &c.Collection.Schema)
				for id, f := range want {
					all, err := array.Concatenate(parts[id], memory.DefaultAllocator)
					if err != nil || id >= milvus.FirstUserField && !array.Equal(all, f) {
						t.Errorf("field %d has other values (%v)", id, err)
					}
				}
				if len(parts) != len(want)+1 { // RowID
					t.Errorf("%d fields were read", len(parts))
				}
			})
		}
	}
}

func packedOpen(t *testing.T, b []byte) *packed.File {
	t.Helper()
	file, err := packed.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// readGroup checks what is recorded of a group's files and appends the values of its fields.
func readGroup(t *testing.T, c *fixture.Collection, seg *milvus.Segment, g milvus.FieldBinlog, parts map[milvus.FieldID][]arrow.Array) {
	t.Helper()
	rows := int64(0)
	for _, log := range g.Binlogs {
		b := testkit.ReadFile(t, c.Dir, log.File.Key)
		file := packedOpen(t, b)
		if file.NumRows() != log.Entries || log.Size != int64(len(b)) || log.MemorySize <= 0 || log.From < baseTS || log.To < log.From || len(file.Columns()) != len(g.ChildFields) {
			t.Errorf("%s: %d rows, recorded %+v", log.File.Key, file.NumRows(), log)
		}
		rows += log.Entries
		for i, id := range g.ChildFields {
			f, ok := c.Collection.Schema.Field(id)
			if !ok {
				f = flush.SystemFields()[id]
			}
			if at, ok := file.Find(f); !ok || at != i {
				t.Errorf("%s: field %d is column %d", log.File.Key, id, at)
			}
			cursor, err := file.Cursor(i)
			for err == nil {
				var raw arrow.Array
				if raw, err = cursor.Next(); err == nil {
					raw, err = cell.Decode(f, raw, cell.Options{})
				}
				if err == nil {
					parts[id] = append(parts[id], raw)
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Fatalf("%s, field %d: %v", log.File.Key, id, err)
			}
		}
	}
	if rows != seg.Rows {
		t.Errorf("group %d of segment %d: %d rows, want %d", g.Field, seg.ID, rows, seg.Rows)
	}
}

// manifest reads the manifest that the segment names.
func manifest(t *testing.T, c *fixture.Collection, seg *milvus.Segment) (version int64, base string, m *loon.Manifest) {
	t.Helper()
	if _, err := fmt.Sscanf(seg.ManifestPath, `{"ver":%d,"base_path":`, &version); err != nil {
		t.Fatalf("%s: %v", seg.ManifestPath, err)
	}
	base = strings.Split(seg.ManifestPath, `"`)[5]
	m, err := loon.Decode(testkit.ReadFile(t, c.Dir, loon.Key(base, version)))
	if err != nil {
		t.Fatal(err)
	}
	return version, base, m
}

func deletesOf(t *testing.T, c *fixture.Collection, seg *milvus.Segment) (out []string) {
	t.Helper()
	var keys []string
	for _, fb := range seg.Deltalogs {
		for _, b := range fb.Binlogs {
			keys = append(keys, b.File.Key)
		}
	}
	if seg.StorageVersion == milvus.StorageV3 {
		_, base, m := manifest(t, c, seg)
		for i, d := range m.Deltas {
			if keys[i] != "" {
				t.Errorf("metadata has the path %s, too", keys[i])
			}
			keys[i] = loon.Resolve(base, loon.SectionDelta, d.Path)
		}
	}
	for _, key := range keys {
		d, err := deltalog.Read(testkit.ReadFile(t, c.Dir, key))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(d.Int64, d.Strings, d.TS))
	}
	return out
}

// TestRecordsV2 looks at one segment's keys and groups.
func TestRecordsV2(t *testing.T) {
	c := collection(t, milvus.TypeInt64)
	c.Files.Version = milvus.StorageV2
	history(t, c)
	seg := c.Segments[0]
	var groups []string
	for _, g := range seg.Binlogs {
		groups = append(groups, fmt.Sprint(g.Field, g.ChildFields, len(g.Binlogs)))
		for _, b := range g.Binlogs {
			if want := fmt.Sprintf("files/insert_log/1/11/101/%d/%d", g.Field, b.LogID); b.File.Key != want {
				t.Errorf("key %s, want %s", b.File.Key, want)
			}
		}
	}
	if d := cmp.Diff([]string{"0 [0 1 100] 2", "1 [101 102 103 104 105 106 107 108 109 110 111 113] 2", "112 [112] 2"}, groups); d != "" {
		t.Error(d)
	}
	if seg.ManifestPath != "" || !strings.HasPrefix(seg.Deltalogs[0].Binlogs[0].File.Key, "files/delta_log/1/11/101/") {
		t.Errorf("%+v", seg)
	}
	if _, err := binlog.Open(testkit.ReadFile(t, c.Dir, seg.Deltalogs[0].Binlogs[0].File.Key)); err != nil {
		t.Errorf("deltalogs of V2 have V1's envelope: %v", err)
	}
}

// TestRecordsV3 looks at manifests: one for each commit, that of the segment names all files.
func TestRecordsV3(t *testing.T) {
	c := collection(t, milvus.TypeInt64)
	c.Files.Version = milvus.StorageV3
	history(t, c)
	seg := c.Segments[0] // two chunks, two deletes
	version, base, m := manifest(t, c, &seg)
	if version != 4 || base != "files/insert_log/1/11/101" || len(m.Groups) != 3 || len(m.Deltas) != 2 {
		t.Fatalf("version %d below %s: %+v", version, base, m)
	}
	for i, g := range m.Groups {
		if len(g.Files) != 2 || g.Rows() != 50 || g.Format != loon.FormatParquet || g.Columns[0] != fmt.Sprint(seg.Binlogs[i].ChildFields[0]) {
			t.Errorf("group %d: %+v", i, g)
		}
		for k, f := range g.Files {
			key := loon.Resolve(base, loon.SectionData, f.Path)
			b := testkit.ReadFile(t, c.Dir, key)
			footer := int64(b[len(b)-8]) | int64(b[len(b)-7])<<8 | int64(b[len(b)-6])<<16
			if key != seg.Binlogs[i].Binlogs[k].File.Key || !strings.HasPrefix(f.Path, fmt.Sprintf("%d_", i)) || f.Size != int64(len(b)) || f.FooterSize != footer+8 {
				t.Errorf("file %+v", f)
			}
		}
	}
	for v, files := range map[int64]int{1: 1, 2: 2, 3: 2} {
		older, err := loon.Decode(testkit.ReadFile(t, c.Dir, loon.Key(base, v)))
		if err != nil || len(older.Groups[0].Files) != files || len(older.Deltas) != max(0, int(v)-2) {
			t.Errorf("manifest %d: %+v, %v", v, older, err)
		}
	}
	if key := seg.Statslogs[0].Binlogs[0].File.Key; key != base+"/_stats/bloom_filter.100/1" {
		t.Errorf("statistics under %s", key)
	}
	empty := c.Add(t, fixture.Segment{ID: 900, Partition: partA, Level: milvus.LevelL1})
	if empty.ManifestPath != `{"ver":0,"base_path":"files/insert_log/1/11/900"}` {
		t.Errorf("an empty segment has %s", empty.ManifestPath)
	}
	l0 := c.Add(t, fixture.Segment{ID: 901, Partition: partA, Level: milvus.LevelL0, Deletes: []*deltalog.Deletes{deletes(baseTS, int64(1))}})
	if l0.StorageVersion != milvus.StorageV1 || l0.ManifestPath != "" || !strings.HasPrefix(l0.Deltalogs[0].Binlogs[0].File.Key, "files/delta_log/") {
		t.Errorf("an L0 segment is %+v", l0)
	}
}

// A segment keeps its version and its groups; what would break them is refused.
func TestSegmentKeepsItsForm(t *testing.T) {
	s := everyType("x", milvus.TypeInt64)
	one := chunk(t, &s, baseTS, []map[string]any{row(&s, 1)})
	one[milvus.RowIDField] = fixture.Int64s(1)
	fewer := maps.Clone(one)
	delete(fewer, 105)
	id := milvus.LogID(1)
	w := &flush.Writer{Root: "files", Schema: &s, NextLogID: func() milvus.LogID { id++; return id }}
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		w.Version = version
		seg := &milvus.Segment{ID: milvus.SegmentID(version), Collection: 1, Partition: 2}
		first, err := w.Insert(seg, baseTS, one)
		if err != nil {
			t.Fatal(err)
		}
		w.Version = milvus.StorageV3 - version
		second, err := w.Insert(seg, baseTS, one)
		if err != nil || seg.StorageVersion != version || len(second) != len(first) {
			t.Errorf("V%d: the second chunk has %d files (%v), the first %d", version, len(second), err, len(first))
		}
		if _, err := w.Insert(seg, baseTS, fewer); version != milvus.StorageV1 && !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("V%d: a chunk with other fields: %v", version, err)
		}
		keys := map[string]bool{}
		for _, o := range slices.Concat(first, second) {
			keys[o.Key] = true
		}
		if len(keys) != len(first)+len(second) {
			t.Errorf("V%d: objects share keys", version)
		}
	}
	w.Version = 1
	if _, err := w.Insert(&milvus.Segment{}, baseTS, one); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("storage version 1: %v", err)
	}
	other := &milvus.Segment{StorageVersion: milvus.StorageV3, ManifestPath: `{"ver":3,"base_path":"files/insert_log/1/2/3"}`}
	if _, err := w.Insert(other, baseTS, one); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("a segment of another writer: %v", err)
	}
}
