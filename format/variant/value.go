package variant

import "encoding/binary"

// MaxDepth is how deeply arrays and objects may be nested: readers of variants recurse.
const MaxDepth = 1000

// Limits of a text: a value takes some hundred bytes of memory while it is parsed, of which hostile text has one in two
// bytes. Milvus takes texts of 64 KiB; Spark 4.0 reads variants below 16 MiB, which no text within the limits exceeds.
const (
	MaxText   = 8 << 20 // bytes
	MaxValues = 1 << 18 // at all levels
)

type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
	kindOther // of a variant only: dates, binaries and whatever else JSON does not have
)

// Value is a JSON value. The zero value is null.
type Value struct {
	kind   kind
	number number
	text   string   // of a string; of another type its name and bytes
	keys   []string // of an object: ascending and unique
	elems  []Value  // of an array, or of an object beside its keys
}

// AppendCanonical appends bytes that are the same for equal values and differ for others.
func (v Value) AppendCanonical(dst []byte) []byte {
	switch v.kind {
	case kindNumber:
		return appendText(append(dst, '#'), v.number.canonical())
	case kindString:
		return appendText(append(dst, '"'), v.text)
	case kindOther:
		return appendText(append(dst, 'x'), v.text)
	case kindArray:
		dst = binary.LittleEndian.AppendUint32(append(dst, '['), uint32(len(v.elems)))
		for _, e := range v.elems {
			dst = e.AppendCanonical(dst)
		}
		return dst
	case kindObject:
		dst = binary.LittleEndian.AppendUint32(append(dst, '{'), uint32(len(v.elems)))
		for i, e := range v.elems {
			dst = e.AppendCanonical(appendText(dst, v.keys[i]))
		}
		return dst
	}
	return append(dst, "nft"[v.kind])
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}
