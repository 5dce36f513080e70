package fielddata

import (
	"encoding/binary"
	"errors"

	"github.com/twpayne/go-geom/encoding/wkb"
	"github.com/twpayne/go-geom/encoding/wkt"

	"github.com/snapexport/snapexport/core/status"
)

// maxNesting bounds geometry collections within each other.
const maxNesting = 32

var errWKB = errors.New("the bytes are no WKB")

// checkWKB looks for counts that the bytes do not bear out before anything is allocated for them, and returns what comes after
// the geometry. Types are those of ISO WKB: 1 to 7, plus 1000 (Z), 2000 (M) or 3000 (ZM).
func checkWKB(b []byte, nesting int) ([]byte, error) {
	if len(b) < 5 || b[0] > 1 || nesting > maxNesting {
		return nil, errWKB
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 1 {
		order = binary.LittleEndian
	}
	kind := order.Uint32(b[1:])
	if kind/1000 > 3 {
		return nil, errWKB
	}
	point := 8 * [...]int{2, 3, 3, 4}[kind/1000]
	b = b[5:]
	switch kind % 1000 {
	case 1: // point
		return skip(b, 1, point)
	case 2: // line
		return points(b, order, point)
	case 3: // polygon
		return many(b, order, 4, func(b []byte) ([]byte, error) { return points(b, order, point) })
	case 4, 5, 6, 7: // of points, lines, polygons, anything
		return many(b, order, 5, func(b []byte) ([]byte, error) { return checkWKB(b, nesting+1) })
	}
	return nil, errWKB
}

func skip(b []byte, n, size int) ([]byte, error) {
	if n > len(b)/size {
		return nil, errWKB
	}
	return b[n*size:], nil
}

func points(b []byte, order binary.ByteOrder, size int) ([]byte, error) {
	if len(b) < 4 {
		return nil, errWKB
	}
	return skip(b[4:], int(order.Uint32(b)), size)
}

// many skips as many parts as a count says, of at least least bytes each.
func many(b []byte, order binary.ByteOrder, least int, part func([]byte) ([]byte, error)) ([]byte, error) {
	if len(b) < 4 {
		return nil, errWKB
	}
	n := int(order.Uint32(b))
	if b = b[4:]; n > len(b)/least {
		return nil, errWKB
	}
	var err error
	for range n {
		if b, err = part(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// littleEndian returns a WKB that someone sent as it is kept.
func littleEndian(b []byte) ([]byte, error) {
	rest, err := checkWKB(b, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errWKB
	}
	g, err := wkb.Unmarshal(b, emptyPoint)
	if err != nil {
		return nil, err
	}
	return wkb.Marshal(g, wkb.NDR, emptyPoint)
}

// ParseGeometry turns WKT into WKB.
func ParseGeometry(text string) ([]byte, error) {
	depth := 0
	for _, c := range []byte(text) {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth > maxNesting {
			return nil, status.Invalid("invalid WKT: more than %d nested parentheses", maxNesting)
		}
	}
	g, err := wkt.Unmarshal(text)
	if err != nil {
		return nil, status.Invalid("invalid WKT %.100q", text)
	}
	return wkb.Marshal(g, wkb.NDR, emptyPoint)
}

// FormatGeometry turns WKB into WKT.
func FormatGeometry(b []byte) (string, error) {
	if _, err := checkWKB(b, 0); err != nil {
		return "", err
	}
	g, err := wkb.Unmarshal(b, emptyPoint)
	if err != nil {
		return "", err
	}
	return wkt.Marshal(g)
}
