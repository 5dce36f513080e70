package export

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
)

// manifestName is the file that says what an export to plain Parquet wrote. Engines ignore names with an underscore.
const manifestName = "_snapexport.json"

// manifestLimit bounds the manifest when it is read.
const manifestLimit = 64 << 20

// manifest makes a directory of Parquet files repeatable: it is written last.
type manifest struct {
	Result *Result `json:"result"`
	Files  []File  `json:"files"`
}

// parquet writes files without a table. The directory must be empty, or an export's own.
func (r *runner) parquet(ctx context.Context) (*Result, error) {
	before, err := r.readManifest(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case before == nil:
		if err := r.empty(ctx); err != nil {
			return nil, err
		}
	case before.Result.ExportID == r.plan.ExportID && !r.opts.Replace:
		before.Result.AlreadyExported = true
		return before.Result, nil
	case !r.opts.Replace:
		return nil, fault.Conflict("export", "the directory holds export %s", before.Result.ExportID).On(r.plan.Target).WithHint("--replace removes it")
	}
	if _, err := Preflight(ctx, r.scan, r.progress); err != nil {
		return nil, err
	}
	schema, err := catalog.FromArrow(r.form.Schema(), catalog.SchemaOptions{})
	if err != nil {
		return nil, err
	}
	work, err := runTasks(ctx, r.scan, r.form, r.plan, r.opts, r.table, schema.Arrow, r.file, r.overlap, r.progress)
	if err != nil {
		return nil, err
	}
	result := r.result(work)
	body, err := json.MarshalIndent(manifest{result, work.Files}, "", "  ")
	if err == nil {
		err = ctx.Err()
	}
	ctx, stop := graceful(ctx)
	defer stop()
	if err == nil {
		err = r.putManifest(ctx, body, before == nil)
	}
	if err != nil {
		return nil, r.undo(ctx, err, work.Files)
	}
	if before != nil {
		return result, r.table.remove(ctx, before.Files)
	}
	return result, nil
}

// readManifest returns what an earlier export wrote here, nil if there was none.
func (r *runner) readManifest(ctx context.Context) (*manifest, error) {
	key := r.table.root.Join(manifestName).Key
	body, _, err := r.table.store.ReadAll(ctx, key, manifestLimit)
	if errors.Is(err, fault.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil || m.Result == nil {
		return nil, fault.Corrupt("export", "not the manifest of an export: %v", err).On(r.table.root.Join(manifestName).String())
	}
	for _, f := range m.Files { // they are going to be removed
		if strings.Contains(f.Key, "/") || !strings.HasSuffix(f.Key, ".parquet") {
			return nil, fault.UnsafePath("export", "the manifest lists %q, which no export wrote there", f.Key).On(r.table.root.Join(manifestName).String())
		}
	}
	return &m, nil
}

// empty refuses a directory with other people's Parquet files.
func (r *runner) empty(ctx context.Context) error {
	prefix := r.table.root.Key
	if prefix != "" {
		prefix += "/"
	}
	for obj, err := range r.table.store.List(ctx, prefix) {
		if errors.Is(err, fault.ErrMissing) {
			return nil
		}
		if err != nil {
			return err
		}
		return fault.Conflict("export", "the directory is not empty: it holds %s", obj.Key).On(r.plan.Target).WithHint("choose another place")
	}
	return nil
}
