package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
)

// readAll reads every column and returns the first error.
func readAll(b []byte) error {
	f, err := OpenBytes(b)
	if err != nil {
		return err
	}
	for i := range f.Columns() {
		if err := readColumnErr(f, i); err != nil {
			return err
		}
	}
	return nil
}

// allocated returns the bytes that do allocated, freed ones included.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// payloads returns the Parquet files inside a V1 binlog (docs/format/binlog-v1.md 1.3); a bare file as it is.
func payloads(b []byte) [][]byte {
	if !bytes.HasPrefix(b, []byte{0xBC, 0xFA, 0xFF, 0x00}) {
		return [][]byte{b}
	}
	var out [][]byte
	for at := 4; at+33 <= len(b); {
		n := int(binary.LittleEndian.Uint32(b[at+9:]))
		if n < 33 || n > len(b)-at {
			break
		}
		if b[at+8] != 0 {
			out = append(out, b[at+33:at+n])
		}
		at += n
	}
	return out
}

func TestAcceptanceLimits(t *testing.T) {
	root := testkit.Acceptance(t)
	found := 0
	for _, c := range testkit.Cases(t, "damaged") {
		if !strings.Contains(c.Name, "limit-parquet-") && !strings.Contains(c.Name, "limit-zstd-") {
			continue
		}
		found++
		t.Run(filepath.Base(c.Name), func(t *testing.T) {
			var refused []error
			used := allocated(func() {
				err := filepath.WalkDir(filepath.Join(root, c.BucketDir), func(path string, d fs.DirEntry, err error) error {
					if err != nil || d.IsDir() || !strings.Contains(path, "insert_log") {
						return err
					}
					b, err := os.ReadFile(path)
					for _, p := range payloads(b) {
						if err := readAll(p); err != nil {
							refused = append(refused, err)
						}
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			})
			if len(refused) != 1 {
				t.Fatalf("%d files were refused: %v", len(refused), refused)
			}
			if class := fault.ClassName(refused[0]); !c.Accepts(class) {
				t.Errorf("%s, want %s: %v", class, c.Refuse, refused[0])
			}
			if used > 16<<20 {
				t.Errorf("%d bytes were allocated", used)
			}
			t.Logf("%v (%d KiB allocated)", refused[0], used>>10)
		})
	}
	if found < 10 {
		t.Fatalf("%d cases", found)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for _, name := range []string{"plain.parquet", "dict-zstd.parquet"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(b); n += 1 + n/50 {
			if err := readAll(b[:n]); fault.ClassName(err) != "ErrCorrupt" {
				t.Fatalf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}

// TestFlippedBytes changes every byte of small files: an error must have a class, and memory stays bounded.
func TestFlippedBytes(t *testing.T) {
	small, _ := filepath.Glob("testdata/small/*.parquet")
	if len(small) < 20 {
		t.Fatalf("%d files", len(small))
	}
	for _, path := range small {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := range b {
			b[at] ^= 0x55
			var err error
			used := allocated(func() { err = readAll(b) })
			b[at] ^= 0x55
			if err != nil && fault.ClassName(err) == "" {
				t.Fatalf("%s byte %d: %v", path, at, err)
			}
			if used > 64<<20 {
				t.Fatalf("%s byte %d: %d bytes were allocated", path, at, used)
			}
		}
	}
}

func TestDecompressionIsBounded(t *testing.T) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		t.Fatal(err)
	}
	bomb := w.EncodeAll(make([]byte, 512<<20), nil)
	if got := zstdBound(bomb); got < 512<<20 {
		t.Fatalf("the bound %d is below what the frame holds", got)
	}
	lying := []byte{0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0} // says 1 TiB, one empty block
	cases := []struct {
		name  string
		codec format.CompressionCodec
		src   []byte
		size  int
	}{
		{"zstd: more than declared", format.Zstd, bomb, 100},
		{"zstd: a frame that lies", format.Zstd, lying, 200 << 20},
		{"zstd: nothing", format.Zstd, nil, 200 << 20},
		{"snappy", format.Snappy, []byte{0x80, 0x80, 0x80, 0x60, 0}, 200 << 20},
		{"gzip", format.Gzip, make([]byte, 100), 200 << 20},
		{"lz4", format.Lz4Raw, make([]byte, 100), 200 << 20},
		{"brotli", format.Brotli, make([]byte, 100), 200 << 20},
	}
	for _, c := range cases {
		var err error
		used := allocated(func() { _, err = decompress(c.codec, c.src, c.size) })
		if err == nil || used > 20<<20 {
			t.Errorf("%s: %v, %d bytes allocated", c.name, err, used)
		}
	}
}

func TestEncryptedIsUnsupported(t *testing.T) {
	b, _ := os.ReadFile("testdata/plain.parquet")
	for _, at := range []int{0, len(b) - 4} {
		damaged := bytes.Clone(b)
		copy(damaged[at:], "PARE")
		if _, err := OpenBytes(damaged); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("PARE at %d: %v", at, err)
		}
	}
}

type brokenReader struct{ err error }

func (r brokenReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestReadErrorsPass(t *testing.T) {
	want := errors.New("connection reset")
	if _, err := Open(brokenReader{want}, 1000); !errors.Is(err, want) || fault.ClassName(err) != "" {
		t.Errorf("%v", err)
	}
}

// fuzzSeeds are the small golden files.
func fuzzSeeds(f *testing.F) {
	small, err := filepath.Glob("testdata/small/*.parquet")
	if err != nil || len(small) == 0 {
		f.Fatal("no seeds")
	}
	for _, path := range small {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	levels := func(reps, defs []byte) []byte {
		return pageV1(f, len(reps), format.Plain, [][]byte{runsOf(reps...), runsOf(defs...)}, int64s(1, 2))
	}
	f.Add(craft(f, listSchema(), Int64, 2, 6, levels([]byte{0, 0, 1}, []byte{0, 3, 3}), levels([]byte{1, 1, 1}, []byte{3, 3, 2})))
}

// FuzzOpen: any bytes give a file or an error with a class.
func FuzzOpen(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := OpenBytes(b); err != nil && fault.ClassName(err) == "" {
			t.Fatal(err)
		}
	})
}

// FuzzCursor: what can be opened can be read to its end or to an error with a class, with bounded memory.
func FuzzCursor(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := OpenLimited(bytes.NewReader(b), int64(len(b)), Limits{Page: 1 << 20})
		if err != nil {
			return
		}
		for i := range file.Columns() {
			c, err := file.Cursor(i)
			for n := 0; err == nil && n < 1000; n++ {
				var a interface{ Len() int }
				if a, err = c.Next(); err == nil && a.Len() == 0 {
					t.Fatal("an array without rows")
				}
			}
			if err != nil && fault.ClassName(err) == "" && err.Error() != "EOF" {
				t.Fatal(err)
			}
		}
	})
}
