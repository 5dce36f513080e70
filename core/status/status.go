// Package status is the core's error: Milvus's code and the text that clients match on. The server sends both; nothing else
// in the core knows of the wire. Errors without a Status are the server's own fault and travel as [Unexpected].
//
// Source of codes and texts: Milvus's public behaviour; clients compare substrings of the reasons.
package status

import (
	"errors"
	"fmt"

	"github.com/snapexport/snapexport/milvus"
)

// Code is a number that Milvus clients know.
type Code int32

// Codes.
const (
	Success            Code = 0
	ServiceUnavailable Code = 2
	CollectionMissing  Code = 100
	SchemaMismatch     Code = 109
	PartitionMissing   Code = 200
	IndexMissing       Code = 700
	DatabaseMissing    Code = 800
	DatabaseNotEmpty   Code = 801
	InvalidParameter   Code = 1100
	AliasMissing       Code = 1600
	ImportFailed       Code = 2100
	SnapshotMissing    Code = 2600
	SnapshotPinned     Code = 2601
	Unexpected         Code = 65535
)

// Error is an answer that is not a success.
type Error struct {
	Code   Code
	Reason string
	Err    error // cause; may be nil
}

func (e *Error) Error() string { return e.Reason }

func (e *Error) Unwrap() error { return e.Err }

// New returns an error with a formatted reason; a %w in the format becomes its cause.
func New(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Reason: err.Error(), Err: errors.Unwrap(err)}
}

// Of returns the code and the reason of an error: those of the nearest *Error in its chain, else Unexpected and its text.
func Of(err error) (Code, string) {
	var e *Error
	switch {
	case err == nil:
		return Success, ""
	case errors.As(err, &e):
		return e.Code, e.Reason
	default:
		return Unexpected, err.Error()
	}
}

// Is reports whether the error has the code.
func Is(err error, code Code) bool {
	c, _ := Of(err)
	return err != nil && c == code
}

// Invalid is a parameter that breaks a rule.
func Invalid(format string, args ...any) *Error {
	e := New(InvalidParameter, format, args...)
	e.Reason += ": invalid parameter"
	return e
}

// CollectionNotFound is a name that no collection or alias has.
func CollectionNotFound(database, name string) *Error {
	if database == "" {
		database = "default"
	}
	return New(CollectionMissing, "collection not found[database=%s][collection=%s]", database, name)
}

// DatabaseNotFound is a name that no database has.
func DatabaseNotFound(name string) *Error {
	return New(DatabaseMissing, "database not found[database=%s]", name)
}

// PartitionNotFound is a name that no partition of the collection has.
func PartitionNotFound(name string) *Error {
	return New(PartitionMissing, "partition not found[partition=%s]", name)
}

// IndexNotFound is a name or field that no index of the collection has.
func IndexNotFound(name string) *Error {
	return New(IndexMissing, "index not found[indexName=%s]", name)
}

// AliasNotFound is an alias that is not there.
func AliasNotFound(database, name string) *Error {
	return New(AliasMissing, "alias not found[database=%s][alias=%s]", database, name)
}

// SnapshotNotFound is a name that no snapshot of the collection has.
func SnapshotNotFound(c milvus.CollectionID, name string) *Error {
	return New(SnapshotMissing, "collection %d: snapshot not found[snapshot=%s]", c, name)
}

// SnapshotExists is a name that a snapshot of the collection has already.
func SnapshotExists(c milvus.CollectionID, name string) *Error {
	return Invalid("snapshot name %s already exists in collection %d", name, c)
}

// Pinned is a snapshot that someone uses.
func Pinned(name string) *Error {
	return New(SnapshotPinned, "active pins exist, unpin before dropping: snapshot is pinned[snapshot=%s]", name)
}

// JobNotFound is the id of no restore job.
func JobNotFound(id int64) *Error {
	return New(ImportFailed, "restore job not found: jobID=%d: importing data failed", id)
}

// DuplicateCollection is a name that is taken.
func DuplicateCollection(name string) *Error {
	return New(Unexpected, "create duplicate collection with different parameters, collection: %s", name)
}

// AliasConflict is a collection's name that an alias has.
func AliasConflict(name string) *Error {
	return New(Unexpected, "collection name [%s] conflicts with an existing alias, please choose a unique name", name)
}
