// Package verify tells whether a table holds exactly the live rows of a snapshot.
//
// Its measure is the content hash (docs/format/content-hash.md): the sum, modulo 2^128, of a hash of every row. It does
// not depend on the order of rows, on workers, batches, files or codecs, nor on the form that vectors take in a table, so
// that the snapshot's side and the table's side can be computed independently and compared. Where JSON is stored as variants, whose
// text is gone, both sides are hashed with the values of these columns, and the report says so.
package verify
