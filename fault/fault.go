// Package fault is the project's one error type.
//
// An [Error] says what was being done (Op), to which object (a URI or key), at which byte offset, why, and what the reader
// can do about it (Hint). Its class is one of the sentinels below; test for it with errors.Is. cmd/snapexport turns classes
// into exit codes and JSON, nothing else does.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// The classes.
var (
	ErrCorrupt     = errors.New("corrupt data")   // bytes that contradict themselves or their metadata
	ErrMissing     = errors.New("missing")        // something that metadata names is not there
	ErrLimit       = errors.New("limit exceeded") // larger than a declared or configured bound
	ErrUnsafePath  = errors.New("unsafe path")    // a path that leaves what the operator allowed
	ErrUnsupported = errors.New("unsupported")    // a version, codec, type or feature that is not read
	ErrConflict    = errors.New("conflict")       // someone else's object or commit is in the way
	ErrAuth        = errors.New("not authorised") // credentials are absent or refused
)

// classNames are the names of the classes as --json and the documents spell them.
var classNames = []struct {
	class error
	name  string
}{
	{ErrCorrupt, "ErrCorrupt"}, {ErrMissing, "ErrMissing"}, {ErrLimit, "ErrLimit"}, {ErrUnsafePath, "ErrUnsafePath"},
	{ErrUnsupported, "ErrUnsupported"}, {ErrConflict, "ErrConflict"}, {ErrAuth, "ErrAuth"},
}

// ClassName returns the name of err's class ("ErrCorrupt", ...), or "" if it has none.
func ClassName(err error) string {
	for _, c := range classNames {
		if errors.Is(err, c.class) {
			return c.name
		}
	}
	return ""
}

// NoOffset is the Offset of an error that has no position.
const NoOffset = -1

// Error is an error with a class and a place. Build it with one of the constructors and refine it with the With methods.
type Error struct {
	Class  error  // one of the sentinels
	Op     string // what was being done: "decode binlog"
	Object string // URI, key or name of what it was done to
	Offset int64  // byte offset in Object, or NoOffset
	Detail string // what is wrong
	Hint   string // what the reader can do; may be empty
	Err    error  // cause; may be nil
}

// New returns an error of the class with a formatted detail; a %w in the format becomes its cause.
func New(class error, op, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Class: class, Op: op, Offset: NoOffset, Detail: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// Corrupt, Missing, Limit, UnsafePath, Unsupported, Conflict and Auth are [New] with the class of that name.
func Corrupt(op, format string, args ...any) *Error { return New(ErrCorrupt, op, format, args...) }
func Missing(op, format string, args ...any) *Error { return New(ErrMissing, op, format, args...) }
func Limit(op, format string, args ...any) *Error   { return New(ErrLimit, op, format, args...) }
func UnsafePath(op, format string, args ...any) *Error {
	return New(ErrUnsafePath, op, format, args...)
}
func Unsupported(op, format string, args ...any) *Error {
	return New(ErrUnsupported, op, format, args...)
}
func Conflict(op, format string, args ...any) *Error { return New(ErrConflict, op, format, args...) }
func Auth(op, format string, args ...any) *Error     { return New(ErrAuth, op, format, args...) }

// On names the object.
func (e *Error) On(object string) *Error { e.Object = object; return e }

// At gives the byte offset.
func (e *Error) At(offset int64) *Error { e.Offset = offset; return e }

// WithHint says what to do about it.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	if e.Object != "" {
		b.WriteString(e.Object)
		if e.Offset != NoOffset {
			fmt.Fprintf(&b, " at byte %d", e.Offset)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%v: %s", e.Class, e.Detail)
	return b.String()
}

// Unwrap gives errors.Is both the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

// Place fills in the object of the nearest *Error in err's chain that has none yet, and returns err. Codecs do not know
// the name of what they decode; their callers do.
func Place(err error, object string) error {
	var e *Error
	if errors.As(err, &e) && e.Object == "" {
		e.Object = object
	}
	return err
}
