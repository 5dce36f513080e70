package pages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

	"github.com/snapexport/snapexport/buffer"
)

// zstdSlack is the room behind the output that lets the decoder use its fast path.
const zstdSlack = 64

// zstdDecoder is safe for concurrent DecodeAll calls, which start no goroutine.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(1<<31))
})

// decompress returns exactly size bytes, in memory of their own. Before size bytes are allocated, src is known to be able
// to yield them: each codec has a largest ratio, and for zstd it is read from the block headers.
func decompress(codec format.CompressionCodec, src []byte, size int) ([]byte, error) {
	if size == 0 && len(src) == 0 {
		return nil, nil
	}
	if most, ok := expansion(codec, src); ok && int64(size) > most {
		return nil, fmt.Errorf("%d bytes are declared, %d bytes of %v hold at most %d", size, len(src), codec, most)
	}
	var out []byte
	var err error
	switch codec {
	case format.Zstd:
		out, err = unzstd(src, size)
	case format.Snappy:
		out, err = unsnappy(src, size)
	case format.Lz4Raw:
		var n int
		out = buffer.Get(size)
		n, err = lz4.UncompressBlock(src, out)
		out = out[:max(n, 0)]
	case format.Gzip:
		out, err = ungzip(src, size)
	case format.Brotli:
		out, err = unbrotli(src, size)
	default:
		return nil, fmt.Errorf("codec %v", codec)
	}
	if err == nil && len(out) != size {
		err = fmt.Errorf("%d bytes were declared, %d came out", size, len(out))
	}
	return out, err
}

// expansion bounds the bytes that src can decompress to; false if nothing is known.
func expansion(codec format.CompressionCodec, src []byte) (int64, bool) {
	n := int64(len(src))
	switch codec {
	case format.Zstd:
		return zstdBound(src), true
	case format.Snappy:
		return n*64/3 + 64, true // a copy takes 3 bytes for up to 64; a literal is not smaller than its text
	case format.Lz4Raw:
		return n*255 + 64, true
	case format.Gzip:
		return n*1032 + 64, true
	}
	return 0, false
}

// readable reports whether the codec can be decompressed.
func readable(codec format.CompressionCodec) bool {
	switch codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Zstd, format.Lz4Raw, format.Brotli:
		return true
	}
	return false
}

func unzstd(src []byte, size int) ([]byte, error) {
	d, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	return d.DecodeAll(src, buffer.Get(size + zstdSlack)[:0])
}

func unsnappy(src []byte, size int) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("%d bytes were declared, the snappy block says %d", size, n)
	}
	return snappy.Decode(buffer.Get(size), src)
}

func ungzip(src []byte, size int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if n, err := io.ReadFull(r, out); err != nil {
		return out[:n], err
	}
	return out, atEnd(r)
}

// unbrotli grows its output with what was really there, since brotli has no largest ratio.
func unbrotli(src []byte, size int) ([]byte, error) {
	r := brotli.NewReader(bytes.NewReader(src))
	var out bytes.Buffer
	out.Grow(min(size, max(1<<20, 64*len(src))))
	if _, err := io.CopyN(&out, r, int64(size)); err != nil {
		return out.Bytes(), err
	}
	return out.Bytes(), atEnd(r)
}

func atEnd(r io.Reader) error {
	var b [1]byte
	switch n, err := io.ReadFull(r, b[:]); {
	case n > 0:
		return errors.New("more bytes came out than were declared")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

const (
	zstdMagic     = 0xFD2FB528
	zstdSkippable = 0x184D2A50 // to ...5F
	zstdBlock     = 128 << 10  // largest output of one block
)

// zstdBound returns the largest number of bytes that the frames in src can decompress to, from their block headers alone
// (RFC 8878, 3.1.1). What is malformed counts as its end: the decoder will say what is wrong.
func zstdBound(src []byte) int64 {
	var total int64
	for len(src) >= 5 {
		magic := uint32(src[0]) | uint32(src[1])<<8 | uint32(src[2])<<16 | uint32(src[3])<<24
		if magic&^15 == zstdSkippable {
			if len(src) < 8 {
				return total
			}
			n := 8 + (int64(src[4]) | int64(src[5])<<8 | int64(src[6])<<16 | int64(src[7])<<24)
			src = src[min(n, int64(len(src))):]
			continue
		}
		if magic != zstdMagic {
			return total
		}
		head := zstdHeader(src[4])
		if head+4 > len(src) {
			return total
		}
		n, rest := zstdBlocks(src[4+head:])
		total += n
		if src[4]&4 != 0 { // checksum
			rest = rest[min(4, len(rest)):]
		}
		src = rest
	}
	return total
}

// zstdHeader returns the length of a frame header with the descriptor.
func zstdHeader(descriptor byte) int {
	n := 1 + [4]int{0, 1, 2, 4}[descriptor&3] + [4]int{0, 2, 4, 8}[descriptor>>6]
	single := descriptor&32 != 0
	switch {
	case !single:
		n++ // window descriptor
	case descriptor>>6 == 0:
		n++ // content size of one byte
	}
	return n
}

func zstdBlocks(b []byte) (total int64, rest []byte) {
	for len(b) >= 3 {
		h := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		size, stored := h>>3, h>>3
		switch h >> 1 & 3 {
		case 1: // one byte, repeated
			stored = 1
		case 2:
			size = zstdBlock
		}
		total += int64(min(size, zstdBlock))
		b = b[min(3+stored, len(b)):]
		if h&1 != 0 {
			break
		}
	}
	return total, b
}
