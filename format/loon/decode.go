package loon

import (
	"bytes"
	"strconv"

	"github.com/snapexport/snapexport/fault"
)

// First bytes of the encodings.
var (
	containerMagic = []byte("Obj\x01")
	milvMagic      = []byte{0xAC, 0xB1, 0xCA, 0xD4, 0x09} // zigzag varint of "MILV"
)

// newestMILV is the newest version of the raw encoding that was ever written.
const newestMILV = 3

// Decode decodes a manifest of either encoding.
func Decode(b []byte) (*Manifest, error) {
	if len(b) > MaxBytes {
		return nil, fault.Limit(op, "%d bytes, at most %d are read", len(b), MaxBytes)
	}
	var m *Manifest
	var err error
	switch {
	case bytes.HasPrefix(b, containerMagic):
		m, err = decodeContainer(b)
	case bytes.HasPrefix(b, milvMagic):
		m, err = decodeMILV(b)
	case len(b) < len(milvMagic):
		return nil, fault.Corrupt(op, "the manifest has %d bytes", len(b)).At(0)
	default:
		return nil, fault.Unsupported(op, "manifest format not understood: it begins with % x", b[:len(milvMagic)]).At(0).
			WithHint("Avro containers and MILV 1 to %d are read", newestMILV)
	}
	if err != nil {
		return nil, err
	}
	return m, m.check()
}

// syncSize is the length of the marker that ends a container's header and blocks.
const syncSize = 16

// decodeContainer decodes an Avro object container of one record, without compression.
func decodeContainer(b []byte) (*Manifest, error) {
	d := &decoder{buf: b, off: len(containerMagic)}
	s, sync, err := d.header()
	if err != nil {
		return nil, err
	}
	return d.block(s, sync)
}

