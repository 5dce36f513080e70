package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
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
	a.vortex = &vortex.Helper{Command: command, Env: withoutSecrets(os.Environ()), Dir: os.TempDir(), Timeout: helperTimeout, MaxOutput: helperMaxOutput}
	return nil
}

// withoutSecrets leaves out what a helper, which gets local files only, has no use for.
func withoutSecrets(env []string) []string {
	return slices.DeleteFunc(env, func(pair string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(pair), "=")
		for _, part := range []string{"AWS_", "SNAPEXPORT_", "SECRET", "PASSWORD", "TOKEN", "ACCESS_KEY", "CREDENTIAL"} {
			if strings.Contains(name, part) {
				return true
			}
		}
		return false
	})
}
