// Package packed reads and writes the Parquet files of column groups, storage V2 and V3 (docs/format/storage-v2-v3.md 1).
//
// A segment's columns are split into groups; each group has files of its own, whose row groups need not line up with those
// of another group: rows belong together by their absolute number. Columns are found by their Parquet field id, which is
// the Milvus field id; their names may be old ones (V2) or decimal ids (V3).
package packed

import (
	"io"
	"strconv"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// File is one file of a column group.
type File struct {
	*pages.File
	byName bool // no column has a field id
}

// Open reads the footer. An encrypted file (it begins or ends with PARE) is fault.ErrUnsupported.
func Open(r io.ReaderAt, size int64) (*File, error) { return OpenLimited(r, size, pages.Limits{}) }

// OpenLimited is Open with other limits than the default.
func OpenLimited(r io.ReaderAt, size int64, l pages.Limits) (*File, error) {
	f, err := pages.OpenLimited(r, size, l)
	if err != nil {
		return nil, err
	}
	out := &File{File: f, byName: true}
	seen := map[int32]bool{}
	for _, c := range f.Columns() {
		if c.FieldID < 0 {
			continue
		}
		out.byName = false
		if seen[c.FieldID] {
			return nil, fault.Corrupt("open column group", "two columns have field id %d", c.FieldID)
		}
		seen[c.FieldID] = true
	}
	return out, nil
}

// Find returns the index of the field's column: by field id, and by name only where no column of the file has an id.
func (f *File) Find(field milvus.Field) (column int, ok bool) {
	for i, c := range f.Columns() {
		switch {
		case !f.byName && int64(c.FieldID) == int64(field.ID):
			return i, true
		case f.byName && (c.Name == field.Name || c.Name == strconv.FormatInt(int64(field.ID), 10)):
			return i, true
		}
	}
	return 0, false
}
