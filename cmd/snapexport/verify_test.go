package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/verify"
)

// product is a row.
type product struct {
	id     int64
	title  string // "": NULL
	price  float64
	vector [2]float32
}

// products are 40 rows, of which the first 20 lie in one partition.
func products() (out []product) {
	for i := range 40 {
		p := product{int64(i), fmt.Sprintf("Title %02d", i), float64(i) / 4, [2]float32{float32(i), 1}}
		if i%10 == 9 {
			p.title = ""
		}
		out = append(out, p)
	}
	return out
}

// snapshotOf writes a collection of the rows and returns a SOURCE.
func snapshotOf(t *testing.T, id milvus.SnapshotID, rows []product) string {
	t.Helper()
	const left, right = milvus.PartitionID(11), milvus.PartitionID(12)
	dir := t.TempDir()
	c := fixture.New(dir, milvus.Collection{
		ID: 99, Database: "default", Partitions: []milvus.Partition{{ID: left, Name: "left"}, {ID: right, Name: "right"}},
		Schema: milvus.Schema{Name: "products", Fields: []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
			{ID: 101, Name: "title", Type: milvus.TypeVarChar, Nullable: true, MaxLength: 64, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "64"}}},
			{ID: 102, Name: "price", Type: milvus.TypeDouble},
			{ID: 103, Name: "embedding", Type: milvus.TypeFloatVector, Dim: 2, TypeParams: []milvus.KeyValue{{Key: "dim", Value: "2"}}},
		}},
	})
	for partition, in := range map[milvus.PartitionID]func(product) bool{left: func(p product) bool { return p.id < 20 }, right: func(p product) bool { return p.id >= 20 }} {
		var ids, times []int64
		var vectors []float32
		titles, prices := array.NewStringBuilder(memory.DefaultAllocator), array.NewFloat64Builder(memory.DefaultAllocator)
		for _, p := range rows {
			if !in(p) {
				continue
			}
			ids, times, vectors = append(ids, p.id), append(times, int64(fixture.DocumentsTime)), append(vectors, p.vector[:]...)
			prices.Append(p.price)
			if titles.Append(p.title); p.title == "" {
				titles.Resize(titles.Len() - 1)
				titles.AppendNull()
			}
		}
		if len(ids) == 0 {
			continue
		}
		c.Add(t, fixture.Segment{ID: 500 + milvus.SegmentID(partition), Partition: partition, Level: milvus.LevelL1, Channel: "by-dev-rootcoord-dml_0_99v0", Chunks: []flush.Chunk{{
			milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(ids...), 101: titles.NewArray(), 102: prices.NewArray(), 103: fixture.FloatVectors(2, vectors...)}}})
	}
	return filepath.Join(dir, c.Snapshot(t, "s1", id, nil))
}

func verdict(t *testing.T, args ...string) (verify.Report, outcome) {
	t.Helper()
	o := invoke(t, nil, append([]string{"verify", "--json", "--progress", "none"}, args...)...)
	var r verify.Report
	if err := json.Unmarshal([]byte(o.out), &r); err != nil {
		t.Fatalf("%v: %s", err, o)
	}
	return r, o
}

func (o outcome) isVerdict(r verify.Report) bool {
	return o.code == map[bool]int{true: exitOK, false: exitMismatch}[len(r.Differences) == 0]
}

