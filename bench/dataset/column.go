package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// column makes n values of a field. They depend on the field, on at, a number that no other chunk has, and on the seed, so that
// they are the same in every storage version.
func column(f milvus.Field, seed uint64, at, n int) (arrow.Array, error) {
	t, err := cell.Type(f)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, uint64(f.ID)<<48|uint64(at)))
	if f.Type.IsDenseVector() {
		return vectors(t, f, r, n), nil
	}
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	b.Reserve(n)
	for range n {
		if f.Nullable && r.IntN(10) == 0 {
			b.AppendNull()
			continue
		}
		value(b, f, r)
	}
	return b.NewArray(), nil
}

// vectors are normally distributed, as embeddings are about.
func vectors(t arrow.DataType, f milvus.Field, r *rand.Rand, n int) arrow.Array {
	if f.Type == milvus.TypeBinaryVector {
		body := make([]byte, n*f.Dim/8)
		for i := range body {
			body[i] = byte(r.Uint32())
		}
		return array.MakeFromData(array.NewData(t, n, []*memory.Buffer{nil, memory.NewBufferBytes(body)}, nil, 0, 0))
	}
	var values *array.Data
	if f.Type == milvus.TypeInt8Vector {
		v := make([]int32, n*f.Dim)
		for i := range v {
			v[i] = int32(int8(r.Uint32()))
		}
		values = array.NewData(arrow.PrimitiveTypes.Int32, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(v))}, nil, 0, 0)
	} else {
		v := make([]float32, n*f.Dim)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		values = array.NewData(arrow.PrimitiveTypes.Float32, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(v))}, nil, 0, 0)
	}
	return array.MakeFromData(array.NewData(t, n, []*memory.Buffer{nil}, []arrow.ArrayData{values}, 0, 0))
}

// value appends one value.
func value(b array.Builder, f milvus.Field, r *rand.Rand) {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(r.IntN(2) == 0)
	case *array.Int32Builder:
		bits := map[milvus.DataType]int{milvus.TypeInt8: 24, milvus.TypeInt16: 16}[f.Type]
		b.Append(int32(r.Uint32()) >> bits)
	case *array.Int64Builder:
		b.Append(int64(r.Uint64() >> r.IntN(60))) // of any length
	case *array.Float32Builder:
		b.Append(float32(r.NormFloat64()))
	case *array.Float64Builder:
		b.Append(r.NormFloat64())
	case *array.StringBuilder:
		if f.Type == milvus.TypeJSON {
			b.Append(document(r))
		} else {
			b.Append(title(r))
		}
	case *array.ListBuilder:
		b.Append(true)
		for range r.IntN(f.MaxCapacity + 1) {
			value(b.ValueBuilder(), milvus.Field{Type: f.ElementType}, r)
		}
	case *array.MapBuilder: // a sparse vector
		b.Append(true)
		at := int64(0)
		for range 1 + r.IntN(30) {
			at += 1 + r.Int64N(1000)
			b.KeyBuilder().(*array.Int64Builder).Append(at)
			b.ItemBuilder().(*array.Float32Builder).Append(r.Float32())
		}
	default:
		panic(fmt.Sprintf("no values for %v", f.Type)) // the workloads have no such field
	}
}

var words = strings.Fields("amber birch cobalt delta ember fjord granite harbour indigo juniper kelp lagoon meadow nickel opal prairie quartz river saffron tundra umber valley willow xenon yarrow zephyr")

// title has 20 to 60 bytes.
func title(r *rand.Rand) string {
	text := fmt.Sprintf("%08x", r.Uint32())
	for most := 20 + r.IntN(35); len(text) < most; {
		text += " " + words[r.IntN(len(words))]
	}
	return text[:min(len(text), 60)]
}

// document is a small object, spelt as Python's json module spells it without spaces: a client that parses and writes it again
// has the same bytes.
func document(r *rand.Rand) string {
	score := strconv.FormatFloat(float64(r.IntN(10_000))/10_000, 'f', -1, 64)
	return fmt.Sprintf(`{"lang":%q,"year":%d,"score":%s,"tags":[%q,%q]}`, words[r.IntN(8)], 1990+r.IntN(36), score,
		words[r.IntN(len(words))], words[r.IntN(len(words))])
}

func longs(v []int64) arrow.Array {
	data := array.NewData(arrow.PrimitiveTypes.Int64, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(v))}, nil, 0, 0)
	return array.NewInt64Data(data)
}
