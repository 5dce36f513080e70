package pages

import "github.com/parquet-go/parquet-go/encoding/thrift"

// The messages of a Parquet footer and of page headers, with the fields that are used here. parquet-go's own structs can't
// tell an absent field id from 0 (which is RowID) or an absent null count from none.

type fileMeta struct {
	Version    int32                       `thrift:"1,optional"`
	Schema     thrift.Slice[schemaElement] `thrift:"2,required"`
	Rows       int64                       `thrift:"3,required"`
	RowGroups  thrift.Slice[rowGroupMeta]  `thrift:"4,required"`
	KeyValues  thrift.Slice[keyValue]      `thrift:"5,optional"`
	CreatedBy  string                      `thrift:"6,optional"`
	Encryption thrift.Null[struct{}]       `thrift:"8,optional"`
}

type keyValue struct {
	Key   string `thrift:"1,optional"`
	Value string `thrift:"2,optional"`
}

type schemaElement struct {
	Type       thrift.Null[int32] `thrift:"1,optional"`
	TypeLength thrift.Null[int32] `thrift:"2,optional"`
	Repetition thrift.Null[int32] `thrift:"3,optional"`
	Name       string             `thrift:"4,optional"`
	Children   thrift.Null[int32] `thrift:"5,optional"`
	Converted  thrift.Null[int32] `thrift:"6,optional"`
	FieldID    thrift.Null[int32] `thrift:"9,optional"`
	Logical    logicalUnion       `thrift:"10,optional"`
}

type logicalUnion struct {
	String    thrift.Null[struct{}] `thrift:"1,optional"`
	List      thrift.Null[struct{}] `thrift:"3,optional"`
	Date      thrift.Null[struct{}] `thrift:"6,optional"`
	Time      thrift.Null[struct{}] `thrift:"7,optional"`
	Timestamp thrift.Null[struct{}] `thrift:"8,optional"`
	Integer   thrift.Null[intType]  `thrift:"10,optional"`
	JSON      thrift.Null[struct{}] `thrift:"12,optional"`
}

type intType struct {
	Bits   int8 `thrift:"1,optional"`
	Signed bool `thrift:"2,optional"`
}

type rowGroupMeta struct {
	Chunks thrift.Slice[chunkMeta] `thrift:"1,required"`
	Bytes  int64                   `thrift:"2,optional"`
	Rows   int64                   `thrift:"3,required"`
}

type chunkMeta struct {
	FilePath  string                `thrift:"1,optional"`
	Meta      columnMeta            `thrift:"3,optional"`
	Crypto    thrift.Null[struct{}] `thrift:"8,optional"`
	Encrypted []byte                `thrift:"9,optional"`
}

type columnMeta struct {
	Type         int32              `thrift:"1,required"`
	Codec        int32              `thrift:"4,required"`
	Values       int64              `thrift:"5,required"`
	Uncompressed int64              `thrift:"6,required"`
	Compressed   int64              `thrift:"7,required"`
	DataOffset   int64              `thrift:"9,required"`
	DictOffset   thrift.Null[int64] `thrift:"11,optional"`
	Stats        statistics         `thrift:"12,optional"`
}

type statistics struct {
	OldMax    []byte             `thrift:"1,optional"`
	OldMin    []byte             `thrift:"2,optional"`
	NullCount thrift.Null[int64] `thrift:"3,optional"`
	Max       []byte             `thrift:"5,optional"`
	Min       []byte             `thrift:"6,optional"`
}

type pageHeader struct {
	Type         int32                   `thrift:"1,required"`
	Uncompressed int32                   `thrift:"2,required"`
	Compressed   int32                   `thrift:"3,required"`
	CRC          thrift.Null[int32]      `thrift:"4,optional"`
	Data         thrift.Null[dataHeader] `thrift:"5,optional"`
	Dict         thrift.Null[dictHeader] `thrift:"7,optional"`
	DataV2       thrift.Null[dataV2]     `thrift:"8,optional"`
}

type dataHeader struct {
	Values      int32 `thrift:"1,required"`
	Encoding    int32 `thrift:"2,required"`
	DefEncoding int32 `thrift:"3,required"`
	RepEncoding int32 `thrift:"4,required"`
}

type dictHeader struct {
	Values   int32 `thrift:"1,required"`
	Encoding int32 `thrift:"2,required"`
}

type dataV2 struct {
	Values       int32             `thrift:"1,required"`
	Nulls        int32             `thrift:"2,required"`
	Rows         int32             `thrift:"3,required"`
	Encoding     int32             `thrift:"4,required"`
	DefBytes     int32             `thrift:"5,required"`
	RepBytes     int32             `thrift:"6,required"`
	IsCompressed thrift.Null[bool] `thrift:"7,optional"`
}
