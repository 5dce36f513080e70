package catalog

import (
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/datafile"
)

// A variant needs format 3, has one id for both of its Parquet columns, and their sizes together.
func TestVariantColumns(t *testing.T) {
	s, err := FromArrow(arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "doc", Type: extensions.NewDefaultVariantType(), Nullable: true},
		{Name: "v", Type: &arrow.FixedSizeBinaryType{ByteWidth: 8}, Metadata: arrow.NewMetadata([]string{EncodingKey}, []string{`{"dim":2}`})},
	}, nil), SchemaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if doc := s.Iceberg.Field(1); s.FormatVersion() != 3 || doc.Required || !doc.Type.Equals(iceberg.VariantType{}) {
		t.Errorf("format %d, %s", s.FormatVersion(), doc)
	}
	if id, _ := s.Arrow.Field(1).Metadata.GetValue(FieldIDKey); id != strconv.Itoa(s.Iceberg.Field(1).ID) {
		t.Errorf("field id %s, Iceberg has %d", id, s.Iceberg.Field(1).ID)
	}
	if got := s.Properties()[EncodingsProperty]; got != `{"v":{"dim":2}}` {
		t.Errorf("encodings %s", got)
	}
	f, err := DataFile("s3://b/x.parquet", datafile.Stats{Rows: 5, Bytes: 90, Fields: []datafile.FieldStats{
		{ID: 1, Bytes: 10, Values: 5}, {ID: 2, Bytes: 20, Values: datafile.NotCounted, Nulls: datafile.NotCounted}, {ID: 2, Bytes: 30, Values: datafile.NotCounted, Nulls: datafile.NotCounted}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.ColumnSizes()[2]; got != 50 {
		t.Errorf("the variant has %d bytes", got)
	}
	numbered, err := withRowIDs([]iceberg.DataFile{f, f}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if *numbered[0].FirstRowID() != 100 || *numbered[1].FirstRowID() != 105 || f.FirstRowID() != nil || numbered[1].ColumnSizes()[2] != 50 || numbered[1].Count() != 5 {
		t.Errorf("row ids %d and %d", *numbered[0].FirstRowID(), *numbered[1].FirstRowID())
	}
}
