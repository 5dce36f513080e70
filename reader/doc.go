// Package reader turns the segments of a described snapshot into Arrow record batches of live rows.
//
// Contract:
//   - [Open] checks, from metadata alone, everything that can be: versions, types, files for every field, row counts.
//     What can't be read is an error there, before a byte of data was asked for.
//   - [Scan.Read] reads one segment and hands its live rows over, batch by batch, in file order. Segments can be read at
//     the same time from several goroutines. A batch is valid until the callback returns unless it is retained;
//     with Options.Reuse its memory is then used again, retained or not.
//   - Every file that a segment needs is read to its declared number of rows, or Read fails. Nothing is skipped silently;
//     what was left out by a rule is in [Counts].
//   - Memory: the files of the chunk being read (V1) or blocks of them (V2, V3), what is fetched ahead, one decoded page per column, and the
//     delete sets are taken from one [Budget].
//   - No byte is asked for twice but the end of a file, where its footer is; columns that nothing needs are not read, nor chunks and
//     row groups whose statistics the filter excludes.
//
// Glossary:
//
//	chunk   the files of one flush: file i of every field, paired from the right (docs/format/binlog-v1.md 3.4)
//	column  what comes out: a field, a struct array zipped from its members, or a system column
package reader
