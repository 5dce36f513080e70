//go:build !linux

package objstore

import (
	"errors"
	"os"
)

const wholeSync = false

func syncWhole(f *os.File) error { return f.Sync() }

func startWriting(*os.File) {}

var errNoReflink = errors.New("this system has no reflinks")

func reflink(_, _ *os.File) error { return errNoReflink }
