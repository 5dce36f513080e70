package deltalog

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/milvus"
)

// BenchmarkRead reports deletes per second.
func BenchmarkRead(b *testing.B) {
	const n = 200_000
	for _, v := range variants() {
		if v.Before25 {
			continue
		}
		for _, d := range []*Deletes{ints(n), plain(n)} {
			if v.Form == Text && d.PKType == milvus.TypeVarChar {
				continue
			}
			file, err := v.Encode(header, d)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(v.name, " ", d.PKType), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Read(file); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mdeletes/s")
			})
		}
	}
}

// plain are deletes of keys without escapes.
func plain(n int) *Deletes {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	d := &Deletes{PKType: milvus.TypeVarChar}
	for i := range n {
		b.Append(fmt.Sprintf("document-%09d", i))
		d.TS = append(d.TS, 470646393191268355+uint64(i%7))
	}
	d.Strings = b.NewStringArray()
	return d
}
