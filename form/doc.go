// Package form gives vectors, sparse vectors and JSON the forms that a table can have them in, and takes them back.
//
// Readers hand out one form, the canonical one (format/cell.Type), and the content hash is taken of it. A [Form] is the last step
// before a data file:
//
//	vectors   list        fixed_size_list of numbers, which a file has as LIST (binary vectors are bytes in every form)
//	          binary      fixed_size_binary: the bytes that Milvus stores, little-endian
//	          fixed-list  as list; the data file's ARROW:schema says that lists have a fixed size
//	sparse    map         map<int64, float32>
//	          struct      struct<indices: list<int64>, values: list<float32>>, by ascending index
//	JSON      string      utf8, the text that Milvus stores
//	          variant     Parquet's variant (format/variant)
//
// They hold for members of struct arrays and for elements of ArrayOfVector, too. [Canonical] is the way back, but for variants,
// whose text is gone.
package form
