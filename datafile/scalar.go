package datafile

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// converted is the older kind of annotation, which readers older than logical types know.
type converted = thrift.Null[deprecated.ConvertedType]

var (
	none          converted
	convertedList = thrift.New(deprecated.List)
	convertedMap  = thrift.New(deprecated.Map)
)

const opWrite = "write data file"

// scalars are the forms in Parquet of the types that are not nested.
var scalars = map[arrow.Type]struct {
	physical  format.Type
	logical   format.LogicalTypeValue
	converted converted
}{
	arrow.BOOL:              {format.Boolean, nil, none},
	arrow.INT32:             {format.Int32, &format.IntType{BitWidth: 32, IsSigned: true}, thrift.New(deprecated.Int32)},
	arrow.INT64:             {format.Int64, &format.IntType{BitWidth: 64, IsSigned: true}, thrift.New(deprecated.Int64)},
	arrow.FLOAT32:           {format.Float, nil, none},
	arrow.FLOAT64:           {format.Double, nil, none},
	arrow.STRING:            {format.ByteArray, &format.StringType{}, thrift.New(deprecated.UTF8)},
	arrow.BINARY:            {format.ByteArray, nil, none},
	arrow.FIXED_SIZE_BINARY: {format.ByteArray, nil, none}, // Iceberg's binary; a fixed of many bytes makes Spark ask for memory by its square
	arrow.DATE32:            {format.Int32, &format.DateType{}, thrift.New(deprecated.Date)},
	arrow.TIME64:            {format.Int64, &format.TimeType{Unit: micros}, none},
	arrow.TIMESTAMP:         {format.Int64, &format.TimestampType{IsAdjustedToUTC: true, Unit: micros}, thrift.New(deprecated.TimestampMicros)},
}

var micros = format.TimeUnit{Value: &format.MicroSeconds{}}

// supported refuses units and zones that have no form.
func supported(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.Time64Type:
		return t.Unit == arrow.Microsecond
	case *arrow.TimestampType:
		return t.Unit == arrow.Microsecond && t.TimeZone == "UTC"
	}
	return true
}

func annotate(e format.SchemaElement, logical format.LogicalTypeValue, c converted) format.SchemaElement {
	if logical != nil {
		e.LogicalType = format.LogicalType{Value: logical}
	}
	e.ConvertedType = c
	return e
}
