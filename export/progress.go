package export

import "sync/atomic"

// Progress is updated while an export runs; read it from any goroutine.
type Progress struct {
	FilesTotal, FilesChecked    atomic.Int64 // of the preflight
	SegmentsTotal, SegmentsDone atomic.Int64
	RowsTotal, RowsRead         atomic.Int64
	RowsWritten, BytesWritten   atomic.Int64
	BytesRead                   atomic.Int64
	Committing                  atomic.Bool
}
