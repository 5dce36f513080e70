package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/snapexport/snapexport/fault"
)

// replayLog hands all records of a folder's files over, in order, and returns the log for what follows. What a crash cut off at
// the end of the last file is removed from it. Files of which keep returned false for every record are removed.
func replayLog(dir string, fsync bool, keep func(record []byte) (bool, error)) (*wal, error) {
	w := &wal{dir: dir, fsync: fsync}
	numbers, err := logNumbers(dir)
	if err != nil {
		return nil, err
	}
	for i, n := range numbers {
		w.number = n
		kept, err := w.replayFile(i == len(numbers)-1, keep)
		if err != nil {
			return nil, err
		}
		if !kept {
			if err := os.Remove(w.path(n)); err != nil {
				return nil, fmt.Errorf("%s: %w", opLog, err)
			}
		}
		w.number++
	}
	return w, nil
}

// replayFile reads the file of w.number.
func (w *wal) replayFile(last bool, keep func([]byte) (bool, error)) (kept bool, err error) {
	path := w.path(w.number)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, fmt.Errorf("%s: %w", opLog, err)
	}
	defer func() { err = firstError(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("%s: %w", opLog, err)
	}
	r := frameReader{file: f, size: info.Size(), last: last}
	if torn, err := r.magic(); torn || err != nil {
		return false, fault.Place(err, path)
	}
	for {
		payload, err := r.next()
		if err != nil {
			return kept, fault.Place(err, path)
		}
		if payload == nil {
			break
		}
		some, err := records(payload, keep)
		if err != nil {
			return kept, fault.Place(err, path)
		}
		kept = kept || some
	}
	if r.at == r.size {
		return kept, nil
	}
	if err := f.Truncate(r.at); err != nil {
		return kept, fmt.Errorf("%s: %w", opLog, err)
	}
	return kept, f.Sync()
}

// records takes a payload apart.
func records(payload []byte, keep func([]byte) (bool, error)) (kept bool, err error) {
	for len(payload) > 0 {
		if len(payload) < 8 || binary.LittleEndian.Uint64(payload) > uint64(len(payload)-8) {
			return kept, fault.Corrupt(opLog, "a record is longer than its frame")
		}
		n := binary.LittleEndian.Uint64(payload)
		some, err := keep(payload[8 : 8+n])
		if err != nil {
			return kept, err
		}
		kept, payload = kept || some, payload[8+n:]
	}
	return kept, nil
}

// frameReader reads the frames of a file. Only at the end of the last file can a frame be cut off: earlier ones were synced, or
// cut at recovery, before anything followed them.
type frameReader struct {
	file io.ReaderAt
	size int64
	at   int64
	last bool
}

func (r *frameReader) corrupt(format string, args ...any) error {
	return fault.Corrupt(opLog, format, args...).At(r.at).
		WithHint("writes that were acknowledged may be lost; restore the file, or move it away to go on without them")
}

func (r *frameReader) read(n int64) ([]byte, error) {
	b := make([]byte, n)
	_, err := r.file.ReadAt(b, r.at)
	return b, err
}

// magic reads the file's first bytes; torn if the file was being made.
func (r *frameReader) magic() (torn bool, err error) {
	b, err := r.read(min(r.size, int64(len(logMagic))))
	switch {
	case err != nil:
		return false, err
	case string(b) == logMagic:
		r.at = int64(len(logMagic))
		return false, nil
	case r.last && (r.size < int64(len(logMagic)) || r.zeros()):
		return true, nil
	}
	return false, r.corrupt("the file does not begin as a log does")
}

// next returns the next payload; nil at the end, which is before a frame that was cut off.
func (r *frameReader) next() ([]byte, error) {
	left := r.size - r.at
	if left == 0 || r.last && left < frameHeader {
		return nil, nil
	}
	if left < frameHeader {
		return nil, r.corrupt("the file ends within a frame")
	}
	h, err := r.read(frameHeader)
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(h[:12], castagnoli) != binary.LittleEndian.Uint32(h[12:]) {
		if r.last && r.zeros() {
			return nil, nil
		}
		return nil, r.corrupt("a frame's header is damaged")
	}
	length := binary.LittleEndian.Uint64(h)
	if length > uint64(left-frameHeader) {
		if r.last {
			return nil, nil
		}
		return nil, r.corrupt("the file ends within a frame")
	}
	b, err := r.read(frameHeader + int64(length))
	if err != nil {
		return nil, err
	}
	end := r.at + int64(len(b))
	if crc32.Checksum(b[frameHeader:], castagnoli) != binary.LittleEndian.Uint32(h[8:]) {
		if r.last && end == r.size {
			return nil, nil
		}
		return nil, r.corrupt("a frame is damaged")
	}
	r.at = end
	return b[frameHeader:], nil
}

// zeros reports whether nothing but zeros follows: a file can be extended before what was written reaches it.
func (r *frameReader) zeros() bool {
	const step = 1 << 16
	for at := r.at; at < r.size; at += step {
		b := make([]byte, min(step, r.size-at))
		if _, err := r.file.ReadAt(b, at); err != nil {
			return false
		}
		for _, c := range b {
			if c != 0 {
				return false
			}
		}
	}
	return true
}
