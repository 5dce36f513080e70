package binlog

import (
	"bytes"
	"errors"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const (
	opDecode = "decode binlog"
	opEncode = "encode binlog"
)

func corrupt(format string, args ...any) *fault.Error {
	return fault.Corrupt(opDecode, format, args...)
}

// File is an opened file: the whole envelope, checked. It holds on to the bytes that were given to Open.
type File struct {
	Descriptor Descriptor
	Events     []Event // at least one; all writers of insert and delete logs write exactly one
}

// Sniff reports whether b begins with the magic of a V1 file.
func Sniff(b []byte) bool { return len(b) >= magicSize && le.Uint32(b) == Magic }

// Open checks the envelope of a V1 file and splits it into events; b must not change while the File is in use.
// Errors: fault.ErrCorrupt for anything that contradicts the format, fault.ErrUnsupported for an encrypted file,
// fault.ErrLimit beyond the bounds of limits.go.
func Open(b []byte) (*File, error) {
	if len(b) > MaxFile {
		return nil, fault.Limit(opDecode, "%d bytes, a binlog has at most %d", len(b), MaxFile)
	}
	d, at, err := openReadable(b)
	if err != nil {
		return nil, err
	}
	events, err := openEvents(b, at)
	if err != nil {
		return nil, err
	}
	return &File{Descriptor: d, Events: events}, nil
}

// HeadSize is how many of a file's first bytes CheckHead asks for. Extras of encrypted files may go on after them.
const HeadSize = 512

// CheckHead checks what Open checks of the beginning of a file: magic, descriptor, encryption. b is the file's first bytes,
// HeadSize of them or the whole file. If the descriptor goes on behind them, more is how many bytes are needed, and nothing
// is known yet.
func CheckHead(b []byte) (more int, err error) {
	if Sniff(b) && len(b) >= extrasAt {
		size := int(int32(le.Uint32(b[extrasLengthAt:])))
		if size <= MaxExtras && extrasAt+size > len(b) {
			return extrasAt + size, nil
		}
	}
	_, _, err = openReadable(b)
	return 0, err
}

// openReadable is openDescriptor for files whose events can be read.
func openReadable(b []byte) (Descriptor, int, error) {
	d, at, err := openDescriptor(b)
	if err == nil && d.Extras.Encrypted() {
		err = fault.Unsupported(opDecode, "the file is encrypted (its extras have %q)", extraEdek).At(extrasAt).
			WithHint("encrypted collections can only be read by a Milvus with the key management plug-in")
	}
	return d, at, err
}

// OpenDescriptor checks magic and descriptor alone and returns the descriptor, also that of an encrypted file.
func OpenDescriptor(b []byte) (Descriptor, error) {
	d, _, err := openDescriptor(b)
	return d, err
}

// openDescriptor also returns the offset of the first event.
func openDescriptor(b []byte) (Descriptor, int, error) {
	var d Descriptor
	if err := checkMagic(b); err != nil {
		return d, 0, err
	}
	if len(b) < extrasAt {
		return d, 0, corrupt("file ends in the descriptor: %d bytes, want at least %d", len(b), extrasAt).At(int64(len(b)))
	}
	h := b[magicSize:]
	if t := EventType(h[8]); t != EventDescriptor {
		return d, 0, corrupt("first event is %v, want a descriptor", t).At(magicSize + 8)
	}
	length := int32(le.Uint32(h[9:]))
	size := int32(le.Uint32(b[extrasLengthAt:]))
	if size < 0 || int(size) > len(b)-extrasAt {
		return d, 0, corrupt("extras of %d bytes, the file has %d more", size, len(b)-extrasAt).At(extrasLengthAt)
	}
	if int64(length) != minDescriptor+int64(size) {
		return d, 0, corrupt("descriptor event of %d bytes, its parts have %d", length, minDescriptor+int64(size)).At(magicSize + 9)
	}
	if size > MaxExtras {
		return d, 0, fault.Limit(opDecode, "extras of %d bytes, limit %d", size, MaxExtras).At(extrasLengthAt)
	}
	end := extrasAt + int(size)
	x, err := parseExtras(b[extrasAt:end])
	if err != nil {
		return d, 0, at(err, extrasAt)
	}
	f := h[headerSize:]
	d = Descriptor{
		Timestamp: milvus.Timestamp(le.Uint64(h)), NextPosition: int32(le.Uint32(h[13:])),
		Collection: milvus.CollectionID(le.Uint64(f)), Partition: milvus.PartitionID(le.Uint64(f[8:])),
		Segment: milvus.SegmentID(le.Uint64(f[16:])), Field: milvus.FieldID(le.Uint64(f[24:])),
		Start: milvus.Timestamp(le.Uint64(f[32:])), End: milvus.Timestamp(le.Uint64(f[40:])),
		DataType: milvus.DataType(le.Uint32(f[48:])), Extras: x,
	}
	return d, end, nil
}

func checkMagic(b []byte) error {
	switch {
	case Sniff(b):
		return nil
	case len(b) < magicSize:
		return corrupt("%d bytes are no binlog", len(b)).At(0)
	case bytes.HasPrefix(b, parquetMagic):
		return corrupt("begins with PAR1: bare Parquet, not a V1 binlog").At(0).
			WithHint("is this a file of a V2 or V3 segment?")
	}
	return corrupt("begins with % x, a V1 binlog with bc fa ff 00", b[:magicSize]).At(0)
}

func openEvents(b []byte, offset int) ([]Event, error) {
	var events []Event
	for offset < len(b) {
		if len(events) == MaxEvents {
			return nil, fault.Limit(opDecode, "more than %d events", MaxEvents).At(int64(offset))
		}
		e, err := openEvent(b[offset:])
		if err != nil {
			return nil, at(err, int64(offset))
		}
		e.Offset = int64(offset)
		events = append(events, e)
		offset += minEvent + len(e.Payload)
	}
	if len(events) == 0 {
		return nil, corrupt("no event after the descriptor").At(int64(len(b)))
	}
	return events, nil
}

// openEvent decodes the event that b begins with; offsets of its errors count from there.
func openEvent(b []byte) (Event, error) {
	if len(b) < minEvent {
		return Event{}, corrupt("%d bytes after the last event, the shortest event has %d", len(b), minEvent).At(0)
	}
	t := EventType(b[8])
	if t < EventInsert || t > EventIndexFile {
		return Event{}, corrupt("%v is not a data event", t).At(8)
	}
	length := int32(le.Uint32(b[9:]))
	if length < minEvent || int(length) > len(b) {
		return Event{}, corrupt("event of %d bytes, the file has %d more", length, len(b)).At(9)
	}
	return Event{
		Type: t, Timestamp: milvus.Timestamp(le.Uint64(b)), NextPosition: int32(le.Uint32(b[13:])),
		Start: milvus.Timestamp(le.Uint64(b[headerSize:])), End: milvus.Timestamp(le.Uint64(b[headerSize+8:])),
		Payload: b[minEvent:length:length],
	}, nil
}

// at moves the offset of an error that counted from base to one that counts from the file's beginning.
func at(err error, base int64) error {
	var e *fault.Error
	if errors.As(err, &e) {
		if e.Offset == fault.NoOffset {
			e.Offset = 0
		}
		e.Offset += base
	}
	return err
}
