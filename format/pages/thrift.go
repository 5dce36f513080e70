package pages

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// The thrift decoder allocates lists by their declared size. So every message is measured first, against the bytes that
// are there; what passes here can't make the decoder allocate more than a fixed multiple of its input.

// errShort says that the message continues beyond the given bytes.
var errShort = errors.New("thrift message cut off")

type thriftScan struct {
	b              []byte
	pos            int
	structs, items int
}

// thriftLength returns the length of the compact-protocol struct at the start of b. errShort if b ends before it does;
// any other error says what is wrong with it.
func thriftLength(b []byte) (int, error) {
	s := thriftScan{b: b}
	if err := s.structure(0); err != nil {
		return 0, err
	}
	return s.pos, nil
}

func (s *thriftScan) structure(depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("thrift nested more than %d deep", maxThriftDepth)
	}
	for {
		head, err := s.byte()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if head>>4 == 0 { // the field id follows
			if err := s.varint(); err != nil {
				return err
			}
		}
		t := thrift.Type(head & 15)
		if t == thrift.TRUE || t == thrift.FALSE {
			continue // the value is in the type
		}
		if err := s.value(t, depth); err != nil {
			return err
		}
	}
}

func (s *thriftScan) value(t thrift.Type, depth int) error {
	switch t {
	case thrift.TRUE, thrift.FALSE, thrift.I8:
		return s.skip(1)
	case thrift.I16, thrift.I32, thrift.I64:
		return s.varint()
	case thrift.DOUBLE:
		return s.skip(8)
	case thrift.BINARY:
		n, err := s.uvarint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case thrift.LIST, thrift.SET:
		return s.list(depth + 1)
	case thrift.MAP:
		return s.pairs(depth + 1)
	case thrift.STRUCT:
		return s.structure(depth + 1)
	}
	return fmt.Errorf("thrift type %d", t)
}

func (s *thriftScan) list(depth int) error {
	head, err := s.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = s.uvarint(); err != nil {
			return err
		}
	}
	return s.repeat(n, depth, thrift.Type(head&15))
}

func (s *thriftScan) pairs(depth int) error {
	n, err := s.uvarint()
	if err != nil || n == 0 {
		return err
	}
	head, err := s.byte()
	if err != nil {
		return err
	}
	return s.repeat(n, depth, thrift.Type(head>>4), thrift.Type(head&15))
}

// repeat measures n items, each made of the types. Every type takes at least a byte.
func (s *thriftScan) repeat(n uint64, depth int, types ...thrift.Type) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("thrift nested more than %d deep", maxThriftDepth)
	}
	if n > maxThriftItems {
		return fmt.Errorf("a thrift list of %d items", n)
	}
	if n > uint64(len(s.b)-s.pos) {
		return fmt.Errorf("%w: a list of %d items in %d bytes", errShort, n, len(s.b)-s.pos)
	}
	if s.items += int(n); s.items > maxThriftItems {
		return fmt.Errorf("more than %d thrift list items", maxThriftItems)
	}
	if types[0] == thrift.STRUCT {
		if s.structs += int(n); s.structs > maxThriftStruct {
			return fmt.Errorf("more than %d thrift structs in lists", maxThriftStruct)
		}
	}
	for range n {
		for _, t := range types {
			if err := s.value(t, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *thriftScan) byte() (byte, error) {
	if s.pos >= len(s.b) {
		return 0, errShort
	}
	s.pos++
	return s.b[s.pos-1], nil
}

func (s *thriftScan) skip(n uint64) error {
	if n > uint64(len(s.b)-s.pos) {
		return fmt.Errorf("%w: %d bytes wanted, %d left", errShort, n, len(s.b)-s.pos)
	}
	s.pos += int(n)
	return nil
}

func (s *thriftScan) varint() error { _, err := s.uvarint(); return err }

func (s *thriftScan) uvarint() (uint64, error) {
	v, n := binary.Uvarint(s.b[s.pos:])
	if n == 0 {
		return 0, errShort
	}
	if n < 0 {
		return 0, errors.New("a thrift varint of more than 64 bits")
	}
	s.pos += n
	return v, nil
}

// thriftDecode decodes a message that thriftLength accepted.
func thriftDecode(b []byte, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("thrift: %v", r)
		}
	}()
	var p thrift.CompactProtocol
	return thrift.NewDecoder(p.NewReaderFromBytes(b)).Decode(v)
}
