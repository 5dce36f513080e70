package datafile

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// Codec says how pages are compressed, where that makes them smaller.
type Codec struct {
	Name  string // CodecZstd, CodecSnappy, CodecNone; "" is the default of where it stands
	Level int    // of zstd, 1 to 22; the encoder has four strengths, which begin at 1, 3, 6 and 10
}

// The codecs. Others are not read by every engine.
const (
	CodecZstd   = "zstd"
	CodecSnappy = "snappy"
	CodecNone   = "none"
)

// ParseCodec reads zstd, zstd:LEVEL, snappy or none.
func ParseCodec(s string) (Codec, error) {
	name, level, leveled := strings.Cut(s, ":")
	c := Codec{Name: name}
	switch {
	case name == CodecZstd && leveled:
		n, err := strconv.Atoi(level)
		if err != nil || n < 1 || n > 22 {
			return c, fmt.Errorf("%q is no level of zstd: 1 to 22", level)
		}
		c.Level = n
	case name == CodecZstd:
		c.Level = DefaultCompressionLevel
	case leveled || name != CodecSnappy && name != CodecNone:
		return c, fmt.Errorf("no codec %q: zstd, zstd:LEVEL, snappy or none", s)
	}
	return c, nil
}

func (c Codec) String() string {
	if c.Name == CodecZstd {
		return fmt.Sprintf("%s:%d", c.Name, c.Level)
	}
	return c.Name
}

// packer compresses. It may be used concurrently.
type packer struct {
	codec format.CompressionCodec
	pack  func(dst, src []byte) []byte // into the room of dst, or elsewhere
}

// packerOf returns the packer of a codec, nil where nothing is compressed.
func packerOf(c Codec, vectors bool) (*packer, error) {
	switch c.Name {
	case CodecNone:
		return nil, nil
	case CodecSnappy:
		return &packer{format.Snappy, func(dst, src []byte) []byte { return s2.EncodeSnappy(dst[:cap(dst)], src) }}, nil
	case CodecZstd:
		e, err := zstdOf(zstdKey{zstd.EncoderLevelFromZstd(max(c.Level, 1)), vectors})
		if err != nil {
			return nil, err
		}
		return &packer{format.Zstd, func(dst, src []byte) []byte { return e.EncodeAll(src, dst[:0]) }}, nil
	}
	return nil, fault.Unsupported(opWrite, "no codec %q", c.Name)
}

// window is how far back matches are looked for: pages are about as large.
const window = 1 << 20

// zstdKey is what encoders differ in. Floats hardly ever repeat, but some of their bytes are more frequent than others: with
// literals, those are coded also where nothing repeats, which the fastest level does not do by itself.
type zstdKey struct {
	level    zstd.EncoderLevel
	literals bool
}

var encoders sync.Map // of zstd, by zstdKey

func zstdOf(k zstdKey) (*zstd.Encoder, error) {
	if e, ok := encoders.Load(k); ok {
		return e.(*zstd.Encoder), nil
	}
	opts := []zstd.EOption{zstd.WithEncoderLevel(k.level), zstd.WithWindowSize(window), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true)}
	if k.literals {
		opts = append(opts, zstd.WithAllLitEntropyCompression(true))
	}
	e, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		return nil, err
	}
	have, _ := encoders.LoadOrStore(k, e)
	return have.(*zstd.Encoder), nil
}
