package pb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

func equal(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("got + and want -:\n%s", d)
	}
}

func kv(pairs ...string) []milvus.KeyValue {
	var out []milvus.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, milvus.KeyValue{Key: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func allTypes() milvus.Schema {
	return milvus.Schema{
		Name: "c", Database: "db", Description: "d", EnableDynamic: true, Version: 3, Properties: kv("timezone", "UTC"),
		Fields: []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true, AutoID: true, Default: int64(1 << 60)},
			{ID: 101, Name: "b", Type: milvus.TypeBool, Nullable: true, Default: true},
			{ID: 102, Name: "i8", Type: milvus.TypeInt8, Default: int32(-128)},
			{ID: 103, Name: "i16", Type: milvus.TypeInt16, Default: int32(32767)},
			{ID: 104, Name: "i32", Type: milvus.TypeInt32, Default: int32(0)},
			{ID: 105, Name: "f", Type: milvus.TypeFloat, Default: float32(1.5)},
			{ID: 106, Name: "d", Type: milvus.TypeDouble, Default: 1.5},
			{ID: 107, Name: "s", Type: milvus.TypeVarChar, MaxLength: 8, TypeParams: kv("max_length", "8"), Default: "", PartitionKey: true},
			{ID: 108, Name: "t", Type: milvus.TypeText, Default: "x"},
			{ID: 109, Name: "$meta", Type: milvus.TypeJSON, Dynamic: true, Default: []byte("{}")},
			{ID: 110, Name: "g", Type: milvus.TypeGeometry, Default: []byte{1, 2}},
			{ID: 111, Name: "tz", Type: milvus.TypeTimestamptz, Default: int64(-5)},
			{ID: 112, Name: "date", Type: milvus.TypeDate, Default: int32(7)},
			{ID: 113, Name: "time", Type: milvus.TypeTime, Default: int64(9)},
			{ID: 114, Name: "a", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, MaxLength: 4, MaxCapacity: 5,
				TypeParams: kv("max_length", "4", "max_capacity", "5"), ElementNullable: true},
			{ID: 115, Name: "v", Type: milvus.TypeFloatVector, Dim: 4, TypeParams: kv("dim", "2", "dim", "4"), IndexParams: kv("x", "y")},
			{ID: 116, Name: "sp", Type: milvus.TypeSparseVector, FunctionOutput: true},
			{ID: 117, Name: "u", Type: milvus.TypeUUID, ClusteringKey: true},
		},
		StructArrays: []milvus.StructArray{{ID: 120, Name: "st", Nullable: true, Members: []milvus.Field{
			{ID: 121, Name: "st[n]", Type: milvus.TypeArray, ElementType: milvus.TypeInt64},
			{ID: 122, Name: "st[v]", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2, TypeParams: kv("dim", "2")},
		}}},
		Functions: []milvus.Function{{ID: 7, Name: "bm25", Type: 1, InputFields: []milvus.FieldID{107}, OutputFields: []milvus.FieldID{116}, Params: kv("k", "v")}},
	}
}

func TestSchemaThereAndBack(t *testing.T) {
	want := allTypes()
	m := FromSchema(&want)
	if m.Functions[0].InputFieldNames[0] != "s" || m.Functions[0].OutputFieldNames[0] != "sp" {
		t.Errorf("function %v", m.Functions[0])
	}
	got, err := ToSchema(m)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
}

func TestCollectionThereAndBack(t *testing.T) {
	want := milvus.Collection{ID: 5, Database: "db", Schema: allTypes(), Partitions: []milvus.Partition{{ID: 1, Name: "b"}, {ID: 2, Name: "a"}},
		Channels: []string{"v0"}, Shards: 1, ConsistencyLevel: 2, Properties: kv("p", "q")}
	got, err := ToCollection(FromCollection(&want), 5)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
}

