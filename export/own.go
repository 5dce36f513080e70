package export

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
)

// A snapshot's own table ([Options.OwnTable]) has its data files in binlogs/, because the user guide reads the snapshot's
// s3_location + "/binlogs/" as a directory of Parquet files. Nothing else may lie there: files are written to another folder
// and come under their final names when all of them are complete.
const (
	binlogsFolder    = "binlogs"
	stagingFolder    = "staging"
	dataFolder       = "data"
	propertyDataPath = "write.data.path"
	propertyOnce     = "snapexport.write-once"
)

// publishers is how many files are copied at once.
const publishers = 8

// folder is where the workers of an export to a table write.
func (o Options) folder() string {
	if o.OwnTable {
		return stagingFolder
	}
	return dataFolder
}

// once refuses what would change a table that is written once, and makes sure that OwnTable finds such a table or none.
func (r *runner) once(have *catalog.Table) error {
	if have == nil {
		return nil
	}
	own := have.Properties[propertyOnce] != ""
	_, done := r.shown(have)
	switch {
	case own && (!done || r.opts.Replace):
		return fault.Conflict("export", "the snapshot's own table is written once, and holds another export").On(r.plan.Target).WithHint("choose another place with --to")
	case r.opts.OwnTable && !own:
		return fault.Conflict("export", "the place of the snapshot's own table holds another table").On(r.plan.Target).WithHint("choose another place with --to")
	}
	return nil
}

// outrun returns the result of another process that made this table in the meantime, nil if none did.
func (r *runner) outrun(ctx context.Context) (*Result, error) {
	have, err := catalog.Load(ctx, r.catalog, r.ident)
	if errors.Is(err, fault.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := r.once(have); err != nil {
		return nil, err
	}
	if done, ok := r.shown(have); ok {
		return r.found(have, done), nil
	}
	return nil, nil
}

// publish brings the staged files into binlogs/. After an error none of either is left.
func (r *runner) publish(ctx context.Context, staged []File) ([]File, error) {
	published := make([]File, len(staged))
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(publishers)
	for i, f := range staged {
		published[i] = File{path.Join(binlogsFolder, path.Base(f.Key)), f.Stats}
		g.Go(func() error {
			o, err := r.table.store.Copy(each, r.table.store, r.table.root.Join(f.Key).Key, r.table.root.Join(published[i].Key).Key)
			if err == nil && o.Size != f.Stats.Bytes {
				err = fault.Corrupt("publish data file", "the store holds %d bytes, %d were written", o.Size, f.Stats.Bytes).On(o.Key)
			}
			return err
		})
	}
	err := g.Wait()
	err = errors.Join(err, r.table.remove(ctx, staged))
	if err != nil {
		return nil, errors.Join(err, r.table.remove(ctx, published))
	}
	return published, nil
}

// tidy removes from binlogs/ what the table does not name: files of a run that was stopped just before its commit. A run that
// is about to commit finds that the table is there and needs its files no more. Other tables are left alone.
func (r *runner) tidy(ctx context.Context) error {
	if !r.opts.OwnTable {
		return nil
	}
	have, err := catalog.Load(ctx, r.catalog, r.ident)
	if err != nil {
		return err
	}
	data, _, err := have.Files(ctx, have.Current.ID)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, f := range data {
		named[path.Base(f.FilePath())] = true
	}
	var strangers []string
	for obj, err := range r.table.store.List(ctx, r.table.root.Join(binlogsFolder).Key+"/") {
		if err != nil {
			return err
		}
		if !named[path.Base(obj.Key)] {
			strangers = append(strangers, obj.Key)
		}
	}
	return r.table.store.Delete(ctx, strangers...)
}
