// Package deltamerge decides which rows live. It is pure: arrays in, a mask and counts out.
//
// The rule (docs/format/binlog-v1.md 9), for a row r of key k with effective timestamp e(r) = max(its own timestamp, the
// segment's commit timestamp), at the time T of the cut:
//
//	r is visible  iff  e(r) <= T
//	r is deleted  iff  a delete d of k in scope has e(r) < d <= T     (strict on the row's side: an upsert keeps its new row)
//	r is expired  iff  the collection's TTL says so at a time given from outside
//
// Scope: a segment's own deltalogs, and those of every L0 segment of the same channel and partition (-1: all partitions),
// of which only deletes after the segment's delete_apply_start_after_timetick count.
//
// Collapsing the deletes of a key to the newest one is exact, but only after those newer than T are gone; a [Set] does both
// in that order.
package deltamerge
