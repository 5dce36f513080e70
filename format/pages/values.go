package pages

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/snapexport/snapexport/buffer"
)

var errValuesEnd = errors.New("the page ends before all values are read")

// fixedValues yields the values of a page, without gaps, as little-endian bytes.
type fixedValues interface {
	// take returns the next n values; it may alias the page.
	take(n int) ([]byte, error)
}

// plainFixed is PLAIN: the bytes are there.
type plainFixed struct {
	body  []byte
	width int
}

func (p *plainFixed) take(n int) ([]byte, error) {
	size := n * p.width
	if size > len(p.body) {
		return nil, errValuesEnd
	}
	out := p.body[:size:size]
	p.body = p.body[size:]
	return out, nil
}

// dictFixed gathers values of a dictionary.
type dictFixed struct {
	index indexes
	dict  []byte
	width int
}

func (d *dictFixed) take(n int) ([]byte, error) {
	out := buffer.Get(n * d.width)
	for at := 0; at < n; {
		ids, err := d.index.some(n - at)
		if err != nil {
			return nil, err
		}
		dst := out[at*d.width:]
		switch d.width {
		case 8:
			for i, id := range ids {
				binary.LittleEndian.PutUint64(dst[i*8:], binary.LittleEndian.Uint64(d.dict[int(id)*8:]))
			}
		case 4:
			for i, id := range ids {
				binary.LittleEndian.PutUint32(dst[i*4:], binary.LittleEndian.Uint32(d.dict[int(id)*4:]))
			}
		default:
			for i, id := range ids {
				copy(dst[i*d.width:(i+1)*d.width], d.dict[int(id)*d.width:])
			}
		}
		at += len(ids)
	}
	return out, nil
}

// indexes reads dictionary indices and checks them.
type indexes struct {
	runs hybrid
	size int // of the dictionary
	buf  [1024]uint32
}

// newIndexes reads the page body: a byte with the bit width, then runs.
func newIndexes(body []byte, size int) (indexes, error) {
	if len(body) == 0 {
		return indexes{}, nil // a page of NULLs; asking for a value fails
	}
	if body[0] > 32 {
		return indexes{}, fmt.Errorf("dictionary indices of %d bits", body[0])
	}
	return indexes{runs: hybrid{src: body[1:], width: int(body[0])}, size: size}, nil
}

// some returns up to n checked indices, valid until the next call.
func (x *indexes) some(n int) ([]uint32, error) {
	ids := x.buf[:min(n, len(x.buf))]
	if err := x.runs.indices(ids); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if int64(id) >= int64(x.size) {
			return nil, fmt.Errorf("dictionary index %d of %d", id, x.size)
		}
	}
	return ids, nil
}

// deltaFixed is DELTA_BINARY_PACKED for INT32 and INT64.
type deltaFixed struct {
	d     *delta
	width int
}

func (f *deltaFixed) take(n int) ([]byte, error) {
	if n > f.d.total-f.d.done {
		return nil, errValuesEnd
	}
	out := make([]byte, n*f.width)
	for i := range n {
		v, err := f.d.next()
		if err != nil {
			return nil, err
		}
		if f.width == 4 {
			binary.LittleEndian.PutUint32(out[i*4:], uint32(v))
		} else {
			binary.LittleEndian.PutUint64(out[i*8:], uint64(v))
		}
	}
	return out, nil
}

// unsplit undoes BYTE_STREAM_SPLIT of values of width bytes.
func unsplit(body []byte, width int) []byte {
	out := make([]byte, len(body))
	n := len(body) / width
	for k := range width {
		for i, b := range body[k*n : (k+1)*n] {
			out[i*width+k] = b
		}
	}
	return out
}

// byteValues yields byte arrays; each is valid until the next call.
type byteValues interface {
	next() ([]byte, error)
}

// plainBytes is PLAIN: a 32-bit length, then the bytes.
type plainBytes struct{ body []byte }

func (p *plainBytes) next() ([]byte, error) {
	if len(p.body) < 4 {
		return nil, errValuesEnd
	}
	n := binary.LittleEndian.Uint32(p.body)
	if uint64(n) > uint64(len(p.body)-4) {
		return nil, fmt.Errorf("a value of %d bytes in the last %d of the page", n, len(p.body)-4)
	}
	out := p.body[4 : 4+n]
	p.body = p.body[4+n:]
	return out, nil
}

// byteDict is a dictionary of byte arrays: starts[i] is where the length of value i lies in body.
type byteDict struct {
	body   []byte
	starts []uint32
}

func newByteDict(body []byte, n int) (*byteDict, error) {
	if n > len(body)/4 {
		return nil, fmt.Errorf("%d values in a dictionary of %d bytes", n, len(body))
	}
	d := &byteDict{body: body, starts: make([]uint32, n)}
	p := plainBytes{body: body}
	for i := range d.starts {
		d.starts[i] = uint32(len(body) - len(p.body))
		if _, err := p.next(); err != nil {
			return nil, err
		}
	}
	if len(p.body) != 0 {
		return nil, fmt.Errorf("%d bytes behind the %d values of a dictionary", len(p.body), n)
	}
	return d, nil
}

func (d *byteDict) value(id uint32) []byte {
	at := d.starts[id]
	n := binary.LittleEndian.Uint32(d.body[at:])
	return d.body[at+4 : at+4+n]
}

type dictBytes struct {
	index indexes
	dict  *byteDict
	left  int // values of the page not asked for yet
	ids   []uint32
}

func (d *dictBytes) next() ([]byte, error) {
	if len(d.ids) == 0 {
		if d.left == 0 {
			return nil, errValuesEnd
		}
		var err error
		if d.ids, err = d.index.some(d.left); err != nil {
			return nil, err
		}
		d.left -= len(d.ids)
	}
	id := d.ids[0]
	d.ids = d.ids[1:]
	return d.dict.value(id), nil
}

// lengthBytes is DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
type lengthBytes struct {
	lengths []int32
	body    []byte
}

func (l *lengthBytes) next() ([]byte, error) {
	if len(l.lengths) == 0 || int(l.lengths[0]) > len(l.body) {
		return nil, errValuesEnd
	}
	n := l.lengths[0]
	out := l.body[:n]
	l.lengths, l.body = l.lengths[1:], l.body[n:]
	return out, nil
}

// prefixBytes is DELTA_BYTE_ARRAY: each value shares a prefix with the one before.
type prefixBytes struct {
	prefixes []int32
	suffixes lengthBytes
	last     []byte
	limit    int
}

func (p *prefixBytes) next() ([]byte, error) {
	suffix, err := p.suffixes.next()
	if err != nil {
		return nil, err
	}
	n := int(p.prefixes[0])
	if n > len(p.last) {
		return nil, fmt.Errorf("a prefix of %d bytes of a value of %d", n, len(p.last))
	}
	if n+len(suffix) > p.limit {
		return nil, fmt.Errorf("a value of %d bytes", n+len(suffix))
	}
	p.prefixes = p.prefixes[1:]
	p.last = append(p.last[:n], suffix...)
	return p.last, nil
}
