package binlog

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/milvus"
)

// benchCases are columns of 64 Ki rows as a segment has them.
func benchCases() []struct {
	name  string
	field milvus.Field
	raw   arrow.Array
	bytes int64
} {
	const rows, dim = 1 << 16, 128
	r := rand.New(rand.NewPCG(1, 2))
	ids := array.NewInt64Builder(memory.DefaultAllocator)
	texts := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	vectors := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: 4 * dim})
	text, one := make([]byte, 40), make([]float32, dim)
	for range rows {
		ids.Append(r.Int64())
		for i := range text {
			text[i] = 'a' + byte(r.IntN(26))
		}
		texts.Append(text)
		for i := range one {
			one[i] = float32(r.NormFloat64())
		}
		vectors.Append(arrow.GetBytes(one))
	}
	return []struct {
		name  string
		field milvus.Field
		raw   arrow.Array
		bytes int64
	}{
		{"int64", milvus.Field{ID: 100, Type: milvus.TypeInt64}, ids.NewArray(), rows * 8},
		{"varchar", milvus.Field{ID: 101, Type: milvus.TypeVarChar}, texts.NewArray(), rows * int64(len(text))},
		{"float_vector_128", milvus.Field{ID: 102, Type: milvus.TypeFloatVector, Dim: dim}, vectors.NewArray(), rows * 4 * dim},
	}
}

// BenchmarkDecode reports bytes of decoded values per second.
func BenchmarkDecode(b *testing.B) {
	for _, c := range benchCases() {
		file, err := Writer{}.Encode(head, c.field, c.raw)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(c.bytes)
			b.ReportAllocs()
			for b.Loop() {
				f, err := Open(file)
				if err != nil {
					b.Fatal(err)
				}
				col, err := f.Column(c.field)
				for err == nil {
					_, err = col.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode reports bytes of values written per second.
func BenchmarkEncode(b *testing.B) {
	for _, c := range benchCases() {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(c.bytes)
			for b.Loop() {
				if _, err := (Writer{}).Encode(head, c.field, c.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFilterAdd(b *testing.B) {
	for name, kind := range map[string]FilterKind{"basic": FilterBasic, "blocked": FilterBlocked} {
		b.Run(name, func(b *testing.B) {
			f, key := NewFilter(kind, 1<<20), int64(0)
			for b.Loop() {
				f.AddInt64(key)
				key++
			}
		})
	}
}
