package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
)

// Report is the result of a check.
type Report struct {
	Store string `json:"store"`
	OK    bool   `json:"ok"`
	// CommitsSafe says that create-once held, also among concurrent creators: tables may be committed to this store.
	CommitsSafe bool   `json:"commits_safe"`
	Steps       []Step `json:"steps"`
}

// Step is one property that was tried.
type Step struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Millis float64 `json:"ms,omitempty"`     // 0 without a clock
	Detail string  `json:"detail,omitempty"` // what was seen, or what went wrong
}

// CheckOptions refine a check; the zero value is usable.
type CheckOptions struct {
	ID     string           // makes the folder's name unique among concurrent checks
	Now    func() time.Time // for the steps' durations; nil leaves them out
	Rounds int              // how often the creators race; 0 is 5
}

// Creators is how many writers try to create one key at the same time in a check.
const Creators = 16

// Check tries everything that is asked of a store, in a folder of its own below prefix ("" or ending in "/"), and removes what
// it wrote. All steps are run; the error names those that failed and has the class of the first one's, or
// fault.ErrUnsupported. At most one CheckOptions is used.
func Check(ctx context.Context, store Store, prefix string, opts ...CheckOptions) (Report, error) {
	return check(ctx, store, prefix, opts, []checkStep{
		{"list", (*checker).list}, {"put", (*checker).put}, {"get", (*checker).get}, {"ranged get", (*checker).ranged},
		{"stat", (*checker).stat}, {stepCreate, (*checker).createOnce}, {stepRace, (*checker).race},
		{"conditional read", (*checker).conditional}, {"upload", (*checker).upload}, {"abort", (*checker).abort}, {"delete", (*checker).delete},
	})
}

// CheckCommits tries only what commits need: create-once, one writer after another and 16 at the same time. See [Check].
func CheckCommits(ctx context.Context, store Store, prefix string, opts ...CheckOptions) (Report, error) {
	return check(ctx, store, prefix, opts, []checkStep{{stepCreate, (*checker).createOnce}, {stepRace, (*checker).race}})
}

const (
	stepCreate = "create-once"
	stepRace   = "concurrent create-once"
)

type checkStep struct {
	name string
	run  func(*checker, context.Context) (detail string, err error)
}

type checker struct {
	Store
	folder string
	rounds int
}

func check(ctx context.Context, store Store, prefix string, opts []CheckOptions, steps []checkStep) (Report, error) {
	r := Report{Store: store.URI(), OK: true, CommitsSafe: true}
	if err := checkDirPrefix(prefix); err != nil {
		return r, err
	}
	o := CheckOptions{}
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	c := &checker{Store: store, folder: prefix + "snapexport-check" + o.ID + "/", rounds: o.Rounds}
	steps = append(steps, checkStep{"clean up", (*checker).cleanUp})
	var first error
	for _, step := range steps {
		s, err := c.step(ctx, o.Now, step)
		r.Steps = append(r.Steps, s)
		if err != nil {
			r.OK = false
			r.CommitsSafe = r.CommitsSafe && step.name != stepCreate && step.name != stepRace
			if first == nil {
				first = fmt.Errorf("%s: %w", step.name, err)
			}
		}
	}
	return r, r.err(first)
}

func (c *checker) step(ctx context.Context, now func() time.Time, step checkStep) (Step, error) {
	var start time.Time
	if now != nil {
		start = now()
	}
	detail, err := step.run(c, ctx)
	s := Step{Name: step.name, OK: err == nil, Detail: detail}
	if now != nil {
		s.Millis = float64(now().Sub(start).Microseconds()) / 1000
	}
	if err != nil {
		s.Detail = err.Error()
	}
	return s, err
}

func (r Report) err(first error) error {
	if first == nil {
		return nil
	}
	failed := ""
	for _, s := range r.Steps {
		if !s.OK {
			failed += ", " + s.Name
		}
	}
	var cause *fault.Error
	class := fault.ErrUnsupported
	if errors.As(first, &cause) {
		class = cause.Class
	}
	e := fault.New(class, "check store", "failed: %s; first: %w", failed[2:], first).On(r.Store)
	if cause != nil {
		e.Hint = cause.Hint
	}
	if !r.CommitsSafe && e.Hint == "" {
		e.Hint = "two writers could both believe that they committed: use a store with conditional writes, or --unsafe-commits with one writer only"
	}
	return e
}

