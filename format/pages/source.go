package pages

import (
	"errors"
	"io"

	"github.com/snapexport/snapexport/buffer"
)

// source serves bytes of the file, from memory or read ahead. What it returned stays valid, or until the next view with reuse.
type source struct {
	r      io.ReaderAt
	mem    []byte // the whole file, if it is in memory
	size   int64
	ahead  int
	reuse  bool
	lender Lender // asked first; nil: none
	lent   bool   // buf is

	buf []byte
	at  int64 // of buf
}

// fork returns a source with a buffer of its own.
func (s *source) fork() source { return source{r: s.r, mem: s.mem, size: s.size, ahead: s.ahead} }

// tail reads the end of the file, where the footer is, with one request. A file that is no longer than that is in memory then.
func (s *source) tail() error {
	if s.mem != nil {
		return nil
	}
	n := min(s.size, tailBytes)
	if err := s.fill(s.size-n, int(n)); err != nil {
		return err
	}
	if n == s.size {
		s.mem, s.buf = s.buf, nil
	}
	return nil
}

// tailBytes is how much of a file's end is read at first. Footers are rarely longer.
const tailBytes = 64 << 10

// Lender has parts of a file in memory.
type Lender interface {
	// Lend returns bytes that hold the n at off, and the offset of the first; none if it does not have them. They are valid, and may be
	// overwritten where they are of the chunk asked for, until it is called again.
	Lend(off int64, n int) (b []byte, at int64, err error)
}

// owned reports whether the caller may overwrite what view returned.
func (s *source) owned() bool { return s.mem == nil }

// view returns n bytes at off. end bounds the reading ahead; off+n <= end <= size holds.
func (s *source) view(off int64, n int, end int64) ([]byte, error) {
	if off < 0 || n < 0 || off+int64(n) > end || end > s.size {
		return nil, corrupt(off, "%d bytes wanted at %d of %d", n, off, end)
	}
	if s.mem != nil {
		return s.mem[off : off+int64(n) : off+int64(n)], nil
	}
	if i := off - s.at; i < 0 || i+int64(n) > int64(len(s.buf)) {
		ok, err := s.borrow(off, n)
		if err != nil {
			return nil, err
		}
		if ok {
			return s.view(off, n, end)
		}
		if err := s.fill(off, int(min(int64(max(n, s.ahead)), end-off))); err != nil {
			return nil, err
		}
	}
	i := off - s.at
	return s.buf[i : i+int64(n) : i+int64(n)], nil
}

// borrow makes what the lender has the buffer; false if that is not what is wanted.
func (s *source) borrow(off int64, n int) (bool, error) {
	if s.lender == nil {
		return false, nil
	}
	b, at, err := s.lender.Lend(off, n)
	if err != nil || at > off || at+int64(len(b)) < off+int64(n) {
		return false, err
	}
	s.drop()
	s.buf, s.at, s.lent = b, at, true
	return true, nil
}

// drop ends the buffer.
func (s *source) drop() {
	if s.reuse && !s.lent {
		buffer.Put(s.buf)
	}
	s.buf, s.lent = nil, false
}

// fill makes the n bytes at off the buffer. What of them it holds already is not read again.
func (s *source) fill(off int64, n int) error {
	b, have := buffer.Get(n), 0
	if i := off - s.at; i >= 0 && i < int64(len(s.buf)) {
		have = copy(b, s.buf[i:])
	}
	s.drop()
	got, err := s.r.ReadAt(b[have:], off+int64(have))
	if got += have; got < n {
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return corrupt(off, "the file ends after %d of %d bytes", got, n)
		}
		return err
	}
	s.buf, s.at = b, off
	return nil
}
