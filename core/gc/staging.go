package gc

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/snapexport/snapexport/fault"
)

// stagingGrace is how long files of an export that does not come to its end stay. Exports are no part of the metadata, and may
// be another process's.
const stagingGrace = 24 * time.Hour

// staging removes what exports that were killed left in the places of snapshots' own tables, before it was part of a table.
func (w *sweep) staging(ctx context.Context) error {
	if !w.report.Owned {
		return nil
	}
	var found []object
	for collection, err := range w.files.Dirs(ctx, path.Join(w.config.Root, "snapshots")+"/") {
		if err != nil {
			return absent(err)
		}
		for table, err := range w.files.Dirs(ctx, collection+"tables/") {
			if err != nil {
				return absent(err)
			}
			for o, err := range w.files.List(ctx, table+"staging/") {
				switch {
				case err != nil:
					return absent(err)
				case w.now.Sub(o.ModTime) < max(stagingGrace, w.config.Grace):
					w.report.Waiting++
				default:
					found = append(found, object{o.Key, o.Size})
				}
			}
		}
	}
	if err := w.remove(ctx, found); err != nil {
		return err
	}
	w.report.Orphans += len(found)
	return nil
}

// absent is nil for a directory that is not there.
func absent(err error) error {
	if errors.Is(err, fault.ErrMissing) {
		return nil
	}
	return err
}