// wrong is a property that does not hold.
func wrong(format string, args ...any) error {
	return fault.Unsupported("check store", format, args...)
}

func (c *checker) key(name string) string { return c.folder + name }

// small is the object of the simple steps.
var small = []byte("snapexport store check\n")

func (c *checker) list(ctx context.Context) (string, error) {
	n := 0
	for _, err := range c.List(ctx, c.folder) {
		if err != nil && !errors.Is(err, fault.ErrMissing) { // a local directory that the first write makes
			return "", err
		}
		n++
	}
	return "", nil
}

func (c *checker) put(ctx context.Context) (string, error) {
	return "", errors.Join(c.Put(ctx, c.key("small"), small), c.Put(ctx, c.key("empty"), nil))
}

func (c *checker) get(ctx context.Context) (string, error) {
	if err := c.holds(ctx, "empty", nil); err != nil {
		return "", err
	}
	_, err := c.Stat(ctx, c.key("absent"))
	if !errors.Is(err, fault.ErrMissing) {
		return "", wrong("an object that was never written is not reported missing: %w", orNone(err))
	}
	return "", c.holds(ctx, "small", small)
}

// holds compares an object with what it should be.
func (c *checker) holds(ctx context.Context, name string, want []byte) error {
	b, _, err := c.ReadAll(ctx, c.key(name), int64(len(want))+1<<10)
	if err == nil && !bytes.Equal(b, want) {
		return wrong("%s: %d bytes were read that are not the %d written", name, len(b), len(want))
	}
	return err
}

var errNone = errors.New("no error")

func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

func (c *checker) ranged(ctx context.Context) (string, error) {
	b, err := c.ReadRange(ctx, c.key("small"), 11, 5, "")
	if err != nil {
		return "", err
	}
	if string(b) != string(small[11:16]) {
		return "", wrong("bytes 11 to 15 read as %q", printable(string(b)))
	}
	_, err = c.ReadRange(ctx, c.key("small"), 20, int64(len(small)), "")
	if err == nil {
		return "", wrong("a range past the end was served")
	}
	return "", nil
}

func (c *checker) stat(ctx context.Context) (string, error) {
	o, err := c.Stat(ctx, c.key("small"))
	if err != nil {
		return "", err
	}
	if o.Size != int64(len(small)) || o.ETag == "" {
		return "", wrong("size %d and ETag %q of an object of %d bytes", o.Size, printable(o.ETag), len(small))
	}
	return "ETag " + printable(o.ETag), nil
}

func (c *checker) createOnce(ctx context.Context) (string, error) {
	if err := c.Create(ctx, c.key("once"), []byte("first")); err != nil {
		return "", err
	}
	if err := c.Create(ctx, c.key("once"), []byte("second")); !errors.Is(err, fault.ErrConflict) {
		return "", wrong("creating a key that exists: %w", orNone(err))
	}
	return "", c.holds(ctx, "once", []byte("first"))
}

func (c *checker) race(ctx context.Context) (string, error) {
	unknown := 0
	for round := range c.rounds {
		n, err := c.raceOnce(ctx, fmt.Sprintf("race-%d", round))
		if err != nil {
			return "", fmt.Errorf("round %d of %d: %w", round+1, c.rounds, err)
		}
		unknown += n
	}
	return fmt.Sprintf("%d rounds of %d creators, one winner each, %d answers of unknown outcome", c.rounds, Creators, unknown), nil
}

// raceOnce lets the creators write their numbers and reads who won. A creator whose outcome is unknown may be the winner.
func (c *checker) raceOnce(ctx context.Context, name string) (unknown int, err error) {
	var errs [Creators]error
	var g errgroup.Group
	start := make(chan struct{})
	for i := range errs {
		g.Go(func() error {
			<-start
			errs[i] = c.Create(ctx, c.key(name), creatorBody(i))
			return nil
		})
	}
	close(start)
	_ = g.Wait() // the creators' errors are in errs
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			return 0, wrong("creators %d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case errors.Is(err, ErrUnknownOutcome):
			unknown++
		case !errors.Is(err, fault.ErrConflict):
			return 0, err
		}
	}
	b, _, err := c.ReadAll(ctx, c.key(name), 64)
	if err != nil {
		return unknown, err
	}
	if winner >= 0 && !bytes.Equal(b, creatorBody(winner)) {
		return unknown, wrong("creator %d succeeded and the object is that of %q", winner, printable(string(b)))
	}
	if winner < 0 && unknown == 0 {
		return unknown, wrong("no creator succeeded")
	}
	return unknown, nil
}

