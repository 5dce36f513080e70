package cell

import (
	"encoding/binary"
	"errors"
)

// Protobuf's wire format, as far as ScalarField needs it.

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errWire = errors.New("the bytes are no protobuf message")

// nextField cuts the first field off a message: its number, wire type and content (for a varint its bytes).
func nextField(b []byte) (number, wire int, content, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return 0, 0, nil, nil, errWire
	}
	b = b[n:]
	number, wire = int(tag>>3), int(tag&7)
	size := 0
	switch wire {
	case wireVarint:
		if _, size = binary.Uvarint(b); size <= 0 {
			return 0, 0, nil, nil, errWire
		}
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireBytes:
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return 0, 0, nil, nil, errWire
		}
		b, size = b[n:], int(length)
	default:
		return 0, 0, nil, nil, errWire
	}
	if size > len(b) {
		return 0, 0, nil, nil, errWire
	}
	return number, wire, b[:size], b[size:], nil
}

// varint returns the first varint of b and its length, 0 if there is none.
func varint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	v, n := binary.Uvarint(b)
	return v, max(n, 0)
}

func appendTag(b []byte, number, wire int) []byte {
	return binary.AppendUvarint(b, uint64(number)<<3|uint64(wire))
}

func appendBytes(b []byte, number int, content []byte) []byte {
	b = binary.AppendUvarint(appendTag(b, number, wireBytes), uint64(len(content)))
	return append(b, content...)
}
