//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/milvus"
)

func pairs(all ...string) (out []*commonpb.KeyValuePair) {
	for i := 0; i < len(all); i += 2 {
		out = append(out, &commonpb.KeyValuePair{Key: all[i], Value: all[i+1]})
	}
	return out
}

// everything declares a collection that has something in every property that restores were seen to lose.
func (s *stage) everything(t *testing.T, name string) {
	t.Helper()
	s.declare(t, name, &schemapb.CollectionSchema{Name: name, Description: "all of it", EnableDynamicField: true, Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64, Description: "the key"},
		{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: pairs("dim", "2", "mmap.enabled", "true")},
		{Name: "tenant", DataType: schemapb.DataType_VarChar, TypeParams: pairs("max_length", "20"), Nullable: true},
		{Name: "n", DataType: schemapb.DataType_Int32, DefaultValue: &schemapb.ValueField{Data: &schemapb.ValueField_IntData{IntData: 7}}},
		{Name: "list", DataType: schemapb.DataType_Array, ElementType: schemapb.DataType_Int16, TypeParams: pairs("max_capacity", "4"), Nullable: true},
	}}, func(r *milvuspb.CreateCollectionRequest) {
		r.ShardsNum, r.ConsistencyLevel = 3, commonpb.ConsistencyLevel_Eventually
		r.Properties = pairs("collection.ttl.seconds", "864000", "mmap.enabled", "true", "timezone", "Asia/Tokyo", "my.own", "x")
	})
	for field, params := range map[string][]string{
		"vec":    {"index_type", "HNSW", "metric_type", "COSINE", "params", `{"M": 16, "efConstruction": 200}`},
		"tenant": {"index_type", "INVERTED"},
	} {
		r, err := s.client.CreateIndex(t.Context(), &milvuspb.CreateIndexRequest{CollectionName: name, FieldName: field, IndexName: "on_" + field, ExtraParams: pairs(params...)})
		success(t, r, err)
	}
	s.createPartition(t, name, "p1")
}

// fillAll puts rows into it: inserts, upserts and deletes over shards and partitions. It returns how many live.
func (s *stage) fillAll(t *testing.T, name string) int64 {
	t.Helper()
	put := func(partition string, from, to int64, mark float32) {
		t.Helper()
		r, err := s.client.Upsert(t.Context(), &milvuspb.UpsertRequest{CollectionName: name, PartitionName: partition, NumRows: uint32(to - from), FieldsData: s.extended(from, to, mark)})
		success(t, r, err)
	}
	put("", 0, 300, 0)
	put("p1", 1000, 1200, 0)
	s.flush(t, name)
	put("", 100, 150, 1) // updates of flushed rows
	s.delete(t, name, "id < 30")
	s.flush(t, name)
	put("", 290, 320, 2)
	s.delete(t, name, "id in [31, 1000, 310]")
	s.flush(t, name)
	return 300 + 200 - 30 + 20 - 3
}

func (s *stage) extended(from, to int64, mark float32) []*schemapb.FieldData {
	var texts []string
	var valid []bool
	var lists []*schemapb.ScalarField
	for k := from; k < to; k++ {
		texts, valid = append(texts, fmt.Sprint("t", k%7)), append(valid, k%3 != 0)
		lists = append(lists, &schemapb.ScalarField{Data: &schemapb.ScalarField_IntData{IntData: &schemapb.IntArray{Data: []int32{int32(k % 5), 2}}}})
	}
	return append(columns(from, to, mark),
		&schemapb.FieldData{FieldName: "tenant", Type: schemapb.DataType_VarChar, ValidData: valid, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: texts}}}}},
		&schemapb.FieldData{FieldName: "list", Type: schemapb.DataType_Array, ValidData: valid, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{Data: lists, ElementType: schemapb.DataType_Int16}}}}})
}

// query returns the rows as text.
func (s *stage) query(t *testing.T, name string, partitions ...string) string {
	t.Helper()
	r, err := s.client.Query(t.Context(), &milvuspb.QueryRequest{CollectionName: name, Expr: "id >= 0", OutputFields: []string{"*"}, PartitionNames: partitions,
		ConsistencyLevel: commonpb.ConsistencyLevel_Strong})
	success(t, r, err)
	var out strings.Builder
	for _, f := range slices.SortedFunc(slices.Values(r.GetFieldsData()), func(a, b *schemapb.FieldData) int { return strings.Compare(a.GetFieldName(), b.GetFieldName()) }) {
		text, err := prototext.MarshalOptions{}.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(strings.Join(strings.Fields(string(text)), " ") + "\n")
	}
	return out.String()
}

