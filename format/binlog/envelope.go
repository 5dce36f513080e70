package binlog

import (
	"encoding/binary"
	"fmt"

	"github.com/snapexport/snapexport/milvus"
)

// Magic is the int32 that every V1 file begins with: bytes BC FA FF 00 (docs/format/binlog-v1.md 1).
const Magic = 0x00FFFABC

// Sizes of the fixed parts, in bytes (docs/format/binlog-v1.md 1.1 to 1.3).
const (
	magicSize       = 4
	headerSize      = 17                     // of every event
	descriptorFixed = 52                     // ids, timestamps, data type
	postHeaderSize  = 8                      // one length per event type, constant
	dataFixed       = 16                     // of events 1 to 7: start and end timestamp
	minEvent        = headerSize + dataFixed // the shortest data event
	extrasLengthAt  = magicSize + headerSize + descriptorFixed + postHeaderSize
	extrasAt        = extrasLengthAt + 4
	minDescriptor   = extrasAt - magicSize // event_length of a descriptor without extras
)

// postHeader are the lengths of the fixed parts per event type 0 to 7.
var postHeader = [postHeaderSize]byte{descriptorFixed, dataFixed, dataFixed, dataFixed, dataFixed, dataFixed, dataFixed, dataFixed}

// EventType is the type code of an event header.
type EventType int8

const (
	EventDescriptor       EventType = 0
	EventInsert           EventType = 1
	EventDelete           EventType = 2
	EventCreateCollection EventType = 3
	EventDropCollection   EventType = 4
	EventCreatePartition  EventType = 5
	EventDropPartition    EventType = 6
	EventIndexFile        EventType = 7
)

var eventNames = [...]string{"descriptor", "insert", "delete", "create-collection", "drop-collection", "create-partition", "drop-partition", "index-file"}

// String returns the event's name, or "event type n" for an unknown one.
func (t EventType) String() string {
	if t >= 0 && int(t) < len(eventNames) {
		return eventNames[t]
	}
	return fmt.Sprintf("event type %d", int8(t))
}

// Descriptor is the first event of a file (docs/format/binlog-v1.md 1.2).
type Descriptor struct {
	Timestamp    milvus.Timestamp // when the file was written; 0 in index files
	NextPosition int32            // as recorded; not to be relied on
	Collection   milvus.CollectionID
	Partition    milvus.PartitionID // milvus.AllPartitions in some L0 deltalogs
	Segment      milvus.SegmentID
	Field        milvus.FieldID   // NoField in deltalogs
	Start, End   milvus.Timestamp // bounds of the rows' timestamps; 0 and 0 in the Stream dialect
	DataType     milvus.DataType
	Extras       Extras
}

// NoField is the Field of a deltalog's descriptor.
const NoField milvus.FieldID = -1

// Event is one event after the descriptor (docs/format/binlog-v1.md 1.3).
type Event struct {
	Type         EventType
	Timestamp    milvus.Timestamp // when it was written
	NextPosition int32            // file offset after the event, or -1; not to be relied on
	Start, End   milvus.Timestamp // bounds of the rows' timestamps; 1 and 1 in the Stream dialect
	Payload      []byte           // part of the file's bytes
	Offset       int64            // of the event in the file, bytes
}

// PayloadOffset is the file offset of the payload's first byte.
func (e *Event) PayloadOffset() int64 { return e.Offset + minEvent }

var le = binary.LittleEndian
