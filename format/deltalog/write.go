package deltalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/milvus"
)

// Form is how a file holds its deletes.
type Form int

const (
	JSON       Form = iota // one JSON object per delete; what Milvus writes unless told otherwise
	Text                   // "pk,ts" per delete, Int64 keys only; what 2.0 and 2.1 wrote
	MultiField             // two columns in the V1 envelope; opt-in since 2.5
	Bare                   // two columns of bare Parquet, as V3 segments have them
)

// Writer makes deltalogs. The zero value writes the JSON form in the Codec dialect.
type Writer struct {
	Form    Form
	Dialect binlog.Dialect // of the envelope; meaningless for Bare
	// Before25 writes as releases before 2.5 did: a dictionary in the Codec dialect; a REQUIRED column named "delta" in the Stream
	// dialect, whose size does not count offsets.
	Before25 bool
}

// Encode returns a file with the deletes. h.From and h.To are taken from the deletes where they are 0.
func (w Writer) Encode(h binlog.Header, d *Deletes) ([]byte, error) {
	if err := check(d); err != nil {
		return nil, err
	}
	if h.From == 0 && h.To == 0 && d.Len() > 0 {
		h.From, h.To = milvus.Timestamp(slices.Min(d.TS)), milvus.Timestamp(slices.Max(d.TS))
	}
	switch w.Form {
	case MultiField:
		return w.encodeMulti(h, d)
	case Bare:
		return binlog.Parquet(pairs(d, "", "", true)...)
	}
	return w.encodeCells(h, d)
}

func check(d *Deletes) error {
	n := len(d.Int64)
	switch d.PKType {
	case milvus.TypeInt64:
	case milvus.TypeVarChar:
		if n = 0; d.Strings != nil {
			n = d.Strings.Len()
		}
	case milvus.TypeNone:
	default:
		return fault.Unsupported(opEncode, "keys of type %v", d.PKType)
	}
	if n != len(d.TS) {
		return fault.Corrupt(opEncode, "%d keys and %d timestamps", n, len(d.TS))
	}
	return nil
}

// pairs returns the two columns; ids adds the field ids 0 and 1.
func pairs(d *Deletes, pk, ts string, ids bool) []binlog.ParquetColumn {
	var keys arrow.Array = int64Array(d.Int64)
	if d.Strings != nil {
		keys = d.Strings
	}
	times := int64Array(arrow.GetData[int64](arrow.GetBytes(d.TS)))
	out := []binlog.ParquetColumn{{Name: pk, Values: keys, FieldID: -1}, {Name: ts, Values: times, FieldID: -1}}
	if ids {
		out[0].FieldID, out[1].FieldID = 0, 1
	}
	return out
}

func int64Array(v []int64) arrow.Array {
	data := array.NewData(arrow.PrimitiveTypes.Int64, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(v))}, nil, 0, 0)
	defer data.Release()
	return array.NewInt64Data(data)
}

func (w Writer) encodeMulti(h binlog.Header, d *Deletes) ([]byte, error) {
	columns := pairs(d, "pk", "ts", false)
	payload, err := binlog.Parquet(columns...)
	if err != nil {
		return nil, err
	}
	size := binlog.OriginalSize(binlog.Stream, milvus.TypeInt64, columns[0].Values) + binlog.OriginalSize(binlog.Stream, milvus.TypeInt64, columns[1].Values)
	// The data type says Int64 whatever the keys are (docs/format/binlog-v1.md 8.2).
	return w.wrap(h, milvus.TypeInt64, binlog.Extras{"version": multiField}, payload, size)
}

func (w Writer) encodeCells(h binlog.Header, d *Deletes) ([]byte, error) {
	cells, err := cellsOf(d, w.Form)
	if err != nil {
		return nil, err
	}
	c := binlog.ParquetColumn{Name: "val", Values: cells, FieldID: -1, Zstd: true, Dictionary: w.Before25 || w.Dialect == binlog.Stream}
	size := int64(len(cells.ValueBytes()))
	switch {
	case w.Dialect == binlog.Stream && w.Before25:
		c.Name = "delta"
		size += int64(cells.Len()+7) / 8
	case w.Dialect == binlog.Stream:
		c.Name, c.Optional = "0", true
		size = binlog.OriginalSize(binlog.Stream, milvus.TypeString, cells)
	}
	payload, err := binlog.Parquet(c)
	if err != nil {
		return nil, err
	}
	return w.wrap(h, milvus.TypeString, nil, payload, size)
}

func (w Writer) wrap(h binlog.Header, t milvus.DataType, x binlog.Extras, payload []byte, size int64) ([]byte, error) {
	return binlog.Writer{Dialect: w.Dialect}.Wrap(h, binlog.File{
		Descriptor: binlog.Descriptor{Field: binlog.NoField, DataType: t, Extras: x},
		Events:     []binlog.Event{{Type: binlog.EventDelete, Payload: payload}},
	}, size)
}

// cellsOf spells the deletes as texts.
func cellsOf(d *Deletes, form Form) (*array.String, error) {
	if form == Text && d.PKType == milvus.TypeVarChar {
		return nil, fault.Unsupported(opEncode, "the text form has no VarChar keys")
	}
	offsets := make([]int32, 1, d.Len()+1)
	var text bytes.Buffer
	var room []byte
	for i, ts := range d.TS {
		room = room[:0]
		switch {
		case form == Text:
			room = append(strconv.AppendInt(room, d.Int64[i], 10), ',')
			room = strconv.AppendUint(room, ts, 10)
		case d.PKType == milvus.TypeVarChar:
			key, err := json.Marshal(d.Strings.Value(i)) // escapes <, > and & as Milvus does
			if err != nil {
				return nil, fault.Corrupt(opEncode, "row %d: %w", i, err)
			}
			room = appendObject(room, key, ts, d.PKType)
		default:
			room = appendObject(room, strconv.AppendInt(nil, d.Int64[i], 10), ts, milvus.TypeInt64)
		}
		text.Write(room)
		offsets = append(offsets, int32(text.Len()))
	}
	return stringArray(offsets, text.Bytes()), nil
}

func appendObject(b, pk []byte, ts uint64, t milvus.DataType) []byte {
	b = append(append(b, `{"pk":`...), pk...)
	b = strconv.AppendUint(append(b, `,"ts":`...), ts, 10)
	b = strconv.AppendInt(append(b, `,"pkType":`...), int64(t), 10)
	return append(b, '}')
}