func creatorBody(i int) []byte { return fmt.Appendf(nil, "creator %d", i) }

func (c *checker) conditional(ctx context.Context) (string, error) {
	key := c.key("changing")
	if err := c.Put(ctx, key, []byte("one")); err != nil {
		return "", err
	}
	before, err := c.Stat(ctx, key)
	if err != nil {
		return "", err
	}
	if err := c.Put(ctx, key, []byte("two")); err != nil {
		return "", err
	}
	if _, err := c.ReadRange(ctx, key, 0, 3, before.ETag); !errors.Is(err, fault.ErrConflict) {
		return "", wrong("reading a changed object under its former ETag: %w", orNone(err))
	}
	return "", c.holds(ctx, "changing", []byte("two"))
}

// partSizer is a store that uploads in parts.
type partSizer interface{ partBytes() int64 }

func (s *s3Store) partBytes() int64 { return s.partSize }

// uploadBody is large enough for two parts.
func (c *checker) uploadBody() []byte {
	size := int64(1 << 20)
	if p, ok := bare(c.Store).(partSizer); ok {
		size = p.partBytes() + 1<<20
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i >> 8)
	}
	return b
}

func (c *checker) upload(ctx context.Context) (string, error) {
	key, body := c.key("upload"), c.uploadBody()
	u, err := c.Upload(ctx, key)
	if err != nil {
		return "", err
	}
	defer u.Abort()
	if _, err := u.Write(body); err != nil {
		return "", err
	}
	if _, err := c.Stat(ctx, key); !errors.Is(err, fault.ErrMissing) {
		return "", wrong("an upload shows before it is committed: %w", orNone(err))
	}
	o, err := u.Commit()
	if err != nil {
		return "", err
	}
	if o.Size != int64(len(body)) {
		return "", wrong("%d bytes were uploaded and the object has %d", len(body), o.Size)
	}
	return fmt.Sprintf("%d bytes", o.Size), c.holds(ctx, "upload", body)
}

// pender is a store that can tell how many uploads are open.
type pender interface {
	pending(ctx context.Context, prefix string) (int, error)
}

func (c *checker) abort(ctx context.Context) (string, error) {
	key := c.key("aborted")
	u, err := c.Upload(ctx, key)
	if err != nil {
		return "", err
	}
	_, err = u.Write(c.uploadBody())
	if err = errors.Join(err, u.Abort()); err != nil {
		return "", err
	}
	if _, err := c.Stat(ctx, key); !errors.Is(err, fault.ErrMissing) {
		return "", wrong("an aborted upload left an object: %w", orNone(err))
	}
	p, ok := bare(c.Store).(pender)
	if !ok {
		return "", nil
	}
	n, err := p.pending(ctx, c.folder)
	if err != nil {
		return "the server does not tell which uploads are open", nil
	}
	if n > 0 {
		return "", wrong("%d uploads are still open after the abort", n)
	}
	return "nothing is left", nil
}

func (c *checker) delete(ctx context.Context) (string, error) {
	key := c.key("small")
	if err := c.Delete(ctx, key, c.key("never written")); err != nil {
		return "", err
	}
	if _, err := c.Stat(ctx, key); !errors.Is(err, fault.ErrMissing) {
		return "", wrong("a deleted object is still there: %w", orNone(err))
	}
	return "", nil
}

// tidier is a store in which deleting objects leaves directories.
type tidier interface{ tidy(prefix string) }

func (c *checker) cleanUp(ctx context.Context) (string, error) {
	ctx = context.WithoutCancel(ctx)
	var keys []string
	for o, err := range c.List(ctx, c.folder) {
		if errors.Is(err, fault.ErrMissing) {
			break
		}
		if err != nil {
			return "", err
		}
		keys = append(keys, o.Key)
	}
	if err := c.Delete(ctx, keys...); err != nil {
		return "", err
	}
	if t, ok := bare(c.Store).(tidier); ok {
		t.tidy(c.folder)
	}
	return "", nil
}
