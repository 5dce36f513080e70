package loon

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strconv"

	"github.com/hamba/avro/v2/ocf"
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

// The record in the shape that the Avro library encodes.
type (
	manifestRecord struct {
		Groups  []groupRecord          `avro:"column_groups"`
		Deltas  []deltaRecord          `avro:"delta_logs"`
		Stats   map[string]statsRecord `avro:"stats"`
		Indexes []indexRecord          `avro:"indexes"`
		LOBs    []lobRecord            `avro:"lob_files"`
	}
	groupRecord struct {
		Columns []string     `avro:"columns"`
		Files   []fileRecord `avro:"files"`
		Format  string       `avro:"format"`
	}
	fileRecord struct {
		Path       string            `avro:"path"`
		Start      int64             `avro:"start_index"`
		End        int64             `avro:"end_index"`
		Properties map[string]string `avro:"properties"`
	}
	deltaRecord struct {
		Path    string `avro:"path"`
		Type    int    `avro:"type"`
		Entries int64  `avro:"num_entries"`
	}
	statsRecord struct {
		Paths    []string          `avro:"paths"`
		Metadata map[string]string `avro:"metadata"`
	}
	indexRecord struct {
		Column     string            `avro:"column_name"`
		Type       string            `avro:"index_type"`
		Path       string            `avro:"path"`
		Properties map[string]string `avro:"properties"`
	}
	lobRecord struct {
		Path      string `avro:"path"`
		Field     int64  `avro:"field_id"`
		TotalRows int64  `avro:"total_rows"`
		ValidRows int64  `avro:"valid_rows"`
		Bytes     int64  `avro:"file_size_bytes"`
	}
)

// Encode writes a container manifest. The same manifest gives the same bytes. Paths are written as they are: relative ones
// belong to the section's folder, see [Resolve].
func Encode(m *Manifest) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	r := manifestRecord{Groups: []groupRecord{}, Deltas: []deltaRecord{}, Stats: map[string]statsRecord{}, Indexes: []indexRecord{}, LOBs: []lobRecord{}}
	for _, g := range m.Groups {
		group := groupRecord{Columns: g.Columns, Format: g.Format}
		for _, f := range g.Files {
			props := map[string]string{}
			for key, n := range map[string]int64{"file_size": f.Size, "footer_size": f.FooterSize} {
				if n > 0 {
					props[key] = strconv.FormatInt(n, 10)
				}
			}
			group.Files = append(group.Files, fileRecord{f.Path, f.Start, f.End, props})
		}
		r.Groups = append(r.Groups, group)
	}
	for _, d := range m.Deltas {
		r.Deltas = append(r.Deltas, deltaRecord(d))
	}
	for _, l := range m.LOBs {
		r.LOBs = append(r.LOBs, lobRecord(l))
	}
	return encodeContainer(m, r)
}

func encodeContainer(m *Manifest, r manifestRecord) ([]byte, error) {
	content, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(content)
	var out bytes.Buffer
	enc, err := ocf.NewEncoder(containerSchema, &out, ocf.WithSyncBlock([syncSize]byte(hash[:syncSize])), ocf.WithCodec(ocf.Null))
	if err != nil {
		return nil, err
	}
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
