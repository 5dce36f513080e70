package pages

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// benchFile makes a file of one column with parquet-go, about 16 MiB of values.
func benchFile[T any](b *testing.B, rows int, row func(*rand.Rand, int) T, options ...parquet.WriterOption) []byte {
	b.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out, append(options, parquet.PageBufferSize(1<<20), parquet.DataPageStatistics(false))...)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		if _, err := w.Write([]T{row(rng, i)}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

type benchVector struct {
	V [512]byte `parquet:"v"`
}

type benchInt struct {
	V int64 `parquet:"v"`
}

type benchIntDict struct {
	V int64 `parquet:"v,dict"`
}

type benchIntNull struct {
	V *int64 `parquet:"v,optional"`
}

type benchText struct {
	V string `parquet:"v,plain"`
}

func vectorRow(rng *rand.Rand, _ int) (v benchVector) {
	for i := 0; i < len(v.V); i += 4 {
		x := rng.Uint32()
		v.V[i], v.V[i+1], v.V[i+2], v.V[i+3] = byte(x), byte(x>>8), byte(x>>16), 0x3f // floats below one
	}
	return v
}

// cpuTime returns the seconds of processor time used so far: other work on the machine does not count.
func cpuTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func benchRead(b *testing.B, name string, file []byte, size int64) {
	for _, how := range []string{"memory", "reader"} {
		b.Run(name+"/"+how, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			rows := int64(0)
			start := cpuTime(b)
			for b.Loop() {
				f, err := OpenBytes(file)
				if how == "reader" {
					f, err = Open(bytes.NewReader(file), int64(len(file)))
				}
				if err != nil {
					b.Fatal(err)
				}
				c, err := f.Cursor(0)
				for err == nil {
					_, err = c.Next()
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				rows += f.NumRows()
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpuTime(b)-start), "MB/cpu-s")
		})
	}
}

// BenchmarkRead reports MB/s of decoded values.
func BenchmarkRead(b *testing.B) {
	for _, codec := range []string{"none", "zstd"} {
		var opt []parquet.WriterOption
		if codec == "zstd" {
			opt = append(opt, parquet.Compression(&parquet.Zstd))
		}
		const size = 16 << 20
		benchRead(b, "fixed512/"+codec, benchFile(b, size/512, vectorRow, opt...), size)
		benchRead(b, "int64/"+codec, benchFile(b, size/8, func(r *rand.Rand, i int) benchInt { return benchInt{int64(i) * 3} }, opt...), size)
		benchRead(b, "int64 dictionary/"+codec, benchFile(b, size/8, func(r *rand.Rand, i int) benchIntDict { return benchIntDict{r.Int64N(500)} }, opt...), size)
		benchRead(b, "int64 nulls/"+codec, benchFile(b, size/8, func(r *rand.Rand, i int) benchIntNull {
			if v := r.Int64(); v%10 != 0 {
				return benchIntNull{&v}
			}
			return benchIntNull{}
		}, opt...), size)
		benchRead(b, "text32/"+codec, benchFile(b, size/32, func(r *rand.Rand, i int) benchText {
			return benchText{fmt.Sprintf("row %012d %015d", i, r.Int64N(1<<40))}
		}, opt...), size)
	}
	b.Run("memmove", func(b *testing.B) {
		from, to := make([]byte, 16<<20), make([]byte, 16<<20)
		b.SetBytes(int64(len(from)))
		start := cpuTime(b)
		for b.Loop() {
			copy(to, from)
		}
		b.ReportMetric(float64(len(to))*float64(b.N)/1e6/(cpuTime(b)-start), "MB/cpu-s")
	})
}