// What verify says of tables whose rows differ from the snapshot's in one respect.
func TestVerifySaysWhatDiffers(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "table")
	succeed(t, nil, nil, "export", snapshotOf(t, 7001, products()), "--to", table)
	for name, c := range map[string]struct {
		id          milvus.SnapshotID
		edit        func([]product) []product
		args        []string
		differences []string // parts of them, in any order
		examples    []verify.Example
		wrong       []string // columns
	}{
		"nothing": {},
		"a price": {edit: func(p []product) []product { p[7].price = 99.5; return p },
			differences: []string{"content hash", "recorded", `column "price": from 0 to 99.5 in the snapshot, from 0 to 9.75 in the table`, `column "price": values differ`, "keys whose rows differ: 1"},
			examples:    []verify.Example{{Key: "7", What: verify.Differs, Columns: []string{"price"}}}, wrong: []string{"price"}},
		"a title that is NULL": {edit: func(p []product) []product { p[8].title = ""; return p },
			differences: []string{"content hash", "recorded", `column "title": 5 NULLs in the snapshot, 4 in the table`, `column "title": values differ`, "keys whose rows differ: 1"},
			examples:    []verify.Example{{Key: "8", What: verify.Differs, Columns: []string{"title"}}}, wrong: []string{"title"}},
		"a vector": {edit: func(p []product) []product { p[39].vector[1] = 8; return p },
			differences: []string{"content hash", "recorded", `column "embedding": values differ`, "keys whose rows differ: 1"},
			examples:    []verify.Example{{Key: "39", What: verify.Differs, Columns: []string{"embedding"}}}, wrong: []string{"embedding"}},
		"the longest vector": {edit: func(p []product) []product { p[39].vector = [2]float32{80, 0}; return p }, args: []string{"--norms"},
			differences: []string{"content hash", "recorded", `column "embedding": dimension 2, norms from 1 to 80 in the snapshot, dimension 2, norms from 1 to 39.0128`, `column "embedding": values differ`, "keys whose rows differ: 1"},
			examples:    []verify.Example{{Key: "39", What: verify.Differs, Columns: []string{"embedding"}}}, wrong: []string{"embedding"}},
		"two that change places": {edit: func(p []product) []product { p[1].price, p[22].price = p[22].price, p[1].price; return p },
			differences: []string{"content hash", "recorded", `column "price": values differ`, "keys whose rows differ: 2"},
			examples:    []verify.Example{{Key: "1", What: verify.Differs, Columns: []string{"price"}}, {Key: "22", What: verify.Differs, Columns: []string{"price"}}}, wrong: []string{"price"}},
		"one less, one more": {edit: func(p []product) []product { p[12].id = 52; return p },
			differences: []string{"content hash", "recorded", `column "id": from 0 to 52 in the snapshot, from 0 to 39 in the table`, "keys whose rows differ: 2"},
			examples:    []verify.Example{{Key: "12", What: verify.OnlyTable}, {Key: "52", What: verify.OnlySnapshot}}, wrong: []string{"id"}},
		"one twice": {edit: func(p []product) []product { return append(p, p[5]) },
			differences: []string{"the snapshot has 41 live rows, the table 40", "recorded", "keys whose rows differ: 1"},
			examples:    []verify.Example{{Key: "5", What: verify.OnlySnapshot}}},
		"another snapshot of the name": {id: 7002, differences: []string{`tag "s1" is of Milvus snapshot 7001, this is snapshot 7002`}},
		"fewer columns":                {args: []string{"--columns", "id,price"}, differences: []string{"content hash", "recorded", `a column "title", which is not selected`, `a column "embedding", which is not selected`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, id := products(), milvus.SnapshotID(7001)
			if c.edit != nil {
				rows = c.edit(rows)
			}
			if c.id != 0 {
				id = c.id
			}
			r, o := verdict(t, append([]string{snapshotOf(t, id, rows), table}, c.args...)...)
			if name == "fewer columns" { // the rows are those of the columns that were read
				c.differences = slices.DeleteFunc(slices.Clone(c.differences), func(d string) bool { return d == "content hash" })
			}
			if !o.isVerdict(r) || len(r.Differences) != len(c.differences) || !reflect.DeepEqual(r.Examples, c.examples) {
				t.Errorf("%s", o)
			}
			for _, want := range c.differences {
				if !slices.ContainsFunc(r.Differences, func(d string) bool { return strings.Contains(d, want) }) {
					t.Errorf("nothing says %q: %q", want, r.Differences)
				}
			}
			for _, column := range r.Columns {
				if column.OK == slices.Contains(c.wrong, column.Name) {
					t.Errorf("%+v", column)
				}
			}
		})
	}
}

