package reader

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// Metadata keys of the schema's fields.
const (
	MetaFieldID = "milvus.field_id" // decimal; absent on system columns
	MetaDoc     = "milvus.doc"
)

// column is one column of the output.
type column struct {
	arrow.Field
	system System              // "" for fields
	field  milvus.Field        // of a plain column
	array  *milvus.StructArray // of a struct array: its members are read and zipped

	partial bool // of a struct array: a row is NULL if one member is, else if all are
}

// reads returns the fields whose files the column needs.
func (c *column) reads() []milvus.Field {
	switch {
	case c.array != nil:
		return c.array.Members
	case c.system == SystemRowID:
		return []milvus.Field{rowIDField}
	case c.system != "":
		return nil
	}
	return []milvus.Field{c.field}
}

var (
	rowIDField     = milvus.Field{ID: milvus.RowIDField, Name: "RowID", Type: milvus.TypeInt64}
	timestampField = milvus.Field{ID: milvus.TimestampField, Name: "Timestamp", Type: milvus.TypeInt64}
)

var systemColumns = []struct {
	system System
	field  arrow.Field
	doc    string
}{
	{SystemPartition, arrow.Field{Name: "_milvus_partition", Type: arrow.BinaryTypes.String}, "milvus: name of the partition"},
	{SystemSegment, arrow.Field{Name: "_milvus_segment", Type: arrow.PrimitiveTypes.Int64}, "milvus: id of the segment"},
	{SystemTS, arrow.Field{Name: "_milvus_ts", Type: arrow.PrimitiveTypes.Int64}, "milvus: effective timestamp (TSO) of the row"},
	{SystemTime, arrow.Field{Name: "_milvus_time", Type: timeType}, "milvus: physical part of the effective timestamp"},
	{SystemRowID, arrow.Field{Name: "_milvus_row_id", Type: arrow.PrimitiveTypes.Int64}, "milvus: RowID"},
}

var timeType = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

// columns returns the output columns: selected fields in order of Milvus field id, then system columns.
func columns(schema *milvus.Schema, opts Options) ([]column, error) {
	want := map[string]bool{}
	for _, name := range opts.Columns {
		want[name] = true
	}
	selected := func(name string) bool {
		_, ok := want[name]
		want[name] = false
		return opts.Columns == nil || ok
	}
	var out []column
	for _, f := range schema.UserFields() {
		name := f.Name
		if f.Dynamic && name == "$meta" {
			name = opts.MetaName
		}
		picked := selected(name)
		if name != f.Name && selected(f.Name) {
			picked = true
		}
		if !picked || f.FunctionOutput && opts.SkipFunctionOutputs && opts.Columns == nil {
			continue
		}
		c, err := plainColumn(f, name, opts)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	for i := range schema.StructArrays {
		if a := &schema.StructArrays[i]; selected(a.Name) {
			c, err := structColumn(*a, opts)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	if err := unknownColumns(want, schema); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b column) int { return int(a.id() - b.id()) })
	for _, s := range systemColumns {
		if slices.Contains(opts.With, s.system) {
			f := s.field
			f.Metadata = arrow.NewMetadata([]string{MetaDoc}, []string{s.doc})
			out = append(out, column{Field: f, system: s.system})
		}
	}
	return out, uniqueNames(out)
}

func (c *column) id() milvus.FieldID {
	if c.array != nil {
		return c.array.ID
	}
	return c.field.ID
}

func plainColumn(f milvus.Field, name string, opts Options) (column, error) {
	t, err := cell.Type(f)
	if err != nil {
		return column{}, fmt.Errorf("field %s (%d): %w", f.Name, f.ID, err)
	}
	nullable := f.Nullable || opts.OnBad == BadNull && !f.PrimaryKey || opts.UnreadableText == TextNull && f.Type == milvus.TypeText
	return column{Field: arrow.Field{Name: name, Type: t, Nullable: nullable, Metadata: fieldMetadata(f.ID, doc(f))}, field: f}, nil
}

// structColumn takes a struct array for nullable if it or a member is: in the files there are only members.
func structColumn(a milvus.StructArray, opts Options) (column, error) {
	for _, m := range a.Members {
		a.Nullable = a.Nullable || m.Nullable
	}
	a.Members = slices.Clone(a.Members)
	members := make([]arrow.Field, len(a.Members))
	for i := range a.Members {
		m := &a.Members[i]
		m.Nullable = a.Nullable
		t, err := cell.Type(*m)
		if err != nil {
			return column{}, fmt.Errorf("field %s of %s (%d): %w", m.Name, a.Name, m.ID, err)
		}
		list, ok := t.(*arrow.ListType)
		if !ok {
			return column{}, fault.Unsupported("read schema", "member %s of struct array %s is %s, not Array or ArrayOfVector", m.Name, a.Name, m.Type)
		}
		elem := list.ElemField()
		members[i] = arrow.Field{Name: memberName(a.Name, m.Name), Type: elem.Type, Nullable: elem.Nullable, Metadata: fieldMetadata(m.ID, doc(*m))}
	}
	t := arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.StructOf(members...)})
	text := fmt.Sprintf("milvus: ArrayOfStruct id=%d", a.ID)
	f := arrow.Field{Name: a.Name, Type: t, Nullable: a.Nullable || opts.OnBad == BadNull, Metadata: fieldMetadata(a.ID, text)}
	return column{Field: f, array: &a, partial: opts.OnBad == BadNull}, nil
}

