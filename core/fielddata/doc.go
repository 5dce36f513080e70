// Package fielddata turns the columns of Milvus's wire (schemapb.FieldData) into canonical Arrow arrays, and back.
//
// Canonical is what cell.Type says. Requests come in every form that clients send:
//
//   - NULLs: valid_data has one bit a row; the values either are those of valid rows only (compact) or of all rows (full).
//     A row that valid_data leaves out of a field with a default has the default.
//   - Geometry as WKT or as WKB, Timestamptz as ISO 8601 text (in the collection's time zone where it names none) or as
//     microseconds, halves as their bytes or as float32.
//   - Arrays as one ScalarField a row, lists of vectors as one flat VectorField a row, struct arrays as their members' columns.
//
// Answers are in the form that clients read: scalars and lists full, vectors compact, Geometry as WKT, Timestamptz as ISO 8601
// text in the time zone that was asked for.
//
// What does not fit the schema is a *status.Error with Milvus's code for invalid parameters, naming the field and the row.
package fielddata
