package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/snapexport/snapexport/fault"
)

const opLog = "write-ahead log"

// A log is files {number}.log, each a magic and frames. A frame is what was synced at once: its length, the CRC-32C of its
// payload, the CRC-32C of these twelve bytes, the payload; integers are little-endian. The payload is records, each with its
// length before it. A write is one record, so that it is there wholly or not at all.
const (
	logMagic    = "SXWAL\x00\x00\x01"
	frameHeader = 16
	logSuffix   = ".log"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// wal is the log of one collection. Safe for concurrent use.
type wal struct {
	dir   string
	fsync bool

	pending sync.Mutex
	group   *group // collects records until someone writes them

	io     sync.Mutex // held while the file is written
	file   *os.File   // nil until the first record after open or rotate
	number int64      // of file, or of the next one
	end    int64      // of the last whole frame
	broken error      // after a failed sync nothing is known of the file
}

// group is records that are written and synced together.
type group struct {
	payload []byte
	done    bool
	err     error
}

// append writes a record and returns when it is synced. Records of concurrent callers share one sync.
func (w *wal) append(record []byte) error {
	w.pending.Lock()
	g := w.group
	if g == nil {
		g = &group{payload: make([]byte, frameHeader, frameHeader+4+len(record))}
		w.group = g
	}
	g.payload = binary.LittleEndian.AppendUint64(g.payload, uint64(len(record)))
	g.payload = append(g.payload, record...)
	w.pending.Unlock()

	w.io.Lock()
	defer w.io.Unlock()
	if g.done {
		return g.err
	}
	w.pending.Lock()
	w.group = nil
	w.pending.Unlock()
	g.done, g.err = true, w.writeFrame(g.payload)
	return g.err
}

// writeFrame writes a frame whose first bytes are left for the header. A frame that fails is cut off again.
func (w *wal) writeFrame(frame []byte) error {
	if w.broken != nil {
		return w.broken
	}
	if err := w.open(); err != nil {
		return err
	}
	sealFrame(frame)
	_, err := w.file.WriteAt(frame, w.end)
	if err != nil {
		if cut := w.file.Truncate(w.end); cut != nil {
			w.broken = fmt.Errorf("%s %s: %w", opLog, w.file.Name(), cut)
		}
		return fmt.Errorf("%s: %w", opLog, err)
	}
	if w.fsync {
		if err := w.file.Sync(); err != nil {
			w.broken = fmt.Errorf("%s: %w", opLog, err)
			return w.broken
		}
	}
	w.end += int64(len(frame))
	return nil
}

func sealFrame(frame []byte) {
	payload := frame[frameHeader:]
	binary.LittleEndian.PutUint64(frame, uint64(len(payload)))
	binary.LittleEndian.PutUint32(frame[8:], crc32.Checksum(payload, castagnoli))
	binary.LittleEndian.PutUint32(frame[12:], crc32.Checksum(frame[:12], castagnoli))
}

// open makes the file with its magic, unless it is open.
func (w *wal) open() error {
	if w.file != nil {
		return nil
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return fmt.Errorf("%s: %w", opLog, err)
	}
	f, err := os.OpenFile(w.path(w.number), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", opLog, err)
	}
	if _, err = f.WriteString(logMagic); err == nil && w.fsync {
		if err = f.Sync(); err == nil {
			err = syncDirs(w.dir)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", opLog, firstError(err, f.Close()))
	}
	w.file, w.end = f, int64(len(logMagic))
	return nil
}

// syncDirs syncs a log's folder, its parent and that one's parent, which may all be new.
func syncDirs(dir string) error {
	for range 3 {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := firstError(d.Sync(), d.Close()); err != nil {
			return err
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// rotate ends the file; what is appended from now on goes into files numbered from the result on.
func (w *wal) rotate() (int64, error) {
	w.io.Lock()
	defer w.io.Unlock()
	if w.file == nil {
		return w.number, nil
	}
	err := w.file.Close()
	w.file = nil
	w.number++
	return w.number, err
}

// drop removes the files below the number.
func (w *wal) drop(below int64) error {
	numbers, err := logNumbers(w.dir)
	for _, n := range numbers {
		if n < below {
			err = firstError(err, os.Remove(w.path(n)))
		}
	}
	return err
}

// remove ends the log and removes its files.
func (w *wal) remove() error {
	err := w.close()
	return firstError(os.RemoveAll(w.dir), err)
}

// close ends the log; nothing can be appended any more.
func (w *wal) close() error {
	w.io.Lock()
	defer w.io.Unlock()
	if w.broken == nil {
		w.broken = fmt.Errorf("%s: closed", opLog)
	}
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

func (w *wal) path(n int64) string { return filepath.Join(w.dir, fmt.Sprintf("%020d%s", n, logSuffix)) }

// logNumbers returns the numbers of a folder's files, ascending; none if there is no folder.
func logNumbers(dir string) (out []int64, err error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opLog, err)
	}
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), logSuffix)
		n, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || n < 0 {
			return nil, fault.Corrupt(opLog, "not a file of a log").On(filepath.Join(dir, e.Name()))
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}
