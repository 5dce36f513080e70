package catalog

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/datafile"
)

// Properties gives the properties of a table with the schema: how other writers should write to it (codec, row groups,
// statistics), how files without field ids are read, and the Milvus field ids.
func (s *Schema) Properties() map[string]string {
	out := map[string]string{
		"write.parquet.compression-codec":    "zstd",
		"write.parquet.compression-level":    strconv.Itoa(datafile.DefaultCompressionLevel),
		"write.parquet.row-group-size-bytes": strconv.Itoa(datafile.DefaultRowGroupBytes),
		"write.parquet.page-size-bytes":      strconv.Itoa(datafile.DefaultPageBytes),
		"write.metadata.metrics.default":     "truncate(16)",
	}
	for i, f := range s.Arrow.Fields() {
		addMetrics(out, f, s.Iceberg.Field(i), f.Name)
	}
	maps.Copy(out, s.identity())
	return out
}

// identity gives the properties that follow the schema whenever it changes.
func (s *Schema) identity() map[string]string {
	out := map[string]string{}
	if names, err := json.Marshal(s.Iceberg.NameMapping()); err == nil {
		out[table.DefaultNameMappingKey] = string(names)
	}
	ids := map[string]int64{}
	for _, f := range s.Arrow.Fields() {
		if v, ok := f.Metadata.GetValue(MilvusIDKey); ok {
			if id, err := strconv.ParseInt(v, 10, 64); err == nil {
				ids[f.Name] = id
			}
		}
	}
	if len(ids) > 0 {
		if b, err := json.Marshal(ids); err == nil {
			out[FieldIDsProperty] = string(b)
		}
	}
	if v := Encodings(s.Arrow); v != "" {
		out[EncodingsProperty] = v
	}
	return out
}

// Encodings returns the encodings of the schema's vectors that are bytes, as a JSON object with the names of their columns
// (chunks.element.v for the member of a struct array); "" if there are none.
func Encodings(s *arrow.Schema) string {
	all := map[string]json.RawMessage{}
	for _, f := range s.Fields() {
		addEncodings(all, f, f.Name)
	}
	if len(all) == 0 {
		return ""
	}
	b, err := json.Marshal(all)
	if err != nil {
		return ""
	}
	return string(b)
}

func addEncodings(all map[string]json.RawMessage, f arrow.Field, path string) {
	if v, ok := f.Metadata.GetValue(EncodingKey); ok {
		all[path] = json.RawMessage(v)
	}
	list, ok := f.Type.(*arrow.ListType)
	if !ok {
		return
	}
	if st, ok := list.Elem().(*arrow.StructType); ok {
		for _, m := range st.Fields() {
			addEncodings(all, m, path+".element."+m.Name)
		}
	}
}

// addMetrics turns statistics off for what has no use for them: each element of each vector.
func addMetrics(out map[string]string, f arrow.Field, n iceberg.NestedField, path string) {
	none := func(p string) { out["write.metadata.metrics.column."+p] = "none" }
	switch t := f.Type.(type) {
	case *arrow.FixedSizeListType:
		none(path + ".element")
	case *arrow.FixedSizeBinaryType:
		none(path)
	case *arrow.MapType:
		none(path + ".key")
		none(path + ".value")
	case *arrow.ListType:
		addMetrics(out, t.ElemField(), element(n), path+".element")
	case *arrow.StructType:
		st := n.Type.(*iceberg.StructType)
		for i, m := range t.Fields() {
			addMetrics(out, m, st.FieldList[i], path+"."+m.Name)
		}
	}
}

// changedProperties gives what must be set on a table that is there: our own always, those of writers only where absent,
// because whoever changed them meant it.
func changedProperties(have iceberg.Properties, want map[string]string) iceberg.Properties {
	out := iceberg.Properties{}
	for k, v := range want {
		now, set := have[k]
		ours := strings.HasPrefix(k, "milvus.") || strings.HasPrefix(k, "snapexport.") || k == table.DefaultNameMappingKey
		if !set || ours && now != v {
			out[k] = v
		}
	}
	return out
}
