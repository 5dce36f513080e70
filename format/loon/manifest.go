package loon

import (
	"fmt"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

const op = "decode V3 manifest"

// MaxBytes is the largest manifest that is read.
const MaxBytes = 64 << 20

// Types of delta logs. Milvus writes deletes by primary key only.
const (
	DeltaPrimaryKey = 0
	DeltaPositional = 1
	DeltaEquality   = 2
)

// Formats of column groups: the one that is read, and one that takes a converter.
const (
	FormatParquet = "parquet"
	FormatVortex  = "vortex"
)

// Manifest is the content of one manifest, as far as rows are concerned. Paths are as recorded; see [Manifest.Resolve].
type Manifest struct {
	Groups []ColumnGroup
	Deltas []Delta
	LOBs   []LOBFile

	LOBsListed bool // false: of a version that lists no LOB files though there may be some
}

// ColumnGroup is a set of columns and the files that hold them, in order of rows.
type ColumnGroup struct {
	Columns []string // decimal field ids in what Milvus writes
	Format  string
	Files   []File
}

// File is a range of rows of one data file.
type File struct {
	Path       string
	Start, End int64 // rows of the file, half open
	Size       int64 // bytes; 0 if not recorded
	FooterSize int64 // bytes of the Thrift footer and the 8 bytes after it; 0 if not recorded
}

// Rows returns the number of rows in the range.
func (f File) Rows() int64 { return f.End - f.Start }

// Delta is a file of deletes.
type Delta struct {
	Path    string
	Type    int
	Entries int64
}

// LOBFile is a file of long texts, which columns refer to.
type LOBFile struct {
	Path      string
	Field     int64
	TotalRows int64
	ValidRows int64
	Bytes     int64
}

// Rows returns the rows of a group.
func (g ColumnGroup) Rows() (n int64) {
	for _, f := range g.Files {
		n += f.Rows()
	}
	return n
}

// Rows returns the rows of the segment. Groups that disagree are fault.ErrCorrupt.
func (m *Manifest) Rows() (int64, error) {
	for i, g := range m.Groups {
		if n := g.Rows(); n != m.Groups[0].Rows() {
			return 0, fault.Corrupt(op, "column group %d has %d rows, group 0 has %d", i, n, m.Groups[0].Rows())
		}
	}
	if len(m.Groups) == 0 {
		return 0, nil
	}
	return m.Groups[0].Rows(), nil
}

// check holds what every manifest must satisfy, whatever its encoding.
func (m *Manifest) check() error {
	for i, g := range m.Groups {
		for _, f := range g.Files {
			if f.Start < 0 || f.Start >= f.End {
				return fault.Corrupt(op, "file %s of column group %d has rows %d to %d", f.Path, i, f.Start, f.End)
			}
		}
	}
	for _, d := range m.Deltas {
		if d.Type != DeltaPrimaryKey {
			return fault.Unsupported(op, "delta log %s is of type %d (%s); only deletes by primary key are read", d.Path, d.Type, deltaName(d.Type))
		}
		if d.Entries < 0 {
			return fault.Corrupt(op, "delta log %s has %d entries", d.Path, d.Entries)
		}
	}
	_, err := m.Rows()
	return err
}

func deltaName(t int) string {
	switch t {
	case DeltaPositional:
		return "positional"
	case DeltaEquality:
		return "equality"
	}
	return "unknown"
}

// Key returns the manifest's key below a segment's base path.
func Key(base string, version int64) string {
	return fmt.Sprintf("%s/_metadata/manifest-%d.avro", strings.TrimSuffix(base, "/"), version)
}

// Section is a fixed folder of a segment, to which paths in manifests are relative.
type Section string

// The sections.
const (
	SectionData  Section = "_data"
	SectionDelta Section = "_delta"
	SectionLOB   Section = "lobs" // beside the base path: a partition's segments share it
)

// Resolve returns the key or URI that a recorded path means, given the segment's base path (docs/format/storage-v2-v3.md 2.4).
// It joins and does not judge: whether the result may be read is the caller's decision.
func Resolve(base string, section Section, recorded string) string {
	base = strings.TrimSuffix(base, "/")
	switch {
	case strings.Contains(recorded, "://"):
		return recorded
	case strings.HasPrefix(recorded, "/") && strings.HasPrefix(base, "/"):
		return recorded // local storage
	case strings.HasPrefix(recorded, "/"):
		return strings.TrimPrefix(recorded, "/")
	case strings.HasPrefix(recorded, base+"/"):
		return recorded
	}
	if section == SectionLOB {
		return base[:strings.LastIndexByte(base, '/')+1] + string(section) + "/" + strings.TrimPrefix(recorded, "../lobs/")
	}
	return base + "/" + string(section) + "/" + recorded
}