func TestSegmentThereAndBack(t *testing.T) {
	logs := func(path string) []milvus.FieldBinlog {
		return []milvus.FieldBinlog{{Field: 1, ChildFields: []milvus.FieldID{0, 1}, Format: "parquet", Binlogs: []milvus.Binlog{
			{File: milvus.FileRef{Key: path}, LogID: 2, Entries: 3, From: 4, To: 1 << 63, Size: 6, MemorySize: 7}}}}
	}
	want := milvus.Segment{
		ID: 1, Collection: 2, Partition: milvus.AllPartitions, Level: milvus.LevelL1, Channel: "v0", Rows: 3, StorageVersion: 2, Sorted: true,
		Start: milvus.Position{Channel: "v0", MessageID: []byte{1}, Group: "g", Timestamp: 5, WAL: 4}, CommitTimestamp: 1 << 63, DeleteApplyStart: 1<<63 + 1,
		Binlogs: logs("a"), Deltalogs: logs("b"), Statslogs: logs("c"), BM25logs: logs("d"), ManifestPath: "m",
		TextIndexes: []milvus.FieldStats{{Field: 5, Version: 1, Files: []milvus.FileRef{{Key: "t"}}, LogSize: 2, MemorySize: 3, Build: 4}},
		JSONStats:   []milvus.FieldStats{{Field: 6, Version: 1, Files: []milvus.FileRef{{Key: "j"}}, LogSize: 2, MemorySize: 3, Build: 4, JSONFormat: 2}},
	}
	m := FromSegment(&want)
	got, err := ToSegment(m)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, *got, want)

	x := milvus.IndexFiles{Field: 1, Index: 2, Build: 3, Name: "n", Params: kv("a", "b"), Files: []milvus.FileRef{{Key: "f"}}, SerializedSize: 4,
		Version: 5, Rows: 6, CurrentVersion: 7, MemorySize: 8, ScalarVersion: 9, StorePathVersion: 1}
	info := FromIndex(&milvus.Index{ID: 2, Field: 1, Name: "n", Params: kv("a", "b")}, 2)
	equal(t, ToIndexFiles(FromIndexFiles(&x, &want), info), x)
}

func TestDefaultsRefused(t *testing.T) {
	text := &ValueField{Data: &ValueField_StringData{StringData: "x"}}
	for _, c := range []struct {
		t     DataType
		v     *ValueField
		class string
	}{
		{DataType_Int64, text, "ErrCorrupt"},
		{DataType_VarChar, &ValueField{Data: &ValueField_LongData{}}, "ErrCorrupt"},
		{DataType_Int16, &ValueField{Data: &ValueField_IntData{IntData: 32768}}, "ErrCorrupt"},
		{DataType_Timestamptz, text, "ErrUnsupported"},
		{DataType_Geometry, text, "ErrUnsupported"},
		{DataType_SparseFloatVector, text, "ErrUnsupported"},
		{DataType_VarChar, &ValueField{}, ""},
	} {
		_, err := ToField(&FieldSchema{Name: "f", FieldID: 100, DataType: c.t, DefaultValue: c.v})
		if fault.ClassName(err) != c.class || err != nil && !strings.Contains(err.Error(), `"f" (100)`) {
			t.Errorf("%v %v: %v", c.t, c.v, err)
		}
	}
}

func TestMarshalJSONIsStable(t *testing.T) {
	m := FromCollection(&milvus.Collection{Schema: allTypes(), Partitions: []milvus.Partition{{ID: 1, Name: "b"}, {ID: 2, Name: "a"}}})
	first, err := MarshalJSON("test", m)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := MarshalJSON("test", m); string(again) != string(first) {
			t.Fatal("two texts of one message")
		}
	}
	var got CollectionDescription
	if err := UnmarshalJSON("test", first, &got, DefaultJSONLimits); err != nil {
		t.Fatal(err)
	}
	equal(t, got.GetPartitions(), m.GetPartitions())
}
