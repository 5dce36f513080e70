package vortex

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/snapexport/snapexport/fault"
)

// grace is how long output is waited for after the helper has ended, or was ended: something it started may hold it open.
const grace = 3 * time.Second

var (
	errTimeout = errors.New("the time is over")
	errTooMuch = errors.New("the output is too large")
)

// run runs the helper over a local file with its output going to out.
func (h *Helper) run(ctx context.Context, file string, columns []string, out io.Writer) error {
	timed, cancel := context.WithTimeoutCause(ctx, h.Timeout, errTimeout)
	defer cancel()
	args := slices.Concat(h.Command[1:], []string{file}, columns)
	cmd := exec.CommandContext(timed, h.Command[0], args...)
	var said tail
	stdout := &bounded{to: out, left: h.MaxOutput}
	cmd.Stdout, cmd.Stderr = stdout, &said
	cmd.Env = h.Env
	cmd.WaitDelay = grace
	ownGroup(cmd)
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		endGroup(cmd) // it ended, what it started did not
	}
	name := filepath.Base(h.Command[0])
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(context.Cause(timed), errTimeout):
		return fault.New(ErrHelper, opConvert, "%s did not end within %v%s", name, h.Timeout, said.text())
	case stdout.over.Load(): // what it says then is only that nobody listened
		return fault.Limit(opConvert, "%s wrote more than %d bytes", name, h.MaxOutput)
	}
	return fault.New(ErrHelper, opConvert, "%s: %w%s", name, err, said.text())
}

// bounded writes up to left bytes.
type bounded struct {
	to   io.Writer
	left int64
	over atomic.Bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		b.over.Store(true)
		return 0, errTooMuch
	}
	b.left -= int64(len(p))
	return b.to.Write(p)
}

// tailBytes is how much of standard error is shown.
const tailBytes = 1 << 10

// tail keeps the last bytes that are written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if over := len(*t) - tailBytes; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(p), nil
}

// text returns them as the end of a message.
func (t tail) text() string {
	shown := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(string(t), "?"))
	if shown = strings.TrimSpace(shown); shown == "" {
		return ""
	}
	return ": " + shown
}