// TestRestoredEqualsSource (traps T23 and T24): properties, consistency, schema, partitions and indexes field by field, the ids of fields
// kept and all others new; not loaded; after the load every delete and upsert counts at once.
func TestRestoredEqualsSource(t *testing.T) {
	t.Parallel()
	for version, storage := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s, ctx := newStage(t, storage, nil), t.Context()
			s.everything(t, "src")
			live := s.fillAll(t, "src")
			s.create(t, "src", "s")
			source := s.describeCollection(t, "src")
			before := s.count(t, "src")
			all, part := s.query(t, "src"), s.query(t, "src", "p1")
			if before != live {
				t.Fatalf("%d rows of the source, want %d", before, live)
			}
			info := s.completed(t, "src", "s", "dst")
			if now := s.now().UnixMilli(); info.GetStartTime() < uint64(now-600_000) || info.GetStartTime() > uint64(now) || info.GetTimeCost() < 1 || info.GetTimeCost() > 600_000 {
				t.Errorf("milliseconds: %v", info)
			}
			if info.GetSnapshotName() != "s" || info.GetDbName() != "default" || info.GetCollectionName() != "dst" || info.GetReason() != "" {
				t.Errorf("%v", info)
			}
			loaded, err := s.client.GetLoadState(ctx, &milvuspb.GetLoadStateRequest{CollectionName: "dst"})
			success(t, loaded, err)
			if loaded.GetState() != commonpb.LoadState_LoadStateNotLoad {
				t.Errorf("restored and %v", loaded.GetState())
			}
			if n := s.count(t, "dst"); n != live {
				t.Errorf("%d rows restored, want %d", n, live)
			}
			if got := s.query(t, "dst"); got != all {
				t.Errorf("rows differ:\n%.2000s\nwant\n%.2000s", got, all)
			}
			if got := s.query(t, "dst", "p1"); got != part {
				t.Error("rows of a partition differ")
			}
			target := s.describeCollection(t, "dst")
			if target.GetCollectionID() == source.GetCollectionID() || slices.Equal(target.GetVirtualChannelNames(), source.GetVirtualChannelNames()) || len(target.GetVirtualChannelNames()) != 3 {
				t.Errorf("ids are not new: %v", target)
			}
			for _, d := range []*milvuspb.DescribeCollectionResponse{source, target} {
				d.CollectionName, d.Schema.Name, d.CollectionID = "", "", 0
				d.VirtualChannelNames, d.PhysicalChannelNames, d.StartPositions = nil, nil, nil
				d.CreatedTimestamp, d.CreatedUtcTimestamp, d.UpdateTimestamp, d.UpdateTimestampStr = 0, 0, 0, ""
			}
			if !proto.Equal(source, target) {
				t.Errorf("%v\nwant\n%v", target, source)
			}
			s.sameIndexes(t, "src", "dst")
			s.samePartitions(t, "src", "dst")
		})
	}
}

func (s *stage) sameIndexes(t *testing.T, source, target string) {
	t.Helper()
	describe := func(name string) []*milvuspb.IndexDescription {
		r, err := s.client.DescribeIndex(t.Context(), &milvuspb.DescribeIndexRequest{CollectionName: name})
		success(t, r, err)
		return slices.SortedFunc(slices.Values(r.GetIndexDescriptions()), func(a, b *milvuspb.IndexDescription) int { return strings.Compare(a.GetIndexName(), b.GetIndexName()) })
	}
	from, to := describe(source), describe(target)
	if len(from) != 2 || len(to) != 2 {
		t.Fatalf("%v %v", from, to)
	}
	for i := range from {
		if from[i].GetIndexID() == to[i].GetIndexID() {
			t.Errorf("index %s has the source's id", to[i].GetIndexName())
		}
		from[i].IndexID, to[i].IndexID = 0, 0
		if !proto.Equal(from[i], to[i]) {
			t.Errorf("%v\nwant\n%v", to[i], from[i])
		}
	}
}

func (s *stage) samePartitions(t *testing.T, source, target string) {
	t.Helper()
	from, to := s.meta(t, source), s.meta(t, target)
	for i, p := range from.Partitions {
		if to.Partitions[i].Name != p.Name || to.Partitions[i].ID == p.ID {
			t.Errorf("%v, want %v with another id", to.Partitions[i], p)
		}
	}
	for i, f := range from.Schema.Fields {
		if to.Schema.Fields[i].ID != f.ID || to.Schema.Fields[i].Name != f.Name {
			t.Errorf("field %s has id %d, want %d", f.Name, to.Schema.Fields[i].ID, f.ID)
		}
	}
}

