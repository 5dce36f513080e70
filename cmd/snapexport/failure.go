package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/vortex"
)

// Exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitBadSource   = 4
	exitMismatch    = 5
	exitConflict    = 6
	exitAuth        = 7
	exitUnsupported = 8
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
  0  ok
  1  other error
  2  usage
  4  bad source: corrupt, missing, over a limit, or with an unsafe path
  5  verify: table and snapshot differ
  6  conflict: someone else's object or commit is in the way
  7  authorisation
  8  unsupported version, codec, type or feature
  130  interrupted`

// errMismatch is the result of a verify that found differences. They are on standard output already.
var errMismatch = errors.New("table and snapshot differ")

func exitCode(err error) int {
	var u usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &u), errors.Is(err, describe.ErrUsage), errors.Is(err, filter.ErrInvalid), errors.Is(err, reader.ErrSelect), errors.Is(err, client.ErrInvalid):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errMismatch):
		return exitMismatch
	}
	switch fault.ClassName(err) {
	case "ErrCorrupt", "ErrMissing", "ErrLimit", "ErrUnsafePath":
		return exitBadSource
	case "ErrConflict":
		return exitConflict
	case "ErrAuth":
		return exitAuth
	case "ErrUnsupported":
		return exitUnsupported
	}
	return exitError
}

// failure is an error as --json prints it.
type failure struct {
	Class   string `json:"class"`
	Op      string `json:"op,omitempty"`
	Object  string `json:"object,omitempty"`
	Offset  *int64 `json:"offset,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func failureOf(err error) failure {
	f := failure{Class: fault.ClassName(err), Message: err.Error()}
	var e *fault.Error
	if errors.As(err, &e) {
		f.Op, f.Object, f.Hint = e.Op, e.Object, e.Hint
		if e.Offset != fault.NoOffset {
			f.Offset = &e.Offset
		}
	}
	if f.Class == "" && errors.Is(err, vortex.ErrHelper) {
		f.Class = "ErrHelper"
	}
	switch exitCode(err) {
	case exitUsage:
		f.Class = "usage"
	case exitInterrupted:
		f.Class = "interrupted"
		if !errors.Is(err, objstore.ErrUnknownOutcome) {
			f.Message = "interrupted; nothing was committed"
		}
	}
	return f
}

// report prints the error of the command, if there is one, and returns the exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err != nil && !a.ready && exitCode(err) == exitError {
		err = usageError{err} // of an argument or a flag: no verb has begun
	}
	code := exitCode(err)
	if code == exitOK || code == exitMismatch {
		return code
	}
	f := failureOf(err)
	if a.json {
		line, _ := json.Marshal(map[string]failure{"error": f}) // strings always encode
		fmt.Fprintln(a.errs, string(line))
		return code
	}
	fmt.Fprintln(a.errs, "snapexport:", f.Message)
	if f.Hint != "" {
		fmt.Fprintln(a.errs, "  hint:", f.Hint)
	}
	if code == exitUsage {
		fmt.Fprintf(a.errs, "  see %s --help\n", cmd.CommandPath())
	}
	return code
}
