package loon

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/snapexport/snapexport/fault"
)

// schema is an Avro schema, as far as manifests use it.
type schema struct {
	kind   string // record, array, map, or a primitive
	fields []field
	items  *schema // of array and map
}

type field struct {
	name string
	*schema
}

// maxSchemaDepth bounds the nesting of records, arrays and maps.
const maxSchemaDepth = 16

// parseSchema reads the JSON of a schema. Named types may be repeated by name.
func parseSchema(text []byte) (*schema, error) {
	p := schemaParser{named: map[string]*schema{}}
	return p.parse(text, 0)
}

type schemaParser struct{ named map[string]*schema }

func (p schemaParser) parse(text json.RawMessage, depth int) (*schema, error) {
	if depth > maxSchemaDepth {
		return nil, fault.Limit(op, "the schema is nested deeper than %d", maxSchemaDepth)
	}
	var name string
	if json.Unmarshal(text, &name) == nil {
		return p.byName(name)
	}
	var s struct {
		Type   json.RawMessage
		Name   string
		Fields []struct {
			Name string
			Type json.RawMessage
		}
		Items, Values json.RawMessage
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fault.Unsupported(op, "the schema has a part that is neither a name nor an object")
	}
	var kind string
	if json.Unmarshal(s.Type, &kind) != nil {
		return p.parse(s.Type, depth+1) // {"type": {"type": ...}}
	}
	out := &schema{kind: kind}
	var err error
	switch kind {
	case "record":
		name := s.Name[strings.LastIndexByte(s.Name, '.')+1:] // with or without namespace
		p.named[name] = &schema{kind: "recursive"}            // a record that holds itself is refused
		for _, f := range s.Fields {
			t, err := p.parse(f.Type, depth+1)
			if err != nil {
				return nil, err
			}
			out.fields = append(out.fields, field{f.Name, t})
		}
		p.named[name] = out
	case "array":
		out.items, err = p.parse(s.Items, depth+1)
	case "map":
		out.items, err = p.parse(s.Values, depth+1)
	default:
		return p.byName(kind)
	}
	return out, err
}

func (p schemaParser) byName(name string) (*schema, error) {
	switch name {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string":
		return &schema{kind: name}, nil
	}
	if s, ok := p.named[name[strings.LastIndexByte(name, '.')+1:]]; ok && s.kind != "recursive" {
		return s, nil
	}
	return nil, fault.Unsupported(op, "the schema has type %q", name)
}

// decoder reads Avro binary into values: string (also bytes), int64, bool, []any, map[string]any (records and maps).
type decoder struct {
	buf   []byte
	off   int
	nodes int // values made so far
}

// maxNodes bounds the values of one manifest, as empty ones take memory but no bytes.
const maxNodes = 4 << 20

func (d *decoder) corrupt(format string, args ...any) error {
	return fault.Corrupt(op, format, args...).At(int64(d.off))
}

func (d *decoder) left() int { return len(d.buf) - d.off }

func (d *decoder) value(s *schema) (any, error) {
	if d.nodes++; d.nodes > maxNodes {
		return nil, fault.Limit(op, "more than %d values", maxNodes)
	}
	switch s.kind {
	case "null":
		return nil, nil
	case "boolean":
		b, err := d.take(1)
		return err == nil && b[0] == 1, err
	case "int", "long":
		return d.long()
	case "float":
		b, err := d.take(4)
		return string(b), err
	case "double":
		b, err := d.take(8)
		return string(b), err
	case "bytes", "string":
		return d.text(s.kind == "string")
	case "record":
		out := make(map[string]any, len(s.fields))
		for _, f := range s.fields {
			v, err := d.value(f.schema)
			if err != nil {
				return nil, err
			}
			out[f.name] = v
		}
		return out, nil
	case "array":
		var out []any
		err := d.blocks(func() error {
			v, err := d.value(s.items)
			out = append(out, v)
			return err
		})
		return out, err
	}
	out := map[string]any{}
	err := d.blocks(func() error {
		k, err := d.text(true)
		if err != nil {
			return err
		}
		out[k], err = d.value(s.items)
		return err
	})
	return out, err
}

// blocks calls item for each item of an array or map.
func (d *decoder) blocks(item func() error) error {
	for {
		n, err := d.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 {
			if n == math.MinInt64 {
				return d.corrupt("a block of %d items", n)
			}
			if _, err := d.long(); err != nil { // its size in bytes
				return err
			}
			n = -n
		}
		if n > int64(d.left()) {
			return d.corrupt("a block of %d items where %d bytes are left", n, d.left())
		}
		for range n {
			if err := item(); err != nil {
				return err
			}
		}
	}
}

func (d *decoder) long() (int64, error) {
	v, n := binary.Varint(d.buf[d.off:])
	if n <= 0 {
		return 0, d.corrupt("a number is cut or too long")
	}
	d.off += n
	return v, nil
}

func (d *decoder) text(utf bool) (string, error) {
	n, err := d.long()
	if err != nil {
		return "", err
	}
	if n < 0 || n > int64(d.left()) {
		return "", d.corrupt("a string of %d bytes where %d are left", n, d.left())
	}
	b, err := d.take(int(n))
	if err == nil && utf && !utf8.Valid(b) {
		return "", d.corrupt("a string is not UTF-8")
	}
	return string(b), err
}

func (d *decoder) take(n int) ([]byte, error) {
	if n > d.left() {
		return nil, d.corrupt("%d bytes are wanted where %d are left", n, d.left())
	}
	b := d.buf[d.off : d.off+n]
	d.off += n
	return b, nil
}