// memberName strips the parent that recent versions put around a member's name: parent[member].
func memberName(parent, name string) string {
	if inner, ok := strings.CutPrefix(name, parent+"["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]")
	}
	return name
}

func fieldMetadata(id milvus.FieldID, doc string) arrow.Metadata {
	return arrow.NewMetadata([]string{MetaFieldID, MetaDoc}, []string{strconv.FormatInt(int64(id), 10), doc})
}

// doc says where a column comes from: "milvus: FloatVector dim=768 id=103. <the field's description>".
func doc(f milvus.Field) string {
	var b strings.Builder
	fmt.Fprintf(&b, "milvus: %s", f.Type)
	if f.Type == milvus.TypeArray || f.Type == milvus.TypeArrayOfVector {
		fmt.Fprintf(&b, "<%s>", f.ElementType)
	}
	for _, p := range []struct {
		name string
		n    int
	}{{"dim", f.Dim}, {"max_length", f.MaxLength}, {"max_capacity", f.MaxCapacity}} {
		if p.n > 0 {
			fmt.Fprintf(&b, " %s=%d", p.name, p.n)
		}
	}
	fmt.Fprintf(&b, " id=%d", f.ID)
	if f.PrimaryKey {
		b.WriteString(" primary key")
	}
	if f.Description != "" {
		b.WriteString(". " + f.Description)
	}
	return b.String()
}

func unknownColumns(want map[string]bool, schema *milvus.Schema) error {
	for name, unused := range want {
		if !unused {
			continue
		}
		var have []string
		for _, f := range schema.UserFields() {
			have = append(have, f.Name)
		}
		for _, a := range schema.StructArrays {
			have = append(have, a.Name)
		}
		return fault.New(ErrSelect, "select columns", "the collection %s has no field %q", schema.Name, name).WithHint("its fields are %s", strings.Join(have, ", "))
	}
	return nil
}

// uniqueNames refuses names that engines which ignore case could not tell apart.
func uniqueNames(cols []column) error {
	seen := map[string]string{}
	for _, c := range cols {
		key := strings.ToLower(c.Name)
		if other, ok := seen[key]; ok {
			return fault.Conflict("select columns", "columns %q and %q can't be told apart by engines that ignore case", other, c.Name).
				WithHint("leave one out with --columns, or rename the dynamic field's column with --meta-name")
		}
		seen[key] = c.Name
	}
	return nil
}
