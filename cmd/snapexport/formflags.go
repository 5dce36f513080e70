package main

import (
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/reader"
)

// formFlags are the flags that choose the form of columns.
type formFlags struct{ vectors, sparse, json string }

func (f *formFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.vectors, "vector-as", string(form.VectorsList), "`FORM` of dense vectors: list, binary (the bytes as Milvus stores them) or fixed-list (of Arrow; only with --format parquet)")
	cmd.Flags().StringVar(&f.sparse, "sparse-as", string(form.SparseMap), "`FORM` of sparse vectors: map or struct (of indices and values)")
	complete(cmd, "vector-as", string(form.VectorsList), string(form.VectorsBinary), string(form.VectorsFixedList))
	complete(cmd, "sparse-as", string(form.SparseMap), string(form.SparseStruct))
	f.registerJSON(cmd)
}

// registerJSON adds the flag that verify has, too: it decides which JSON fits its field.
func (f *formFlags) registerJSON(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.json, "json-as", string(form.JSONString), "`FORM` of JSON fields and $meta: string or variant (of Iceberg format 3)")
	complete(cmd, "json-as", string(form.JSONString), string(form.JSONVariant))
}

// options checks the flags, and makes the reader check that JSON fits.
func (f *formFlags) options(rows *reader.Options) (form.Options, error) {
	o, err := form.Options{Vectors: form.Vectors(f.vectors), Sparse: form.Sparse(f.sparse), JSON: form.JSON(f.json)}.Normal()
	if err != nil {
		return o, usageError{err}
	}
	rows.CheckVariant = o.JSON == form.JSONVariant
	return o, nil
}