// header reads the schema of a container's records and the marker that ends its parts.
func (d *decoder) header() (s *schema, sync []byte, err error) {
	meta := map[string]string{}
	err = d.blocks(func() error {
		k, err := d.text(true)
		if err != nil {
			return err
		}
		meta[k], err = d.text(false)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if codec := meta["avro.codec"]; codec != "" && codec != "null" {
		return nil, nil, fault.Unsupported(op, "Avro codec %q", codec)
	}
	if sync, err = d.take(syncSize); err != nil {
		return nil, nil, err
	}
	if s, err = parseSchema([]byte(meta["avro.schema"])); err != nil {
		return nil, nil, err
	}
	if s.kind != "record" {
		return nil, nil, fault.Unsupported(op, "the container holds %s, not a record", s.kind)
	}
	return s, sync, nil
}

// block reads the one block of one record.
func (d *decoder) block(s *schema, sync []byte) (*Manifest, error) {
	count, err := d.long()
	if err != nil {
		return nil, err
	}
	size, err := d.long()
	if err != nil {
		return nil, err
	}
	if count != 1 || size < 0 || size > int64(d.left()) {
		return nil, d.corrupt("a block of %d records and %d bytes where %d are left", count, size, d.left())
	}
	start := d.off
	v, err := d.value(s)
	if err != nil {
		return nil, err
	}
	end, err := d.take(syncSize)
	switch {
	case err != nil:
		return nil, err
	case int64(d.off-syncSize-start) != size || !bytes.Equal(end, sync):
		return nil, d.corrupt("the record does not end where its block does")
	case d.left() > 0:
		return nil, d.corrupt("%d bytes follow the record", d.left())
	}
	return fromRecord(v.(map[string]any))
}

// known are the fields of a manifest; of these, stats and indexes do not matter to rows.
var known = map[string]bool{"column_groups": true, "delta_logs": true, "lob_files": true, "stats": true, "indexes": true}

// fromRecord picks what is needed by name.
func fromRecord(r map[string]any) (*Manifest, error) {
	for name, v := range r {
		if list, ok := v.([]any); ok && !known[name] && len(list) > 0 {
			return nil, fault.Unsupported(op, "unknown section %q is not empty; it could change which rows live", name)
		}
	}
	if _, ok := r["column_groups"]; !ok {
		return nil, fault.Unsupported(op, "the record has no column_groups")
	}
	m := &Manifest{}
	for _, g := range records(r, "column_groups") {
		group := ColumnGroup{Format: text(g, "format")}
		columns, _ := g["columns"].([]any)
		for _, c := range columns {
			name, _ := c.(string)
			group.Columns = append(group.Columns, name)
		}
		for _, f := range records(g, "files") {
			props, _ := f["properties"].(map[string]any)
			group.Files = append(group.Files, File{Path: text(f, "path"), Start: long(f, "start_index"), End: long(f, "end_index"),
				Size: decimal(props, "file_size"), FooterSize: decimal(props, "footer_size")})
		}
		m.Groups = append(m.Groups, group)
	}
	for _, d := range records(r, "delta_logs") {
		m.Deltas = append(m.Deltas, Delta{Path: text(d, "path"), Type: int(long(d, "type")), Entries: long(d, "num_entries")})
	}
	_, m.LOBsListed = r["lob_files"]
	for _, l := range records(r, "lob_files") {
		m.LOBs = append(m.LOBs, LOBFile{Path: text(l, "path"), Field: long(l, "field_id"), TotalRows: long(l, "total_rows"),
			ValidRows: long(l, "valid_rows"), Bytes: long(l, "file_size_bytes")})
	}
	return m, nil
}

func records(r map[string]any, name string) (out []map[string]any) {
	list, _ := r[name].([]any)
	for _, v := range list {
		if rec, ok := v.(map[string]any); ok {
			out = append(out, rec)
		}
	}
	return out
}

func text(r map[string]any, name string) string { s, _ := r[name].(string); return s }
func long(r map[string]any, name string) int64  { n, _ := r[name].(int64); return n }

// decimal reads a number that is stored as text; 0 if it is absent or something else, as it is only a hint.
func decimal(r map[string]any, name string) int64 {
	n, _ := strconv.ParseInt(text(r, name), 10, 64)
	return max(n, 0)
}

// Schemas of the raw encoding's sections.
const (
	milvGroups  = `{"type":"array","items":{"type":"record","name":"G","fields":[{"name":"columns","type":{"type":"array","items":"string"}},{"name":"files","type":{"type":"array","items":{"type":"record","name":"F","fields":[{"name":"path","type":"string"},{"name":"start_index","type":"long"},{"name":"end_index","type":"long"},{"name":"metadata","type":"bytes"}]}}},{"name":"format","type":"string"}]}}`
	milvDeltas  = `{"type":"array","items":{"type":"record","name":"D","fields":[{"name":"path","type":"string"},{"name":"type","type":"int"},{"name":"num_entries","type":"long"}]}}`
	milvStats1  = `{"type":"map","values":{"type":"array","items":"string"}}`
	milvStats3  = `{"type":"map","values":{"type":"record","name":"S","fields":[{"name":"paths","type":{"type":"array","items":"string"}},{"name":"metadata","type":{"type":"map","values":"string"}}]}}`
	milvIndexes = `{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"column_name","type":"string"},{"name":"index_type","type":"string"},{"name":"path","type":"string"},{"name":"properties","type":{"type":"map","values":"string"}}]}}`
)

// milvSection is a part of the raw encoding.
type milvSection struct{ name, schema string }

// milvSections reads the version and returns the sections that follow, of which the last may be absent.
func (d *decoder) milvSections() ([]milvSection, error) {
	version, err := d.long()
	if err != nil {
		return nil, err
	}
	if version < 1 || version > newestMILV {
		return nil, fault.Unsupported(op, "MILV version %d", version).WithHint("versions 1 to %d are read", newestMILV)
	}
	stats := milvStats1
	if version >= 3 {
		stats = milvStats3
	}
	return []milvSection{{"column_groups", milvGroups}, {"delta_logs", milvDeltas}, {"stats", stats}, {"indexes", milvIndexes}}, nil
}

// decodeMILV decodes the raw encoding: a magic number, a version, sections back to back.
func decodeMILV(b []byte) (*Manifest, error) {
	d := &decoder{buf: b, off: len(milvMagic)}
	sections, err := d.milvSections()
	if err != nil {
		return nil, err
	}
	r := map[string]any{}
	for _, s := range sections {
		if s.name == "indexes" && d.left() == 0 {
			break // written by versions 2 and 3 only
		}
		sc, err := parseSchema([]byte(s.schema))
		if err != nil {
			return nil, err
		}
		if r[s.name], err = d.value(sc); err != nil {
			return nil, err
		}
	}
	if d.left() > 0 {
		return nil, d.corrupt("%d bytes follow the last section", d.left())
	}
	return fromRecord(r)
}
