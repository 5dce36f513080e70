package loon

import (
	"bytes"
	"encoding/binary"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

// Sections that do not matter to rows.
const (
	sectionStats Section = "_stats"
	sectionIndex Section = "_index"
)

// Relative returns the manifest of a segment at base with every path relative to its section's folder, so that it means the
// same files where all of them were copied to another base. Writers of early 2026 put some down in full
// (docs/format/storage-v2-v3.md 2.4). If there is nothing to change, b itself is returned; all else in the manifest stays. A path that leads
// elsewhere, like those of external tables, is fault.ErrUnsupported.
func Relative(b []byte, base string) ([]byte, error) {
	if _, err := Decode(b); err != nil {
		return nil, err
	}
	m := &mover{base: strings.TrimSuffix(base, "/")}
	var out []byte
	var err error
	if bytes.HasPrefix(b, containerMagic) {
		out, err = m.container(b)
	} else {
		out, err = m.milv(b)
	}
	if err != nil || !m.changed {
		return b, err
	}
	return out, nil
}

// mover makes paths relative.
type mover struct {
	base    string
	changed bool
	err     error
}

func (m *mover) container(b []byte) ([]byte, error) {
	d := &decoder{buf: b, off: len(containerMagic)}
	s, sync, err := d.header()
	if err != nil {
		return nil, err
	}
	head := b[:d.off]
	if _, err = d.long(); err == nil { // records: one, as decoded before
		_, err = d.long() // bytes
	}
	if err != nil {
		return nil, err
	}
	v, err := d.value(s)
	if err != nil {
		return nil, err
	}
	record := appendValue(nil, s, m.record(v.(map[string]any)))
	out := appendLong(slices.Clone(head), 1)
	out = appendLong(out, int64(len(record)))
	return append(append(out, record...), sync...), m.err
}

func (m *mover) milv(b []byte) ([]byte, error) {
	d := &decoder{buf: b, off: len(milvMagic)}
	sections, err := d.milvSections()
	if err != nil {
		return nil, err
	}
	out := slices.Clone(b[:d.off])
	for _, s := range sections {
		if s.name == "indexes" && d.left() == 0 {
			break
		}
		sc, err := parseSchema([]byte(s.schema))
		if err != nil {
			return nil, err
		}
		v, err := d.value(sc)
		if err != nil {
			return nil, err
		}
		out = appendValue(out, sc, m.record(map[string]any{s.name: v})[s.name])
	}
	return out, m.err
}

// record changes the paths of a manifest's record in place.
func (m *mover) record(r map[string]any) map[string]any {
	for _, g := range records(r, "column_groups") {
		for _, f := range records(g, "files") {
			m.move(f, SectionData)
		}
	}
	for _, d := range records(r, "delta_logs") {
		m.move(d, SectionDelta)
	}
	for _, x := range records(r, "indexes") {
		m.move(x, sectionIndex)
	}
	for _, l := range records(r, "lob_files") {
		m.move(l, SectionLOB)
	}
	stats, _ := r["stats"].(map[string]any)
	for _, s := range stats {
		list, ok := s.([]any)
		if rec, isRecord := s.(map[string]any); !ok && isRecord {
			list, _ = rec["paths"].([]any)
		}
		for i, p := range list {
			if name, ok := p.(string); ok {
				list[i] = m.relative(name, sectionStats)
			}
		}
	}
	return r
}

func (m *mover) move(r map[string]any, section Section) {
	r["path"] = m.relative(text(r, "path"), section)
}

// relative returns the path as it is below its section's folder.
func (m *mover) relative(recorded string, section Section) string {
	if recorded == "" || m.err != nil {
		return recorded
	}
	folder := strings.TrimSuffix(Resolve(m.base, section, "x"), "x")
	full := Resolve(m.base, section, recorded)
	rest, below := strings.CutPrefix(path.Clean(full), folder)
	if strings.Contains(full, "://") || !below {
		m.err = fault.Unsupported(op, "the path %q leads out of %s", recorded, folder)
		return recorded
	}
	if rest != recorded {
		m.changed = true
	}
	return rest
}

// appendValue is the inverse of [decoder.value]; a map's keys are sorted.
func appendValue(b []byte, s *schema, v any) []byte {
	switch s.kind {
	case "boolean":
		if on, _ := v.(bool); on {
			return append(b, 1)
		}
		return append(b, 0)
	case "int", "long":
		n, _ := v.(int64)
		return binary.AppendVarint(b, n)
	case "float", "double":
		raw, _ := v.(string)
		return append(b, raw...)
	case "bytes", "string":
		t, _ := v.(string)
		return appendText(b, t)
	case "record":
		r, _ := v.(map[string]any)
		for _, f := range s.fields {
			b = appendValue(b, f.schema, r[f.name])
		}
		return b
	case "array":
		list, _ := v.([]any)
		return appendArray(b, list, func(b []byte, v any) []byte { return appendValue(b, s.items, v) })
	case "map":
		entries, _ := v.(map[string]any)
		return appendArray(b, slices.Sorted(maps.Keys(entries)), func(b []byte, k string) []byte {
			return appendValue(appendText(b, k), s.items, entries[k])
		})
	}
	return b
}
