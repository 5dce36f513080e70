package spill

import (
	"errors"
	"math/bits"
	"os"
	"sync"

	"github.com/snapexport/snapexport/fault"
)

const op = "spill"

// Options say where records go.
type Options struct {
	Dir        string // of the temporary file; "": records beyond Memory are ErrLimit
	Partitions int    // rounded up to a power of two, 2 at least
	Memory     int64  // bytes of blocks that are held before the file is begun
	Block      int    // records of a block; a writer has one open for each partition
	Text       bool   // keys are texts
}

// Store holds records. Writers and readers may be many; reading begins when all writers have been flushed.
type Store struct {
	opts Options
	log  uint // of the number of partitions

	mu    sync.Mutex
	file  *os.File // nil until it is needed
	named bool     // the file is still to be removed
	end   int64    // of the file
	held  int64    // bytes in memory
	parts []partition
}

type partition struct {
	blocks  []block
	records int64
	bytes   int64
}

// block is one encoded block, in memory or in the file.
type block struct {
	body   []byte
	offset int64
	length int
}

// New returns an empty store. Close it.
func New(o Options) *Store {
	o.Block = max(o.Block, 16)
	log := uint(bits.Len(uint(max(o.Partitions, 2) - 1)))
	return &Store{opts: o, log: log, parts: make([]partition, 1<<log)}
}

// Partitions returns how many there are.
func (s *Store) Partitions() int { return len(s.parts) }

// Size returns the records of a partition, and the bytes that they take in blocks.
func (s *Store) Size(part int) (records, bytes int64) {
	return s.parts[part].records, s.parts[part].bytes
}

// Held and Spilled return the bytes of blocks in memory and in the file.
func (s *Store) Held() int64    { return s.held }
func (s *Store) Spilled() int64 { return s.end }

// WriterBytes returns the most memory that a writer takes, of a store with the options.
func (o Options) WriterBytes() int64 {
	n := int64(o.Block) * recordBytes
	if o.Text {
		n += textBlock
	}
	return n * int64(max(o.Partitions, 2))
}

// put takes the bytes of a block over.
func (s *Store) put(part int, body []byte, records int) error {
	s.mu.Lock()
	p := &s.parts[part]
	p.records += int64(records)
	p.bytes += int64(len(body))
	if s.held+int64(len(body)) <= s.opts.Memory {
		s.held += int64(len(body))
		p.blocks = append(p.blocks, block{body: append([]byte(nil), body...)})
		s.mu.Unlock()
		return nil
	}
	err := s.begin()
	at := s.end
	if err == nil {
		s.end += int64(len(body))
		p.blocks = append(p.blocks, block{offset: at, length: len(body)})
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := s.file.WriteAt(body, at); err != nil {
		return fault.Limit(op, "write to a temporary file, after %d bytes: %w", at, err).On(s.opts.Dir).
			WithHint("--temp-dir takes a directory with more space, and a greater --memory needs less of it")
	}
	return nil
}

// begin makes the file.
func (s *Store) begin() (err error) {
	if s.file != nil {
		return nil
	}
	if s.opts.Dir == "" {
		return fault.Limit(op, "more than %d bytes of keys, and no directory for temporary files", s.opts.Memory).WithHint("raise --memory")
	}
	if s.file, err = os.CreateTemp(s.opts.Dir, "snapexport-"); err != nil {
		return fault.Limit(op, "make a temporary file: %w", err).On(s.opts.Dir).WithHint("--temp-dir takes a directory for it")
	}
	s.named = os.Remove(s.file.Name()) != nil
	return nil
}

// Close frees everything.
func (s *Store) Close() error {
	s.parts = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	s.file = nil
	return err
}
