package datafile

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/zstd"
)

// column is a top-level field: one chunk or, if it is nested, several in each row group.
type column interface {
	write(a arrow.Array) error
	buffered() int64  // bytes in memory of the row group
	end() error       // ends the chunks
	chunks() []*chunk // in order; ended ones are written, then begin is called
	begin()           // begins the next row group
}

// newColumns returns the columns of the schema, whose leaves are ls.
func newColumns(schema *arrow.Schema, ls []leaf, o Options) ([]column, error) {
	codec, err := codecOf(o.CompressionLevel)
	if err != nil {
		return nil, err
	}
	shared := o.Buffers
	if shared == nil {
		shared = new(Buffers)
	}
	shared.use(int(o.PageBytes))
	out := make([]column, schema.NumFields())
	for i, f := range schema.Fields() {
		n := 1
		for n < len(ls) && ls[n].top == ls[0].top {
			n++
		}
		out[i] = newColumn(f, ls[:n], codec, shared, o)
		ls = ls[n:]
	}
	return out, nil
}

func newColumn(f arrow.Field, ls []leaf, codec *zstd.Encoder, b *Buffers, o Options) column {
	chunkOf := func(l leaf) chunk {
		if l.vector {
			return newChunk(l, nil, b)
		}
		return newChunk(l, codec, b)
	}
	if len(ls) == 1 && !ls[0].nested {
		return flat{newPager(chunkOf(ls[0]), o), f}
	}
	if len(ls) == 1 {
		if v, ok := newVector(f, chunkOf(ls[0]), o); ok {
			return v
		}
	}
	c := &nested{field: f, leaves: make([]*pager, len(ls))}
	for i, l := range ls {
		c.leaves[i] = newPager(chunkOf(l), o)
	}
	return c
}

// window is how far back matches are looked for: pages are about as large.
const window = 1 << 20

var codecs sync.Map // of zstd, by level

// codecOf returns the zstd encoder of a level, which may be used concurrently.
func codecOf(level int) (*zstd.Encoder, error) {
	if c, ok := codecs.Load(level); ok {
		return c.(*zstd.Encoder), nil
	}
	c, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithWindowSize(window), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	have, _ := codecs.LoadOrStore(level, c)
	return have.(*zstd.Encoder), nil
}
