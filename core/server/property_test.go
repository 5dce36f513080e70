//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

var (
	propertySeed  = flag.Uint64("property.seed", 1, "first seed of TestAnyHistoryRestores")
	propertyCount = flag.Uint64("property.count", 6, "how many histories TestAnyHistoryRestores takes; three with -short")
)

// TestAnyHistoryRestores: random inserts, upserts, deletes, flushes, compactions, snapshots, restores, drops and garbage collections. A
// restored collection, and the export of a snapshot, have the rows that a map had when the snapshot was made. In the end all is dropped,
// and no file is left. A failure names its seed.
func TestAnyHistoryRestores(t *testing.T) {
	t.Parallel()
	count := *propertyCount
	if testing.Short() {
		count = min(count, 3)
	}
	for seed := *propertySeed; seed < *propertySeed+count; seed++ {
		storage := []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3}[seed%3]
		t.Run(fmt.Sprintf("seed%d-storage%d", seed, storage), func(t *testing.T) {
			t.Parallel()
			h := &history{stage: newStage(t, storage, nil), t: t, r: rand.New(rand.NewPCG(seed, 2)), kept: map[string]frozen{}, next: map[string]int64{}}
			h.run()
		})
	}
}

type row struct {
	mark      int
	partition string
}

// rows are those of a collection, by key.
type rows map[int64]row

func (m rows) texts() []string {
	var out []string
	for key, r := range m {
		out = append(out, fmt.Sprintf("%d [%d,%d] %s", key, key, r.mark, r.partition))
	}
	slices.Sort(out)
	return out
}

// frozen is a snapshot, and what must be in it.
type frozen struct {
	collection string
	rows       rows
}

type history struct {
	*stage
	t          *testing.T
	r          *rand.Rand
	partitions []string
	live       []string // collections
	rows       []rows   // of each
	kept       map[string]frozen
	next       map[string]int64 // key of each collection
	step, made int
}

func (h *history) run() {
	t := h.t
	shards := int32(1 + h.r.IntN(4))
	h.declare(t, "docs", &schemapb.CollectionSchema{Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: pairs("dim", "2")},
	}}, func(r *milvuspb.CreateCollectionRequest) { r.ShardsNum = shards })
	h.partitions = []string{"_default"}
	for i := range h.r.IntN(4) {
		h.partitions = append(h.partitions, fmt.Sprint("p", i))
		h.createPartition(t, "docs", h.partitions[i+1])
	}
	if h.r.IntN(2) == 0 {
		r, err := h.client.CreateIndex(t.Context(), &milvuspb.CreateIndexRequest{CollectionName: "docs", FieldName: "vec", ExtraParams: pairs("index_type", "FLAT", "metric_type", "L2")})
		success(t, r, err)
	}
	h.add("docs", rows{}, 0)
	for h.step = range 60 {
		h.move(h.r.IntN(20))
		if t.Failed() {
			t.FailNow()
		}
	}
	h.freeze(0)
	h.thaw(slices.Sorted(maps.Keys(h.kept))[0])
	for i := range h.live {
		h.check(i)
	}
	h.clear()
}

func (h *history) add(name string, m rows, next int64) {
	h.live, h.rows = append(h.live, name), append(h.rows, m)
	h.next[name] = next
}

func (h *history) move(op int) {
	t, i := h.t, h.r.IntN(len(h.live))
	name, m := h.live[i], h.rows[i]
	partition := h.partitions[h.r.IntN(len(h.partitions))]
	switch {
	case op < 5:
		h.put(i, partition, h.next[name], h.next[name]+1+h.r.Int64N(40))
	case op < 8: // of keys that are there and of some that are not, but never of another partition's
		from := h.r.Int64N(h.next[name] + 1)
		for from < h.next[name] && (m[from] == row{} || m[from].partition != partition) {
			from++
		}
		to := from
		for to < from+20 && (m[to] == row{} || m[to].partition == partition) {
			to++
		}
		h.put(i, partition, from, to)
	case op < 11:
		from := h.r.Int64N(h.next[name] + 1)
		to := from + h.r.Int64N(15)
		h.delete(t, name, fmt.Sprintf("id >= %d and id < %d", from, to))
		maps.DeleteFunc(m, func(k int64, _ row) bool { return k >= from && k < to })
	case op < 14:
		h.flush(t, name)
	case op < 15:
		r, err := h.client.ManualCompaction(t.Context(), &milvuspb.ManualCompactionRequest{CollectionName: name})
		success(t, r, err)
	case op < 16:
		h.sweep(t)
	case op < 18:
		h.freeze(i)
	case len(h.kept) == 0:
	default:
		names := slices.Sorted(maps.Keys(h.kept))
		one := names[h.r.IntN(len(names))]
		if op == 18 {
			h.exported(one)
		}
		if len(h.live) < 5 {
			h.thaw(one)
		} else if st := h.drop(t, h.kept[one].collection, one); st.GetCode() == 0 {
			delete(h.kept, one)
		} else {
			t.Errorf("step %d: %v", h.step, st)
		}
		h.check(i)
	}
}

