package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"google.golang.org/grpc/codes"
	rpc "google.golang.org/grpc/status"

	"github.com/snapexport/snapexport/fault"
)

// Classes beside those of package fault.
var (
	ErrInvalid     = errors.New("invalid parameter") // the server, or the client before it, refuses an argument
	ErrUnavailable = errors.New("no answer")         // the server can't be reached, or is busy; the same call may succeed later
	ErrFailed      = errors.New("failed")            // the server failed for a reason that has no class
)

// Error is what the server answered.
type Error struct {
	Code   int32 // Milvus's; 0 if gRPC itself refused the call
	Reason string
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return e.Reason
	}
	return fmt.Sprintf("%s (code %d)", e.Reason, e.Code)
}

// Codes of Milvus that have a class.
const (
	codeCollection = 100
	codeDatabase   = 800
	codeInvalid    = 1100
	codeMissing    = 1101
	codeJob        = 2100
	codeSnapshot   = 2600
	codePinned     = 2601
)

func invalid(op, format string, args ...any) error { return fault.New(ErrInvalid, op, format, args...) }

func unimplemented(err error) bool { return rpc.Code(err) == codes.Unimplemented }

// reply is an answer that carries a status.
type reply interface{ GetStatus() *commonpb.Status }

// failed returns why a call failed, nil if it did not.
func failed(op string, r reply, err error) error {
	if err != nil {
		return refused(op, err)
	}
	return check(op, r.GetStatus())
}

// check returns the error that a status is.
func check(op string, s *commonpb.Status) error {
	//lint:ignore SA1019 servers of both protocols are read
	legacy := s.GetErrorCode()
	if s.GetCode() == 0 && legacy == commonpb.ErrorCode_Success {
		return nil
	}
	e := &Error{Code: s.GetCode(), Reason: s.GetReason()}
	if e.Code == 0 {
		e.Code = int32(legacy)
	}
	return fault.New(classOf(e), op, "%w", e)
}

func classOf(e *Error) error {
	switch e.Code {
	case codeCollection, codeDatabase, codeSnapshot, codeJob:
		return fault.ErrMissing
	case codePinned:
		return fault.ErrConflict
	}
	for _, taken := range []string{"already exists", "duplicate collection", "conflicts with an existing alias"} {
		if strings.Contains(e.Reason, taken) {
			return fault.ErrConflict
		}
	}
	if e.Code == codeInvalid || e.Code == codeMissing {
		return ErrInvalid
	}
	return ErrFailed
}

// refused turns an error of gRPC.
func refused(op string, err error) error {
	s, _ := rpc.FromError(err)
	e := &Error{Reason: s.Message()}
	switch s.Code() {
	case codes.Unauthenticated:
		return fault.Auth(op, "%w", e).WithHint("give a token, or a user and a password")
	case codes.PermissionDenied:
		return fault.Auth(op, "%w", e)
	case codes.Unimplemented:
		return fault.Unsupported(op, "%w", e).WithHint("snapshots need Milvus 3.0 or 'snapexport serve'")
	case codes.Unavailable:
		return fault.New(ErrUnavailable, op, "%w", e).WithHint("is a Milvus listening at this address?")
	case codes.Canceled:
		return fault.New(ErrUnavailable, op, "%w", context.Canceled)
	case codes.DeadlineExceeded:
		return fault.New(ErrUnavailable, op, "%w", context.DeadlineExceeded)
	case codes.InvalidArgument:
		return fault.New(ErrInvalid, op, "%w", e)
	}
	return fault.New(ErrFailed, op, "%w", e)
}
