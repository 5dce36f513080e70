package main

import (
	"os"
	"syscall"
	"time"
)

// killFile names a file with the step at which a server ends itself as kill -9 does. Beside it, NAME.steps gets every step that
// was passed. There is such a thing in test binaries only.
const killFile = "SNAPEXPORT_TEST_KILL"

func killAt(file string) func(point string) error {
	return func(point string) error {
		if f, err := os.OpenFile(file+".steps", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, _ = f.WriteString(point + "\n") // the test reads what is there
			_ = f.Close()
		}
		if want, err := os.ReadFile(file); err == nil && string(want) == point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it does not come back
		}
		return nil
	}
}

// ahead is the clock of a server that is started long after the last one: by what NAME.ahead says.
func ahead(file string) func() time.Time {
	text, _ := os.ReadFile(file + ".ahead")
	by, _ := time.ParseDuration(string(text)) // 0 without
	return func() time.Time { return time.Now().Add(by) }
}
