package packed_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// maxPages bounds what one input may cost; a page may hold no rows.
const maxPages = 1000

// FuzzOpen opens a file, finds the fields of the samples by id and reads them: any input gives values or a classed error.
func FuzzOpen(f *testing.F) {
	for _, s := range samples(f) {
		for _, name := range s.files {
			f.Add(testkit.ReadFile(f, name))
		}
	}
	deltas, err := filepath.Glob(filepath.Join(bucket(f), "files", "insert_log", "*", "*", "*", "_delta", "*"))
	if err != nil || len(deltas) == 0 {
		f.Fatalf("%d packed delta logs, %v", len(deltas), err)
	}
	for _, name := range deltas {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := packed.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			classed(t, err)
			return
		}
		for id := range milvus.FieldID(130) {
			column, ok := file.Find(milvus.Field{ID: id})
			if !ok {
				continue
			}
			if err := drain(file, column); err != nil {
				classed(t, err)
			}
		}
	})
}

func drain(file *packed.File, column int) error {
	c, err := file.Cursor(column)
	if err != nil {
		return err
	}
	for range maxPages {
		a, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		a.Release()
	}
	return nil
}

func classed(t *testing.T, err error) {
	if fault.ClassName(err) == "" {
		t.Fatalf("an error without class: %v", err)
	}
}
