package server

import (
	"slices"

	"github.com/snapexport/snapexport/core/fielddata"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// output is what a query returns of its rows.
type output struct {
	fields []milvus.FieldID
	names  []string // as clients read the reply: a name without a column is a key of $meta
}

// outputOf resolves the names that a client asks for: fields, struct arrays, members of them, keys of the dynamic field, and
// "*" for all fields that were not computed. The key field is always among them if key is set.
func outputOf(c *metastore.Collection, asked []string, key bool) (output, error) {
	var o output
	for _, name := range asked {
		if name == "*" {
			o.all(&c.Schema)
		} else if err := o.named(&c.Schema, name); err != nil {
			return o, err
		}
	}
	if pk, has := c.Schema.PrimaryKey(); has && key && !slices.Contains(o.fields, pk.ID) {
		o.add(pk.Name, pk.ID)
	}
	return o, nil
}

func (o *output) add(name string, fields ...milvus.FieldID) {
	for _, id := range fields {
		if !slices.Contains(o.fields, id) {
			o.fields = append(o.fields, id)
		}
	}
	if !slices.Contains(o.names, name) {
		o.names = append(o.names, name)
	}
}

func (o *output) all(s *milvus.Schema) {
	for _, f := range s.UserFields() {
		if !f.FunctionOutput {
			o.add(f.Name, f.ID)
		}
	}
	for i := range s.StructArrays {
		o.add(s.StructArrays[i].Name, members(&s.StructArrays[i])...)
	}
}

func members(a *milvus.StructArray) []milvus.FieldID {
	var out []milvus.FieldID
	for _, f := range a.Members {
		out = append(out, f.ID)
	}
	return out
}

func (o *output) named(s *milvus.Schema, name string) error {
	dynamic := milvus.FieldID(-1)
	for _, f := range s.UserFields() {
		if f.Name == name {
			o.add(name, f.ID)
			return nil
		}
		if f.Dynamic {
			dynamic = f.ID
		}
	}
	for i := range s.StructArrays {
		a := &s.StructArrays[i]
		if a.Name == name {
			o.add(name, members(a)...)
			return nil
		}
		for j := range a.Members {
			if a.Name+"["+fielddata.MemberName(a, &a.Members[j])+"]" == name {
				o.add(a.Name, a.Members[j].ID)
				return nil
			}
		}
	}
	if dynamic < 0 {
		return status.Invalid("field %s not exist", name)
	}
	o.add(name, dynamic)
	return nil
}
