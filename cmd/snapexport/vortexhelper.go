package main

import (
	"os"
	"os/exec"
	"time"

	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/vortex"
)

const (
	helperTimeout   = 30 * time.Minute // of one file
	helperMaxOutput = 64 << 30         // bytes of one file's Arrow stream, on disk
)

// useHelper makes the program of --vortex-helper the converter of Vortex files, if one is named and there.
func (r *rowFlags) useHelper(a *app) error {
	if r.vortexHelper == "" {
		return nil
	}
	if r.text == string(reader.TextNull) {
		return usage("--unreadable-text null and --vortex-helper exclude each other: with a helper, all texts are read")
	}
	command, err := vortex.Split(r.vortexHelper)
	if err != nil {
		return usageError{err}
	}
	if command[0], err = exec.LookPath(command[0]); err != nil {
		return usage("--vortex-helper: %w", err)
	}
	a.vortex = &vortex.Helper{Command: command, Dir: os.TempDir(), Timeout: helperTimeout, MaxOutput: helperMaxOutput}
	return nil
}
