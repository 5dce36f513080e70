package filter

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Filter is a parsed expression, bound to a schema. It does not change and may be used by many goroutines.
type Filter struct {
	root   condition
	fields []milvus.FieldID
}

// Options extend what Parse does.
type Options struct {
	// Values are those of template variables: age > {age}. They may be bool, any integer, float32, float64, string, or a slice
	// of these or of any.
	Values map[string]any
	// MaxLength is the greatest number of bytes of an expression; 0 means the constant MaxLength.
	MaxLength int
}

// Parse parses and binds an expression. An empty one selects every row. Errors carry the byte offset in the expression and
// where possible a hint; their class is ErrInvalid, fault.ErrUnsupported or fault.ErrLimit.
func Parse(expr string, schema *milvus.Schema) (*Filter, error) {
	return ParseWith(expr, schema, Options{})
}

// ParseWith is Parse with options.
func ParseWith(expr string, schema *milvus.Schema, opts Options) (*Filter, error) {
	src := source{expr}
	limit := opts.MaxLength
	if limit <= 0 {
		limit = MaxLength
	}
	if len(expr) > limit {
		return nil, src.fail(fault.ErrLimit, limit, "%d bytes, at most %d are read", len(expr), limit)
	}
	if strings.TrimSpace(expr) == "" {
		return &Filter{root: &always{true}}, nil
	}
	tree, err := parseSyntax(src)
	if err != nil {
		return nil, err
	}
	b := &binder{source: src, schema: schema, values: opts.Values}
	root, err := b.condition(tree)
	if err != nil {
		return nil, err
	}
	f := &Filter{root: root}
	root.visit(func(id milvus.FieldID) { f.fields = append(f.fields, id) })
	slices.Sort(f.fields)
	f.fields = slices.Compact(f.fields)
	return f, nil
}

// String returns the canonical form: two expressions that differ only in spelling (spaces, aliases of operators, quotes,
// superfluous parentheses, constants that could be computed, dynamic keys with or without $meta) have the same. It parses to
// the same filter over the same schema.
func (f *Filter) String() string { return f.root.text() }

// Fields returns the ids of the fields that Eval reads, ascending.
func (f *Filter) Fields() []milvus.FieldID { return slices.Clone(f.fields) }

// All reports whether every row matches, whatever is in it.
func (f *Filter) All() bool {
	c, ok := f.root.(*always)
	return ok && c.value
}

// Columns gives the canonical Arrow array (see cell.Type) of a field: as many rows as Eval is told. It is asked at most once per
// field and Eval, and not at all for fields that turn out not to matter, so it may read lazily. The array stays its owner's.
type Columns func(milvus.FieldID) (arrow.Array, error)

// Eval returns the mask of the n rows for which the filter is TRUE. It fails if cols does, with fault.ErrCorrupt if an array
// does not have the field's type or n rows, and if JSON text that it reads is malformed.
func (f *Filter) Eval(cols Columns, n int) (*Mask, error) {
	b := &batch{columns: cols, rows: n}
	t, err := f.root.eval(b, ones(n))
	if err != nil {
		return nil, err
	}
	return newMask(t.yes, n), nil
}

// CanMatch reports whether any row of a set (a file, a row group) can match, given what is known of its values; false only if
// none can. stats returns false for fields of which nothing is known.
func (f *Filter) CanMatch(stats Stats) bool { return f.root.outcomes(stats)&canTrue != 0 }
