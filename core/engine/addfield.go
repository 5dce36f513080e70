package engine

import (
	"context"
	"slices"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// AddField adds a field to the collection. It must be nullable: rows that are there have its default, or NULL. Their files stay as
// they are.
func (e *Engine) AddField(ctx context.Context, c *metastore.Collection, f milvus.Field) error {
	if err := checkAdded(&f); err != nil {
		return err
	}
	return e.store.AlterCollection(ctx, c.ID, func(c *metastore.Collection) error {
		f.ID = nextField(&c.Schema)
		c.Schema.Fields = append(c.Schema.Fields, f)
		user := c.Schema
		user.Fields = slices.DeleteFunc(slices.Clone(user.Fields), func(f milvus.Field) bool { return f.ID < milvus.FirstUserField })
		if err := checkSchema(&user); err != nil {
			return err
		}
		return e.checkWritable(&c.Schema)
	})
}

// checkAdded refuses what a field that comes later can't be.
func checkAdded(f *milvus.Field) error {
	switch {
	case f.PrimaryKey:
		return status.Invalid("not support to add pk field, field name = %s", f.Name)
	case f.AutoID:
		return status.Invalid("only primary field can speficy AutoID with true, field name = %s", f.Name)
	case f.PartitionKey:
		return status.Invalid("not support to add partition key field, field name  = %s", f.Name)
	case f.ClusteringKey:
		return status.Invalid("not support to add clustering key field, field name = %s", f.Name)
	case !f.Nullable:
		return status.Invalid("added field must be nullable, please check it, field name = %s", f.Name)
	}
	return settleField(f)
}

// nextField returns an id above those of all fields, members of struct arrays included.
func nextField(s *milvus.Schema) milvus.FieldID {
	last := milvus.FirstUserField - 1
	for _, f := range s.Fields {
		last = max(last, f.ID)
	}
	for _, a := range s.StructArrays {
		last = max(last, a.ID)
		for _, m := range a.Members {
			last = max(last, m.ID)
		}
	}
	return last + 1
}