// Of many keys ten are named, and all are counted.
func TestVerifyNamesTenKeys(t *testing.T) {
	t.Parallel()
	table, rows := filepath.Join(t.TempDir(), "table"), products()
	succeed(t, nil, nil, "export", snapshotOf(t, 7001, rows), "--to", table)
	for i := range 15 {
		rows[i+3].vector[0] = -1
	}
	source := snapshotOf(t, 7001, rows)
	r, o := verdict(t, source, table)
	if len(r.Examples) != 10 || r.Examples[0].Key != "3" || r.Examples[9].Key != "12" || !slices.Contains(r.Differences, "keys whose rows differ: 15") {
		t.Errorf("%s", o)
	}
	o = invoke(t, nil, "verify", source, table)
	for _, want := range []string{"embedding  list<float>, dim 2      0", "NO\n", `title      string                  4  "Title 00"  "Title 38"  yes`, "  key 3: differs embedding\n", "the table and the snapshot DIFFER\n"} {
		if !strings.Contains(o.out, want) {
			t.Errorf("%q is not in\n%s", want, o)
		}
	}
}

// A share of the data: the same units each time, what is not read is not noticed, and files are counted in any case.
func TestVerifyAShare(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "table")
	succeed(t, nil, nil, "export", snapshotOf(t, 7001, products()), "--to", table)
	r, o := verdict(t, snapshotOf(t, 7001, products()), table, "--read-data", "50%")
	if want := (verify.Sample{Percent: 50, Segments: 1, OfSegments: 2, Files: 1, OfFiles: 2}); o.code != 0 || r.Sample == nil || *r.Sample != want || r.Snapshot.Rows != 20 || r.Found != r.Snapshot {
		t.Errorf("%s", o)
	}
	noticed := 0
	for _, i := range []int{5, 35} {
		rows := products()
		rows[i].price = -1
		source := snapshotOf(t, 7001, rows)
		r, o := verdict(t, source, table, "--read-data", "1")
		if !o.isVerdict(r) {
			t.Errorf("%s", o)
		}
		noticed += len(r.Examples)
		if r, o := verdict(t, source, table, "--read-data", "51%"); o.code != exitMismatch || len(r.Examples) != 1 || r.Sample.Files != 2 {
			t.Errorf("%s", o)
		}
	}
	if noticed != 1 {
		t.Errorf("%d of the two changes were noticed in the same half", noticed)
	}
	half := snapshotOf(t, 7001, products()[:20])
	if r, o := verdict(t, half, table, "--read-data", "10%"); o.code != exitMismatch || !strings.Contains(strings.Join(r.Differences, "\n"), "segment 512 is in the table and not in the snapshot") {
		t.Errorf("%s", o)
	}
	for _, share := range []string{"0", "101%", "x", "-1%", "NaN"} {
		if o := invoke(t, nil, "verify", half, table, "--read-data", share); o.code != exitUsage {
			t.Errorf("%s: %s", share, o)
		}
	}
}

// NULLs, extremes and dimensions are those that pyarrow finds in tables of a genuine Milvus.
func TestVerifyExtremesArePyarrows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"all_scalars", "arrays", "binvec_parts", "dynamic", "lifecycle", "vc_autoid", "emptied"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := filepath.Join(t.TempDir(), "table")
			var made struct {
				Metadata string `json:"metadata_location"`
			}
			succeed(t, nil, &made, "export", etcdFileSource(t, name), "--to", table)
			r, o := verdict(t, etcdFileSource(t, name), table, "--norms")
			if o.code != 0 || !r.OK() || len(r.Columns) == 0 {
				t.Fatalf("%s", o)
			}
			if out := testkit.RunPython(t, "testdata/extremes.py", made.Metadata, o.out); strings.TrimSpace(string(out)) != fmt.Sprint(len(r.Columns)) {
				t.Errorf("%s", out)
			}
		})
	}
}
