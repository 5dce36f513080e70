package pages

import "github.com/snapexport/snapexport/fault"

const op = "read Parquet"

// Fixed bounds. They lie well above what any writer produces and keep what a hostile file can claim small.
const (
	maxFooter       = 64 << 20 // bytes of thrift metadata
	maxPageHeader   = 16 << 20 // bytes; page statistics may hold whole values
	maxThriftDepth  = 32       // nested structs and containers
	maxThriftStruct = 1 << 19  // structs inside lists of one footer: chunks, schema elements, key-values
	maxThriftItems  = 1 << 22  // other list items of one footer
	maxSchemaDepth  = 16
	maxTypeLength   = 16 << 20 // bytes of one fixed-width value
	maxPageValues   = 1 << 27  // values of a flat page: its NULL bitmap has at most 16 MiB
	maxLevelValues  = 1 << 24  // values of a page that needs bytes per value before any is read: lists, delta lengths
	maxBatchRows    = 1 << 16  // rows of one array, unless the page holds them as they are
	maxBatchBytes   = 32 << 20 // bytes of one array that had to be built; one value may be larger
)

// Limits are the bounds that an operator may move. Zero means the default.
type Limits struct {
	Page      int // bytes of one page after decompression; default 256 MiB
	ReadAhead int // bytes asked of the io.ReaderAt at a time; default 1 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Page <= 0 {
		l.Page = 256 << 20
	}
	if l.ReadAhead <= 0 {
		l.ReadAhead = 1 << 20
	}
	return l
}

func corrupt(off int64, format string, args ...any) error {
	return fault.Corrupt(op, format, args...).At(off)
}

func tooLarge(off int64, format string, args ...any) error {
	return fault.Limit(op, format, args...).At(off)
}

func unsupported(off int64, format string, args ...any) error {
	return fault.Unsupported(op, format, args...).At(off)
}

// batchRows is the number of rows that an array of values of so many bytes may have when it has to be built.
// It is a multiple of 8, so that bitmaps can be cut at it, or 1.
func batchRows(width int) int {
	n := maxBatchRows
	if width > 0 {
		n = min(n, maxBatchBytes/width)
	}
	return max(n&^7, 1)
}
