// Package verify tells whether a table holds exactly the live rows of a snapshot.
//
// Its measure is the content hash (docs/format/content-hash.md): the sum, modulo 2^128, of a hash of every row. It does
// not depend on the order of rows, on workers, batches, files or codecs, nor on the form that vectors take in a table, so
// that the snapshot's side and the table's side can be computed independently and compared. Where JSON is stored as variants, whose
// text is gone, both sides are hashed with the values of these columns, and the report says so.
//
// Beside it stand the schema, the tag, and of each column NULLs and extremes. Both sides are streamed; what is kept is of constant size: hashes of
// parts of the rows, by primary key. If these differ a second pass keeps hashes of the rows of such parts, a bounded number, and names columns and keys.
// A share of the data can be compared where an export left its mapping: the segments and the data files of some of its units.
package verify
