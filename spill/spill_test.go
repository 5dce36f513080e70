package spill

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
)

type record struct {
	key      string
	ts       uint64
	tag, row uint32
}

// What several writers put in comes out once, keys of one hash in one partition, whether blocks are in memory, in the file or both.
func TestRecordsComeBack(t *testing.T) {
	for _, text := range []bool{false, true} {
		for _, memory := range []int64{0, 10_000, 1 << 30} {
			dir := t.TempDir()
			s := New(Options{Dir: dir, Partitions: 5, Memory: memory, Block: 20, Text: text})
			rnd := rand.New(rand.NewPCG(1, uint64(memory)))
			want := map[record]int{}
			for range 3 {
				w := s.Writer()
				for i := range 1000 {
					key := rnd.Int64() >> rnd.IntN(60)
					r := record{fmt.Sprint(key), rnd.Uint64(), rnd.Uint32(), uint32(i)}
					var err error
					if text {
						r.key = strings.Repeat(r.key, rnd.IntN(3)*rnd.IntN(2000))
						err = w.AddText(HashText([]byte(r.key)), []byte(r.key), r.ts, r.tag, r.row)
					} else {
						err = w.AddInt64(HashInt64(key), key, r.ts, r.tag, r.row)
					}
					if err != nil {
						t.Fatal(err)
					}
					want[r]++
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if (s.Spilled() > 0) != (memory < 1<<30) || s.Held() > memory || s.Partitions() != 8 {
				t.Errorf("memory %d: %d bytes are held, %d spilled, %d partitions", memory, s.Held(), s.Spilled(), s.Partitions())
			}
			if s.file != nil {
				if info, err := s.file.Stat(); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("the file: %v, %v", info.Mode(), err)
				}
			}
			partOf := map[string]int{}
			var sum int64
			for p := range s.Partitions() {
				n, _ := s.Size(p)
				sum += n
				err := s.Each(p, func(b *Batch) error {
					for i, ts := range b.TS {
						r := record{"", ts, b.Tags[i], b.Rows[i]}
						r.key = string(b.keyText(i))
						if part(b.Hash(i), s.log) != p {
							t.Errorf("key %q is in partition %d", r.key, p)
						}
						if q, ok := partOf[r.key]; ok && q != p {
							t.Errorf("key %q in two partitions", r.key)
						}
						partOf[r.key] = p
						want[r]--
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for r, n := range want {
				if n != 0 {
					t.Errorf("%+v: %d times too few", r, n)
				}
			}
			if err := s.Close(); err != nil || sum != 3000 {
				t.Errorf("%d records, %v", sum, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		}
	}
}

func (b *Batch) keyText(i int) []byte {
	if b.Ends == nil {
		return fmt.Append(nil, b.Ints[i])
	}
	return b.Key(i)
}

// Without a directory, or without one that is there, what does not fit is ErrLimit.
func TestNowhereToSpill(t *testing.T) {
	for _, dir := range []string{"", t.TempDir() + "/not there"} {
		s := New(Options{Dir: dir, Partitions: 2, Block: 16})
		w := s.Writer()
		for i := range int64(100) {
			if err := w.AddInt64(HashInt64(i), i, 1, 0, 0); err != nil {
				if !errors.Is(err, fault.ErrLimit) {
					t.Error(err)
				}
				break
			}
		}
		if err := w.Flush(); !errors.Is(err, fault.ErrLimit) {
			t.Errorf("%q: %v", dir, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A write that fails names the directory and says what to do.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{Dir: dir, Partitions: 2, Block: 16})
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	_ = s.file.Close() // what follows fails as on a full disk
	w := s.Writer()
	if err := w.AddInt64(1, 1, 1, 0, 0); err != nil {
		t.Fatal(err)
	}
	var e *fault.Error
	if err := w.Flush(); !errors.As(err, &e) || !errors.Is(err, fault.ErrLimit) || e.Object != dir || !strings.Contains(e.Hint, "--temp-dir") {
		t.Errorf("%v", err)
	}
}

func TestBloom(t *testing.T) {
	const n = 100_000
	b := NewBloom(n, 1<<20)
	for i := range int64(n) {
		b.Add(HashInt64(i))
	}
	wrong := 0
	for i := range int64(n) {
		if !b.Has(HashInt64(i)) {
			t.Fatalf("key %d is missing", i)
		}
		if b.Has(HashInt64(n + i)) {
			wrong++
		}
	}
	if wrong > n/10 || b.Bytes() > 2*n || NewBloom(n, n-1) != nil || !(*Bloom)(nil).Has(1) {
		t.Errorf("%d of %d others, %d bytes", wrong, n, b.Bytes())
	}
}
