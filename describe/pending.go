package describe

import (
	"context"

	"github.com/snapexport/snapexport/fault"
)

func loadBackup(_ context.Context, src Source, _ Options) (*Snapshot, error) {
	return nil, fault.Unsupported("resolve", "backup: sources").On(src.text)
}

func listBackup(ctx context.Context, src Source, opts Options) (*Listing, error) {
	_, err := loadBackup(ctx, src, opts)
	return nil, err
}
