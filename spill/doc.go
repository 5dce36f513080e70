// Package spill keeps records of keys apart by hash, in memory up to a limit and beyond it in one temporary file, so that what
// is joined by key needs no more memory than one partition at a time.
//
// A record is a key (Int64 or text), a timestamp, a tag that says where it comes from, and a row number. Records of equal keys
// are in the same partition; their order is not kept.
//
// The file is private (0600), and where the system allows it has no name from the moment it is made: it is gone when the process
// ends, however it ends. Elsewhere Close removes it.
package spill
