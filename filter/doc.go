// Package filter is Milvus's filter language (its "boolean expressions") over Arrow columns.
//
// [Parse] turns text into a typed tree that is bound to a schema; [Filter.Eval] says which rows of a batch match, column by
// column; [Filter.CanMatch] says from minima and maxima whether any row of a file can. docs/guide/filter.md describes the
// language for users, this comment what the code promises.
//
// # Truth
//
// A condition is TRUE, FALSE or UNKNOWN for a row, and a row is selected if it is TRUE. AND, OR and NOT follow Kleene's
// strong logic: NOT UNKNOWN is UNKNOWN, FALSE AND UNKNOWN is FALSE, TRUE OR UNKNOWN is TRUE. UNKNOWN comes from
//   - a NULL, whatever it is compared with,
//   - a JSON path that leads nowhere, to JSON null, or to a value of another type than it is compared with,
//   - an array index past the end, a NULL element,
//   - a division by zero.
//
// "is null", "is not null" and "exists" are never UNKNOWN. This is the rule of Milvus 3.0 and late 2.6 releases; earlier ones
// took != on a missing JSON path for TRUE.
//
// # Numbers
//
// Integers and floating-point numbers compare by their exact values, also beyond 2^53. Literals with a fraction or an exponent
// are rounded to float32 first where the other side is a Float field, so that f == 3.14 finds what was stored as 3.14.
// Integer arithmetic wraps around, as in Milvus; division truncates, and the remainder has the sign of the dividend.
// NaN is a value: it equals nothing, not even itself.
//
// # Glossary
//
//	condition  something that is TRUE, FALSE or UNKNOWN
//	operand    something that has a value: a column, an array element, a JSON path, a length, an arithmetic expression
//	constant   a literal, or an operand without fields, computed while parsing
//	mask       one bit per row
//
// Everything here is safe for concurrent use: a Filter does not change after Parse.
package filter

import "errors"

// ErrInvalid is the class of errors in an expression that its writer can correct: syntax, names, types. The other classes are
// fault.ErrUnsupported (something that Milvus can do and this package does not) and fault.ErrLimit.
var ErrInvalid = errors.New("invalid filter")

// Bounds on what is parsed, against hostile input.
const (
	MaxLength = 64 << 10 // bytes of an expression, unless Options say otherwise
	MaxDepth  = 200      // nested parentheses and brackets
)
