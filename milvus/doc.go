// Package milvus is the domain in Milvus's words: data types, schemas, ids, timestamps, segments and their files.
// It does no I/O and imports nothing outside the standard library.
//
// Glossary:
//
//	collection  a table: a schema, partitions, and shards (virtual channels)
//	segment     an immutable set of rows of one partition and one channel, with its files
//	binlog      a file of one field (V1) or one column group (V2) of one segment
//	chunk       the i-th flush of a segment: one binlog of every field, with equal row counts
//	deltalog    a file of deletes: primary key and timestamp
//	L0 segment  a segment that holds nothing but deltalogs, which apply to other segments
//	TSO         the hybrid timestamp that orders rows and deletes, see [Timestamp]
package milvus
