package fielddata

import (
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Options say how values are read and written.
type Options struct {
	Zone *time.Location // of Timestamptz text without an offset, and of answers; nil is UTC
}

func (o Options) zone() *time.Location {
	if o.Zone == nil {
		return time.UTC
	}
	return o.Zone
}

// Columns turns the columns of a request into canonical arrays of n rows, by field. Fields that may be left out (nullable,
// with a default, generated) are absent where the request has no column for them.
func Columns(s *milvus.Schema, data []*schemapb.FieldData, n int, o Options) (map[milvus.FieldID]arrow.Array, error) {
	c := &columns{schema: s, n: n, opts: o, out: map[milvus.FieldID]arrow.Array{}}
	if err := c.checkSize(len(data)); err != nil {
		return nil, err
	}
	for _, d := range data {
		if err := c.add(d); err != nil {
			return nil, err
		}
	}
	return c.out, c.complete()
}

type columns struct {
	schema *milvus.Schema
	n      int
	opts   Options
	out    map[milvus.FieldID]arrow.Array
}

// maxColumn bounds the bytes of one column: a NULL takes a byte of a request, and here as much as a vector.
const maxColumn = 1 << 29

// checkSize refuses counts of rows that the request's own size does not bear out.
func (c *columns) checkSize(columns int) error {
	if columns == 0 {
		return status.Invalid("the request has no columns")
	}
	for i := range c.schema.Fields {
		f := &c.schema.Fields[i]
		if f.Type.IsDenseVector() && int64(c.n) > maxColumn/int64(4*max(f.Dim, 1)) {
			return status.Invalid("%d rows of field %s, of %d dimensions, are more than one request may have", c.n, f.Name, f.Dim)
		}
	}
	return nil
}

func (c *columns) add(d *schemapb.FieldData) error {
	if members := d.GetStructArrays(); members != nil || d.GetType() == schemapb.DataType_ArrayOfStruct {
		return c.addStruct(d.GetFieldName(), members.GetFields())
	}
	for i := range c.schema.Fields {
		if f := &c.schema.Fields[i]; f.ID >= milvus.FirstUserField && (f.Name == d.GetFieldName() || f.Dynamic && d.GetIsDynamic()) {
			return c.set(f, d)
		}
	}
	return status.Invalid("field %s does not exist in the collection's schema", d.GetFieldName())
}

func (c *columns) set(f *milvus.Field, d *schemapb.FieldData) error {
	if _, twice := c.out[f.ID]; twice {
		return status.Invalid("field %s comes twice", f.Name)
	}
	a, err := Decode(*f, d, c.n, c.opts)
	if err == nil {
		c.out[f.ID] = a
	}
	return err
}

func (c *columns) addStruct(name string, members []*schemapb.FieldData) error {
	for i := range c.schema.StructArrays {
		sa := &c.schema.StructArrays[i]
		if sa.Name != name {
			continue
		}
		for _, d := range members {
			f := member(sa, d.GetFieldName())
			if f == nil {
				return status.Invalid("field %s does not exist in struct %s", d.GetFieldName(), name)
			}
			if err := c.set(f, d); err != nil {
				return err
			}
		}
		return c.sameLengths(sa)
	}
	return status.Invalid("struct field %s does not exist in the collection's schema", name)
}

// member finds a member of a struct array; Milvus stores its name as "struct[member]" and clients say "member".
func member(sa *milvus.StructArray, name string) *milvus.Field {
	for i := range sa.Members {
		if f := &sa.Members[i]; f.Name == name || MemberName(sa, f) == name {
			f := *f
			f.Nullable = f.Nullable || sa.Nullable
			return &f
		}
	}
	return nil
}

// MemberName is the name of a struct array's member as clients know it.
func MemberName(sa *milvus.StructArray, f *milvus.Field) string {
	if inner, ok := strings.CutPrefix(f.Name, sa.Name+"["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return f.Name
}

// sameLengths checks that all members have the same elements in each row.
func (c *columns) sameLengths(sa *milvus.StructArray) error {
	var first lists
	for i := range sa.Members {
		a, ok := c.out[sa.Members[i].ID].(lists)
		if !ok {
			return status.Invalid("member %s of struct %s is missing", MemberName(sa, &sa.Members[i]), sa.Name)
		}
		if i == 0 {
			first = a
			continue
		}
		for row := range c.n {
			from, to := a.ValueOffsets(row)
			from1, to1 := first.ValueOffsets(row)
			if to-from != to1-from1 || a.IsNull(row) != first.IsNull(row) {
				return status.Invalid("the members of struct %s differ in length, row number: %d", sa.Name, row)
			}
		}
	}
	return nil
}

// lists is what arrays of a list type offer.
type lists interface {
	IsNull(row int) bool
	ValueOffsets(row int) (from, to int64)
}

// complete checks that no field is absent that must be there.
func (c *columns) complete() error {
	for i := range c.schema.Fields {
		f := &c.schema.Fields[i]
		if f.ID < milvus.FirstUserField || f.Nullable || f.Default != nil || f.Dynamic || f.FunctionOutput || f.PrimaryKey && f.AutoID {
			continue
		}
		if c.out[f.ID] == nil {
			return status.Invalid("fieldSchema(%s) has no corresponding fieldData pass in", f.Name)
		}
	}
	for i := range c.schema.StructArrays {
		sa := &c.schema.StructArrays[i]
		if !sa.Nullable && len(sa.Members) > 0 && c.out[sa.Members[0].ID] == nil {
			return status.Invalid("fieldSchema(%s) has no corresponding fieldData pass in", sa.Name)
		}
	}
	return nil
}