// TestRestoreLines: one stage, a collection for each line.
func TestRestoreLines(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	db, err := s.client.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{DbName: "db1"})
	success(t, db, err)
	for name, line := range map[string]func(*testing.T){
		"to another database": func(t *testing.T) {
			s.fill(t, "cross", 6)
			s.create(t, "cross", "s")
			r, err := s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "cross", Name: "s", TargetDbName: "db1", TargetCollectionName: "cross"})
			success(t, r, err)
			if info := s.restored(t, r.GetJobId()); info.GetDbName() != "db1" || info.GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted {
				t.Errorf("%v", info)
			}
			loaded, err := s.client.LoadCollection(ctx, &milvuspb.LoadCollectionRequest{DbName: "db1", CollectionName: "cross"})
			success(t, loaded, err)
			n, err := s.client.Query(ctx, &milvuspb.QueryRequest{DbName: "db1", CollectionName: "cross", OutputFields: []string{"count(*)"}})
			success(t, n, err)
			if got := n.GetFieldsData()[0].GetScalars().GetLongData().GetData()[0]; got != 6 {
				t.Errorf("%d rows", got)
			}
			for db, want := range map[string]int{"db1": 1, "default": 0} { // jobs are listed by the target's database
				l, err := s.client.ListRestoreSnapshotJobs(ctx, &milvuspb.ListRestoreSnapshotJobsRequest{DbName: db, CollectionName: "cross"})
				success(t, l, err)
				if len(l.GetJobs()) != want {
					t.Errorf("%s: %v", db, l)
				}
			}
			snapshots, err := s.client.ListSnapshots(ctx, &milvuspb.ListSnapshotsRequest{DbName: "db1", CollectionName: "cross"})
			success(t, snapshots, err)
			if len(snapshots.GetSnapshots()) != 0 {
				t.Errorf("snapshots came along: %v", snapshots)
			}
		},
		"of no segments": func(t *testing.T) {
			s.declare(t, "none", &schemapb.CollectionSchema{Fields: []*schemapb.FieldSchema{
				{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
				{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: pairs("dim", "2")},
			}}, nil)
			s.create(t, "none", "s")
			if info := s.completed(t, "none", "s", "none_again"); info.GetReason() != "no segments to copy" || info.GetTimeCost() < 1 {
				t.Errorf("%v", info)
			}
			s.insert(t, "none_again", "", 0, 5)
			s.flush(t, "none_again")
			if n := s.count(t, "none_again"); n != 5 {
				t.Errorf("%d rows", n)
			}
		},
		"with a partition key": func(t *testing.T) {
			s.declare(t, "keyed", &schemapb.CollectionSchema{Fields: []*schemapb.FieldSchema{
				{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
				{Name: "k", IsPartitionKey: true, DataType: schemapb.DataType_Int64},
				{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: pairs("dim", "2")},
			}}, func(r *milvuspb.CreateCollectionRequest) { r.NumPartitions = 5 })
			data := columns(0, 50, 0)
			k := proto.CloneOf(data[0])
			k.FieldName = "k"
			r, err := s.client.Insert(ctx, &milvuspb.InsertRequest{CollectionName: "keyed", NumRows: 50, FieldsData: append(data, k)})
			success(t, r, err)
			s.flush(t, "keyed")
			s.create(t, "keyed", "s")
			s.completed(t, "keyed", "s", "keyed_again")
			if d := s.describeCollection(t, "keyed_again"); d.GetNumPartitions() != 5 || s.count(t, "keyed_again") != 50 {
				t.Errorf("%v", d)
			}
			s.delete(t, "keyed_again", "k == 3")
			if n := s.count(t, "keyed_again"); n != 49 {
				t.Errorf("%d rows: the keys do not find their partitions", n)
			}
		},
		"of a restored collection": func(t *testing.T) {
			s.fill(t, "gen0", 8)
			for i := range 3 {
				from, to := fmt.Sprint("gen", i), fmt.Sprint("gen", i+1)
				s.delete(t, from, fmt.Sprint("id == ", i))
				s.flush(t, from)
				s.create(t, from, "s")
				s.completed(t, from, "s", to)
			}
			if n := s.count(t, "gen3"); n != 5 {
				t.Errorf("%d rows", n)
			}
		},
		"a drop right after it is done": func(t *testing.T) { // trap T25
			s.fill(t, "at_once", 8)
			for i := range 5 {
				s.create(t, "at_once", "s")
				s.completed(t, "at_once", "s", fmt.Sprint("at_once", i))
				if st := s.drop(t, "at_once", "s"); st.GetCode() != 0 {
					t.Errorf("%v", st)
				}
			}
		},
		"target and source lead lives of their own": func(t *testing.T) {
			s.fill(t, "own", 8)
			s.create(t, "own", "s")
			s.completed(t, "own", "s", "own_copy")
			s.insert(t, "own_copy", "", 100, 110)
			s.delete(t, "own_copy", "id < 4")
			s.flush(t, "own_copy")
			if a, b := s.count(t, "own"), s.count(t, "own_copy"); a != 8 || b != 14 {
				t.Errorf("%d %d", a, b)
			}
			s.dropCollection(t, "own")
			s.sweep(t)
			s.sweep(t)
			if n := s.count(t, "own_copy"); n != 14 {
				t.Errorf("%d rows", n)
			}
		},
	} {
		t.Run(name, line)
	}
}
