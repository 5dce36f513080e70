package deltalog

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

// What Each hands over, piece by piece, is what Read returns, whatever the form.
func TestEachIsRead(t *testing.T) {
	const n = 150_000
	for _, v := range variants() {
		for _, d := range []*Deletes{ints(n), plain(n)} {
			if v.Form == Text && d.PKType != ints(1).PKType {
				continue
			}
			t.Run(fmt.Sprint(v.name, " ", d.PKType), func(t *testing.T) {
				t.Parallel()
				file, err := v.Encode(header, d)
				if err != nil {
					t.Fatal(err)
				}
				row, most := 0, 0
				err = Each(file, func(part *Deletes) error {
					for i, ts := range part.TS {
						if ts != d.TS[row+i] || d.Strings == nil && part.Int64[i] != d.Int64[row+i] || d.Strings != nil && part.Strings.Value(i) != d.Strings.Value(row+i) {
							return fmt.Errorf("delete %d differs", row+i)
						}
					}
					row, most = row+part.Len(), max(most, part.Len())
					return nil
				})
				if err != nil || row != n {
					t.Fatalf("%d deletes, %v", row, err)
				}
				if most == n && len(file) > 2<<20 {
					t.Errorf("%d bytes came as one piece", len(file))
				}
				stop := errors.New("enough")
				if err := Each(file, func(*Deletes) error { return stop }); !errors.Is(err, stop) {
					t.Errorf("the caller's error became %v", err)
				}
			})
		}
	}
}

// Cells in one pass or in the slow way: the same.
func TestIntegerCells(t *testing.T) {
	for _, cell := range []string{
		`{"pk":0,"ts":1,"pkType":5}`, `{"pk":-7,"ts":470646393191268355,"pkType":5}`, `{"pk":9223372036854775807,"ts":18446744073709551615,"pkType":5}`,
		`{"pk":-9223372036854775808,"ts":0,"pkType":5}`, `{"pk":999999999999999999,"ts":999999999999999999,"pkType":5}`, `{"pk":-0,"ts":3,"pkType":5}`,
	} {
		fast, slow := &builder{}, &builder{}
		if err := errors.Join(fast.addCell([]byte(cell)), slow.addObject([]byte(cell))); err != nil || !slices.Equal(fast.ints, slow.ints) || !slices.Equal(fast.ts, slow.ts) {
			t.Errorf("%s: %v %v, slowly %v %v; %v", cell, fast.ints, fast.ts, slow.ints, slow.ts, err)
		}
	}
	for _, cell := range []string{`{"pk":01,"ts":1,"pkType":5}`, `{"pk":,"ts":1,"pkType":5}`, `{"pk":-,"ts":1,"pkType":5}`, `{"pk":1,"ts":,"pkType":5}`, `{"pk":1,"ts":-1,"pkType":5}`, `{"pk":1,"ts":1,"pkType":5`} {
		if _, _, ok := scanInts([]byte(cell)); ok || (&builder{}).addCell([]byte(cell)) == nil {
			t.Errorf("%s is a delete", cell)
		}
	}
}

// cpu is the processor time that the process took.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEach reports deletes per second of processor time.
func BenchmarkEach(b *testing.B) {
	const n = 1_000_000
	for _, v := range variants() {
		if v.Before25 || v.Form == Text {
			continue
		}
		for _, d := range []*Deletes{ints(n), plain(n)} {
			file, err := v.Encode(header, d)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(v.name, " ", d.PKType), func(b *testing.B) {
				b.ReportAllocs()
				start := cpu()
				for b.Loop() {
					if err := Each(file, func(*Deletes) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/(cpu()-start).Seconds()/1e6, "Mdeletes/cpu-s")
			})
		}
	}
}
