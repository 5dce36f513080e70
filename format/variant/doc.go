// Package variant turns JSON text into Parquet's variant, and compares values of both.
//
// [Parse] takes text in the grammar of RFC 8259 and refuses what a variant can't hold: numbers beyond a double, halves of
// surrogate pairs, nesting beyond [MaxDepth], and more than [MaxText] or [MaxValues]. Of several members of one name the last one counts. Numbers are kept exactly where
// a variant can: integers of 64 bits as such, what a double reads and writes with the same digits as a double, up to 38
// digits as a decimal; any other number is the nearest double.
//
// [Value.AppendCanonical] writes a value in bytes of its own, the same for the text and for the variant made of it, however
// that is encoded: 1, 1.0 and 10e-1 are one number, the order of members and white space do not count.
//
// The binary form of variants is that of package parquet/variant of arrow-go, which validates what it reads.
package variant
