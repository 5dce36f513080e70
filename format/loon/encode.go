package loon

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// containerSchema is the schema of a manifest, format 5 (docs/format/storage-v2-v3.md 2.3).
const containerSchema = `{"type":"record","name":"Manifest","namespace":"milvus_storage","fields":[
{"name":"column_groups","type":{"type":"array","items":{"type":"record","name":"ColumnGroup","fields":[
 {"name":"columns","type":{"type":"array","items":"string"}},
 {"name":"files","type":{"type":"array","items":{"type":"record","name":"ColumnGroupFile","fields":[
  {"name":"path","type":"string"},{"name":"start_index","type":"long"},{"name":"end_index","type":"long"},
  {"name":"properties","type":{"type":"map","values":"string"}}]}}},
 {"name":"format","type":"string"}]}}},
{"name":"delta_logs","type":{"type":"array","items":{"type":"record","name":"DeltaLog","fields":[
 {"name":"path","type":"string"},{"name":"type","type":"int"},{"name":"num_entries","type":"long"}]}}},
{"name":"stats","type":{"type":"map","values":{"type":"record","name":"Statistics","fields":[
 {"name":"paths","type":{"type":"array","items":"string"}},{"name":"metadata","type":{"type":"map","values":"string"}}]}}},
{"name":"indexes","type":{"type":"array","items":{"type":"record","name":"Index","fields":[
 {"name":"column_name","type":"string"},{"name":"index_type","type":"string"},{"name":"path","type":"string"},
 {"name":"properties","type":{"type":"map","values":"string"}}]}}},
{"name":"lob_files","type":{"type":"array","items":{"type":"record","name":"LobFileInfo","fields":[
 {"name":"path","type":"string"},{"name":"field_id","type":"long"},{"name":"total_rows","type":"long"},
 {"name":"valid_rows","type":"long"},{"name":"file_size_bytes","type":"long"}]}}}]}`

// Encode writes a container manifest. The same manifest gives the same bytes. Paths are written as they are: relative ones
// belong to the section's folder, see [Resolve].
func Encode(m *Manifest) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return container(strings.ReplaceAll(containerSchema, "\n", ""), record(m)), nil
}

// container wraps a record.
func container(schema string, record []byte) []byte {
	hash := sha256.Sum256(record)
	sync := hash[:syncSize] // any bytes will do, but the same ones each time
	out := append([]byte(nil), containerMagic...)
	out = appendCount(out, 2)
	out = appendText(appendText(out, "avro.codec"), "null")
	out = appendText(appendText(out, "avro.schema"), schema)
	out = append(appendLong(out, 0), sync...)
	out = appendLong(appendLong(out, 1), int64(len(record))) // one record, of so many bytes
	return append(append(out, record...), sync...)
}

// record encodes the one record of a container, which has no statistics and no indexes.
func record(m *Manifest) (b []byte) {
	b = appendArray(b, m.Groups, func(b []byte, g ColumnGroup) []byte {
		b = appendArray(b, g.Columns, appendText)
		b = appendArray(b, g.Files, appendFile)
		return appendText(b, g.Format)
	})
	b = appendArray(b, m.Deltas, func(b []byte, d Delta) []byte {
		return appendLong(appendLong(appendText(b, d.Path), int64(d.Type)), d.Entries)
	})
	b = appendLong(b, 0) // statistics
	b = appendLong(b, 0) // indexes
	return appendArray(b, m.LOBs, func(b []byte, l LOBFile) []byte {
		b = appendText(b, l.Path)
		for _, n := range []int64{l.Field, l.TotalRows, l.ValidRows, l.Bytes} {
			b = appendLong(b, n)
		}
		return b
	})
}

func appendFile(b []byte, f File) []byte {
	b = appendLong(appendLong(appendText(b, f.Path), f.Start), f.End)
	type property struct {
		key   string
		value int64
	}
	known := slices.DeleteFunc([]property{{"file_size", f.Size}, {"footer_size", f.FooterSize}}, func(p property) bool { return p.value == 0 })
	return appendArray(b, known, func(b []byte, p property) []byte {
		return appendText(appendText(b, p.key), strconv.FormatInt(p.value, 10))
	})
}

// appendArray appends an Avro array, or a map if each appends a key and a value: a block of all elements and the empty one.
func appendArray[T any](b []byte, elements []T, each func([]byte, T) []byte) []byte {
	if len(elements) > 0 {
		b = appendCount(b, len(elements))
		for _, e := range elements {
			b = each(b, e)
		}
	}
	return appendLong(b, 0)
}

func appendText(b []byte, s string) []byte { return append(appendCount(b, len(s)), s...) }

func appendCount(b []byte, n int) []byte { return appendLong(b, int64(n)) }

// appendLong appends an Avro int or long; their form is that of Go's signed varints.
func appendLong(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }
