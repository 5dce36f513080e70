package datafile

import (
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const (
	benchRows  = 500_000
	benchBatch = 2048
)

// BenchmarkDense writes 500,000 rows of key, vector, short text and JSON, and beside it the same by arrow-go.
func BenchmarkDense(b *testing.B) {
	for _, dim := range []int{128, 768} {
		schema, batches := dense(dim)
		n := benchRows * 128 / dim / benchBatch
		each := func(write func(arrow.RecordBatch)) {
			for i := range n {
				write(batches[i%len(batches)])
			}
		}
		b.Run(fmt.Sprintf("dim=%d/pages", dim), func(b *testing.B) {
			measure(b, n*benchBatch, dim, func(out io.Writer) {
				w, err := Create(out, schema, Options{Keys: []string{"id"}})
				if err != nil {
					b.Fatal(err)
				}
				each(func(rec arrow.RecordBatch) {
					if err := w.Write(rec); err != nil {
						b.Fatal(err)
					}
				})
				if _, err := w.Close(); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run(fmt.Sprintf("dim=%d/arrow-go", dim), func(b *testing.B) {
			all := make([]arrow.RecordBatch, 0, n)
			each(func(rec arrow.RecordBatch) { all = append(all, rec) })
			measure(b, n*benchBatch, dim, func(out io.Writer) {
				writeReference(b, out, schema, Options{Keys: []string{"id"}}, all...)
			})
		})
	}
}

// measure reports by CPU time, which a busy machine does not change.
func measure(b *testing.B, rows, dim int, write func(io.Writer)) {
	b.ReportAllocs()
	before := cpu(b)
	out := &counter{w: io.Discard}
	for b.Loop() {
		out.n = 0
		write(out)
	}
	seconds := (cpu(b) - before) / float64(b.N)
	b.ReportMetric(float64(rows*dim*4)/seconds/1e6, "MB-vectors/cpu-s")
	b.ReportMetric(float64(rows)/seconds, "rows/cpu-s")
	b.ReportMetric(float64(out.n)/1e6, "MB-file")
}

func cpu(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// dense returns batches of key, vector, text and JSON; the texts of a batch differ from each other.
func dense(dim int) (*arrow.Schema, []arrow.RecordBatch) {
	schema := numbered(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "vec", Type: arrow.FixedSizeListOfField(int32(dim), element(arrow.PrimitiveTypes.Float32, false))},
		arrow.Field{Name: "title", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "meta", Type: arrow.BinaryTypes.String})
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]arrow.RecordBatch, 16)
	for k := range out {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		list := b.Field(1).(*array.FixedSizeListBuilder)
		values := list.ValueBuilder().(*array.Float32Builder)
		for i := range benchBatch {
			id := k*benchBatch + i
			b.Field(0).(*array.Int64Builder).Append(int64(id)<<20 + int64(r.IntN(1<<20)))
			list.Append(true)
			for range dim {
				values.Append(r.Float32())
			}
			b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("title %d", id))
			b.Field(3).(*array.StringBuilder).Append(fmt.Sprintf(`{"color": "%s", "price": %.2f, "tags": ["a%d", "b"], "n": %d}`, []string{"red", "green", "blue"}[r.IntN(3)], r.Float64()*100, r.IntN(20), id))
		}
		out[k] = b.NewRecordBatch()
	}
	return schema, out
}