// put upserts rows: what is in the collection goes.
func (h *history) put(i int, partition string, from, to int64) {
	if from == to {
		return
	}
	mark := 1 + h.r.IntN(1000)
	r, err := h.client.Upsert(h.t.Context(), &milvuspb.UpsertRequest{CollectionName: h.live[i], PartitionName: partition, NumRows: uint32(to - from), FieldsData: columns(from, to, float32(mark))})
	success(h.t, r, err)
	for k := from; k < to; k++ {
		h.rows[i][k] = row{mark, partition}
	}
	h.next[h.live[i]] = max(h.next[h.live[i]], to)
}

// freeze flushes, makes a snapshot, and perhaps writes at once what is not in it.
func (h *history) freeze(i int) {
	h.flush(h.t, h.live[i])
	name := fmt.Sprint("s", h.made)
	h.made++
	model := maps.Clone(h.rows[i])
	if h.r.IntN(2) == 0 {
		h.put(i, h.partitions[0], h.next[h.live[i]], h.next[h.live[i]]+5)
		h.delete(h.t, h.live[i], "id < 7")
		maps.DeleteFunc(h.rows[i], func(k int64, _ row) bool { return k < 7 })
	}
	h.create(h.t, h.live[i], name)
	h.kept[name] = frozen{h.live[i], model}
}

// thaw restores a snapshot as one more collection.
func (h *history) thaw(name string) {
	f := h.kept[name]
	target := fmt.Sprintf("%s_at_%d", name, h.step)
	if slices.Contains(h.live, target) {
		return
	}
	h.completed(h.t, f.collection, name, target)
	h.add(target, maps.Clone(f.rows), h.next[f.collection])
	h.check(len(h.live) - 1)
	h.exported(name)
}

func (h *history) check(i int) {
	h.t.Helper()
	h.count(h.t, h.live[i]) // it is loaded now
	var got []string
	for _, p := range h.partitions {
		r, err := h.client.Query(h.t.Context(), &milvuspb.QueryRequest{CollectionName: h.live[i], Expr: "id >= 0", OutputFields: []string{"id", "vec"}, PartitionNames: []string{p}, ConsistencyLevel: commonpb.ConsistencyLevel_Strong})
		success(h.t, r, err)
		var keys []int64
		var floats []float32
		for _, f := range r.GetFieldsData() {
			keys, floats = append(keys, f.GetScalars().GetLongData().GetData()...), append(floats, f.GetVectors().GetFloatVector().GetData()...)
		}
		for j, k := range keys {
			got = append(got, fmt.Sprintf("%d [%v,%v] %s", k, floats[2*j], floats[2*j+1], p))
		}
	}
	h.same(h.live[i], got, h.rows[i])
}

// exported reads a snapshot as an export does: its files, and nothing of the server.
func (h *history) exported(name string) {
	h.t.Helper()
	f := h.kept[name]
	info, err := h.Snapshots.Find(h.meta(h.t, f.collection).ID, name)
	if err != nil {
		h.t.Fatal(err)
	}
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(h.t.Context(), filepath.Join(h.bucket, info.S3Location), describe.Options{Opener: opener})
	if err != nil {
		h.t.Fatal(err)
	}
	scan, err := reader.Open(snap, reader.Options{Opener: opener, With: []reader.System{reader.SystemPartition}})
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for _, seg := range scan.Segments() {
		if _, err := scan.Read(h.t.Context(), seg, func(b arrow.RecordBatch) error {
			for i := range int(b.NumRows()) {
				var parts []string
				for _, column := range []string{"id", "vec", "_milvus_partition"} {
					parts = append(parts, b.Column(b.Schema().FieldIndices(column)[0]).ValueStr(i))
				}
				got = append(got, strings.Join(parts, " "))
			}
			return nil
		}); err != nil {
			h.t.Fatalf("step %d: snapshot %s: %v", h.step, name, err)
		}
	}
	h.same("export of "+name, got, f.rows)
}

func (h *history) same(what string, got []string, want rows) {
	h.t.Helper()
	slices.Sort(got)
	texts := want.texts()
	if slices.Equal(got, texts) {
		return
	}
	missing := slices.DeleteFunc(slices.Clone(texts), func(x string) bool { return slices.Contains(got, x) })
	more := slices.DeleteFunc(slices.Clone(got), func(x string) bool { return slices.Contains(texts, x) })
	h.t.Errorf("step %d: %s has %d rows, want %d; missing %.10q, too many %.10q", h.step, what, len(got), len(texts), missing, more)
}

// clear drops everything: no file may be left.
func (h *history) clear() {
	for name, f := range h.kept {
		if h.r.IntN(2) == 0 {
			success(h.t, h.drop(h.t, f.collection, name), nil)
		}
	}
	for _, name := range h.live {
		h.dropCollection(h.t, name)
	}
	h.sweep(h.t)
	h.sweep(h.t)
	left := slices.DeleteFunc(h.keyFiles(h.t, "files/"), func(key string) bool { return strings.HasPrefix(key, "files/snapexport/") })
	if len(left) != 0 || len(h.Store.AllSegments()) != 0 || len(h.Store.AllSnapshots()) != 0 {
		h.t.Errorf("left: %q, %d segments, %d snapshots", left, len(h.Store.AllSegments()), len(h.Store.AllSnapshots()))
	}
}
