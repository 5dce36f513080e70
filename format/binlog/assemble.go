package binlog

import (
	"github.com/snapexport/snapexport/fault"
)

// Assemble returns the bytes of a file with exactly these header fields; the lengths are computed, Event.Offset is ignored.
// The result of Assemble(f.Descriptor, f.Events) for a file that Milvus wrote is that file.
func Assemble(d Descriptor, events []Event) ([]byte, error) {
	extras, err := d.Extras.encode()
	if err != nil {
		return nil, err
	}
	size := extrasAt + len(extras)
	for _, e := range events {
		size += minEvent + len(e.Payload)
	}
	if size > MaxFile {
		return nil, fault.Limit(opEncode, "%d bytes, a binlog has at most %d", size, MaxFile)
	}
	b := make([]byte, 0, size)
	b = le.AppendUint32(b, Magic)
	b = appendHeader(b, Event{Type: EventDescriptor, Timestamp: d.Timestamp, NextPosition: d.NextPosition}, minDescriptor+len(extras))
	for _, v := range [...]int64{int64(d.Collection), int64(d.Partition), int64(d.Segment), int64(d.Field), int64(d.Start), int64(d.End)} {
		b = le.AppendUint64(b, uint64(v))
	}
	b = le.AppendUint32(b, uint32(d.DataType))
	b = append(b, postHeader[:]...)
	b = le.AppendUint32(b, uint32(len(extras)))
	b = append(b, extras...)
	for _, e := range events {
		b = appendHeader(b, e, minEvent+len(e.Payload))
		b = le.AppendUint64(b, uint64(e.Start))
		b = le.AppendUint64(b, uint64(e.End))
		b = append(b, e.Payload...)
	}
	return b, nil
}

func appendHeader(b []byte, e Event, length int) []byte {
	b = le.AppendUint64(b, uint64(e.Timestamp))
	b = append(b, byte(e.Type))
	b = le.AppendUint32(b, uint32(length))
	return le.AppendUint32(b, uint32(e.NextPosition))
}
