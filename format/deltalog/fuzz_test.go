package deltalog

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// FuzzDeltalog: any bytes give deletes whose columns agree, or a fault; and what is read can be written and read again.
func FuzzDeltalog(f *testing.F) {
	for _, v := range variants() {
		for _, d := range []*Deletes{ints(3), texts(3)} {
			if b, err := v.Encode(header, d); err == nil {
				f.Add(b)
			}
		}
	}
	files, _ := filepath.Glob(testkit.Data(f, "milvus-2.3.5", "files", "delta_log", "*", "*", "*", "*"))
	for i, path := range files {
		if i%10 == 0 {
			f.Add(testkit.ReadFile(f, path))
		}
	}
	f.Fuzz(reads)
}

// FuzzBare spends its time in packed deltalogs, which are Parquet from their first byte.
func FuzzBare(f *testing.F) {
	magic := []byte("PAR1")
	for _, d := range []*Deletes{ints(3), texts(3), ints(300)} {
		b, err := Writer{Form: Bare}.Encode(header, d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimPrefix(b, magic))
	}
	f.Fuzz(func(t *testing.T, b []byte) { reads(t, append(slices.Clone(magic), b...)) })
}

func reads(t *testing.T, b []byte) {
	d, err := Read(b)
	if err != nil {
		refused(t, err)
		return
	}
	if err := check(d); err != nil {
		t.Fatal(err)
	}
	again, err := Writer{Form: Bare}.Encode(header, d)
	if err != nil {
		t.Fatal(err)
	}
	sameDeletes(t, "again", again, d)
}

// FuzzCell: any cell; the quick way and the JSON decoder agree.
func FuzzCell(f *testing.F) {
	for _, s := range []string{`{"pk":1,"ts":2,"pkType":5}`, `{"pk":"a","ts":2,"pkType":21}`, `{"pkType":5,"ts":3,"pk":1}`, `1,2`, `{"pk":"\u003c","ts":2,"pkType":21}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, cell []byte) {
		b := &builder{}
		err := b.addCell(cell)
		if err != nil {
			refused(t, err)
			return
		}
		if _, _, _, ok := scanCell(cell); !ok {
			return
		}
		slow := &builder{}
		if err := slow.addObject(cell); err != nil {
			t.Fatalf("%q is taken by the quick way alone: %v", cell, err)
		}
		if slow.pkType != b.pkType || slow.ts[0] != b.ts[0] || string(slow.text) != string(b.text) || slow.pkType == milvus.TypeInt64 && slow.ints[0] != b.ints[0] {
			t.Fatalf("%q: %+v, want %+v", cell, b, slow)
		}
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrLimit) && !errors.Is(err, fault.ErrUnsupported) {
		t.Fatalf("%v has no class", err)
	}
}
