package export

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// commitGrace is how long a commit that has begun goes on after an interrupt. It is a few requests; cutting it off would
// leave manifests behind, or an outcome that nobody knows.
const commitGrace = 10 * time.Second

// graceful returns a context that ends commitGrace after ctx does. stop frees it.
func graceful(ctx context.Context) (out context.Context, stop func()) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(commitGrace, cancel)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() { unhook(); cancel() }
}

// undo removes the run's data files after a commit that failed. Of path tables (and manifests of Parquet) every error but
// ErrUnknownOutcome says that nothing was committed.
func (r *runner) undo(ctx context.Context, err error, files []File) error {
	if errors.Is(err, objstore.ErrUnknownOutcome) {
		return fmt.Errorf("the commit's outcome is not known, and the data files stay; run the export again to find out: %w", err)
	}
	return errors.Join(err, r.table.remove(ctx, files))
}

// dropUnused removes the run's data files that the snapshot does not name, and returns how many it names. The export was
// found in the table when it was to be committed: another process was faster, or it is this run's own commit, whose answer
// had been lost.
func (r *runner) dropUnused(ctx context.Context, snapshot int64, files []File) (used int, err error) {
	have, err := catalog.Load(ctx, r.catalog, r.ident)
	if err != nil {
		return 0, err
	}
	data, _, err := have.Files(ctx, snapshot)
	if err != nil {
		return 0, err
	}
	named := map[string]bool{} // names are unique over runs
	for _, f := range data {
		named[path.Base(f.FilePath())] = true
	}
	if s, ok := have.Snapshot(snapshot); ok {
		named[path.Base(s.Summary[catalog.MappingProperty])] = true
	}
	var unused []File
	for _, f := range files {
		if !named[path.Base(f.Key)] {
			unused = append(unused, f)
		}
	}
	return len(files) - len(unused), r.table.remove(ctx, unused)
}

// putManifest writes the manifest of a directory of Parquet files; the first is create-once, so that of two exports that
// found the directory empty one fails. If the answer says no, what is there counts.
func (r *runner) putManifest(ctx context.Context, body []byte, first bool) error {
	key := r.table.root.Join(manifestName).Key
	put := r.table.store.Put
	if first {
		put = r.table.store.Create
	}
	err := put(ctx, key, body)
	if err == nil {
		return nil
	}
	there, _, readErr := r.table.store.ReadAll(ctx, key, manifestLimit)
	switch {
	case readErr == nil && string(there) == string(body):
		return nil
	case readErr != nil && !errors.Is(readErr, fault.ErrMissing):
		return fault.New(objstore.ErrUnknownOutcome, "export", "write the manifest: %w", err).On(key)
	}
	return err
}
