package export

import (
	"context"

	"github.com/snapexport/snapexport/reader"
)

// Preflight makes sure, before anything is written, that every file of the plan can be read: see [reader.Scan.Preflight].
func Preflight(ctx context.Context, scan *reader.Scan, progress *Progress) (reader.Checked, error) {
	return scan.Preflight(ctx, func(_, total int64) {
		progress.FilesTotal.Store(total)
		progress.FilesChecked.Add(1)
	})
}
