package datafile

import (
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The messages of a Parquet file that package format can't write as they are meant here: its statistics always have a null
// count, also those of leaves where nobody counted.

type fileMeta struct {
	Version   int32                              `thrift:"1,required"`
	Schema    thrift.Slice[format.SchemaElement] `thrift:"2,required"`
	Rows      int64                              `thrift:"3,required"`
	RowGroups thrift.Slice[groupMeta]            `thrift:"4,required"`
	KeyValues thrift.Slice[format.KeyValue]      `thrift:"5,optional"`
	CreatedBy string                             `thrift:"6,optional"`
	Orders    thrift.Slice[format.ColumnOrder]   `thrift:"7,optional"`
}

type groupMeta struct {
	Chunks     thrift.Slice[chunkMeta] `thrift:"1,required"`
	Bytes      int64                   `thrift:"2,required"` // uncompressed
	Rows       int64                   `thrift:"3,required"`
	Offset     int64                   `thrift:"5,optional"`
	Compressed int64                   `thrift:"6,optional"`
	Ordinal    thrift.Null[int16]      `thrift:"7,optional"`
}

type chunkMeta struct {
	FileOffset        int64      `thrift:"2,required"` // 0: the metadata is nowhere else
	Meta              columnMeta `thrift:"3,optional"`
	OffsetIndexOffset int64      `thrift:"4,optional"`
	OffsetIndexLength int32      `thrift:"5,optional"`
	ColumnIndexOffset int64      `thrift:"6,optional"`
	ColumnIndexLength int32      `thrift:"7,optional"`
}

type columnMeta struct {
	Type          format.Type                            `thrift:"1,required"`
	Encodings     thrift.Slice[format.Encoding]          `thrift:"2,required"`
	Path          thrift.Slice[string]                   `thrift:"3,required"`
	Codec         format.CompressionCodec                `thrift:"4,required"`
	Values        int64                                  `thrift:"5,required"` // NULLs included
	Uncompressed  int64                                  `thrift:"6,required"`
	Compressed    int64                                  `thrift:"7,required"`
	DataOffset    int64                                  `thrift:"9,required"`
	DictOffset    int64                                  `thrift:"11,optional"`
	Stats         thrift.Null[statistics]                `thrift:"12,optional"`
	EncodingStats thrift.Slice[format.PageEncodingStats] `thrift:"13,optional"`
}

type statistics struct {
	Nulls    thrift.Null[int64] `thrift:"3,optional"`
	Max      []byte             `thrift:"5,optional"`
	Min      []byte             `thrift:"6,optional"`
	MaxExact thrift.Null[bool]  `thrift:"7,optional"`
	MinExact thrift.Null[bool]  `thrift:"8,optional"`
}

type pageHeader struct {
	Type         format.PageType                          `thrift:"1,required"`
	Uncompressed int32                                    `thrift:"2,required"`
	Compressed   int32                                    `thrift:"3,required"`
	CRC          thrift.Null[int32]                       `thrift:"4,optional"`
	Dictionary   thrift.Null[format.DictionaryPageHeader] `thrift:"7,optional"`
	Data         thrift.Null[dataHeader]                  `thrift:"8,optional"`
}

type dataHeader struct {
	Values       int32             `thrift:"1,required"`
	Nulls        int32             `thrift:"2,required"`
	Rows         int32             `thrift:"3,required"`
	Encoding     format.Encoding   `thrift:"4,required"`
	DefBytes     int32             `thrift:"5,required"`
	RepBytes     int32             `thrift:"6,required"`
	IsCompressed thrift.Null[bool] `thrift:"7,optional"`
}

// marshal encodes a message in the compact protocol. A buffer takes every write, so it can't fail.
func marshal(message any) []byte {
	b, err := thrift.Marshal(new(thrift.CompactProtocol), message)
	if err != nil {
		panic(err)
	}
	return b
}
