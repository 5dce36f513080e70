package restore

import (
	"context"
	"errors"
	"path"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/objstore"
)

// copier copies the objects of one job.
type copier struct {
	*Service
	transfer *objstore.Transfer
	once     sync.Map // keys of objects that several segments share, to *sharedCopy
}

type sharedCopy struct {
	once sync.Once
	err  error
}

// move copies everything of one segment, some objects at once.
func (c *copier) move(ctx context.Context, m *move) error {
	files := m.files
	var manifests []manifest
	if m.tree != nil {
		var below []file
		var err error
		if below, manifests, err = c.list(ctx, m.tree); err != nil {
			return err
		}
		files = append(below, files...)
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for _, f := range files {
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return c.copy(each, f) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, f := range manifests { // last, as who wrote them did
		if err := c.copyManifest(ctx, f); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// copy copies one object, and compares it with its source and with what metadata says. It is durable at the end of the task.
func (c *copier) copy(ctx context.Context, f file) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	o, err := c.transfer.Copy(ctx, c.files, f.from, f.to)
	switch {
	case f.maybe && errors.Is(err, fault.ErrMissing):
		return nil
	case err != nil:
		return err
	case f.size > 0 && o.Size != f.size:
		return fault.Corrupt(op, "it has %d bytes, metadata says %d", o.Size, f.size).On(f.from)
	}
	return c.fault("restore job: object")
}

// manifest is one that is copied, perhaps with other bytes.
type manifest struct {
	file
	body []byte // nil: as it is
}

// list finds the objects of a V3 segment: everything below its folder, but for manifests after the snapshot's. What the snapshot's manifest
// names must be there, in the size that it says. Its files of long texts are copied on the way.
func (c *copier) list(ctx context.Context, t *tree) (files []file, manifests []manifest, err error) {
	sizes := map[string]int64{}
	for o, err := range c.files.List(ctx, t.from+"/") {
		if err != nil {
			return nil, nil, err
		}
		f := file{from: o.Key, to: t.to + strings.TrimPrefix(o.Key, t.from), size: o.Size}
		sizes[o.Key] = o.Size
		version, is := manifestVersion(o.Key)
		switch {
		case !is:
			files = append(files, f)
		case version <= t.version:
			m := manifest{file: f}
			if m.body, err = c.relative(ctx, t, f); err != nil {
				return nil, nil, err
			}
			manifests = append(manifests, m)
		}
	}
	return files, manifests, c.named(ctx, t, sizes)
}

// manifestVersion returns the number in ".../_metadata/manifest-{N}.avro".
func manifestVersion(key string) (version int64, ok bool) {
	number, ok := strings.CutPrefix(strings.TrimSuffix(path.Base(key), ".avro"), "manifest-")
	version, err := strconv.ParseInt(number, 10, 64)
	return version, ok && err == nil && path.Base(path.Dir(key)) == "_metadata"
}

// relative returns the bytes that a manifest gets, nil if they stay.
func (c *copier) relative(ctx context.Context, t *tree, f file) ([]byte, error) {
	body, _, err := c.files.ReadAll(ctx, f.from, loon.MaxBytes)
	if err != nil {
		return nil, err
	}
	out, err := loon.Relative(body, t.from)
	if err != nil {
		return nil, fault.Place(err, f.from)
	}
	if string(out) == string(body) {
		return nil, nil
	}
	return out, nil
}

func (c *copier) copyManifest(ctx context.Context, m manifest) error {
	if m.body == nil {
		return c.copy(ctx, m.file)
	}
	if err := c.files.Put(ctx, m.to, m.body); err != nil {
		return err
	}
	return c.fault("restore job: object")
}

// named checks what the snapshot's manifest names against the objects below the folder, and has its files of long texts copied.
func (c *copier) named(ctx context.Context, t *tree, have map[string]int64) error {
	key := loon.Key(t.from, t.version)
	body, _, err := c.files.ReadAll(ctx, key, loon.MaxBytes)
	if err != nil {
		return err
	}
	m, err := loon.Decode(body)
	if err != nil {
		return fault.Place(err, key)
	}
	check := func(section loon.Section, name string, size int64) error {
		full := loon.Resolve(t.from, section, name)
		got, ok := have[full]
		switch {
		case !ok:
			return fault.Missing(op, "the manifest %s names it", key).On(full)
		case size > 0 && size != got:
			return fault.Corrupt(op, "it has %d bytes, its manifest says %d", got, size).On(full)
		}
		return nil
	}
	for _, g := range m.Groups {
		for _, f := range g.Files {
			if err := check(loon.SectionData, f.Path, f.Size); err != nil {
				return err
			}
		}
	}
	for _, d := range m.Deltas {
		if err := check(loon.SectionDelta, d.Path, 0); err != nil {
			return err
		}
	}
	return c.texts(ctx, t, m)
}

// texts copies the files of long texts that the segments of a partition share, each once. A manifest that does not list any
// may still use some: then all of the partition's are copied.
func (c *copier) texts(ctx context.Context, t *tree, m *loon.Manifest) error {
	from, to := path.Dir(t.from)+"/"+string(loon.SectionLOB)+"/", path.Dir(t.to)+"/"+string(loon.SectionLOB)+"/"
	if !m.LOBsListed {
		for o, err := range c.files.List(ctx, from) {
			if err != nil {
				return err
			}
			if err := c.shared(ctx, file{from: o.Key, to: to + strings.TrimPrefix(o.Key, from), size: o.Size}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, l := range m.LOBs {
		key := path.Clean(loon.Resolve(t.from, loon.SectionLOB, l.Path))
		tail, ok := strings.CutPrefix(key, from)
		if !ok {
			return fault.Unsupported(op, "the file of long texts %q is not below %s", l.Path, from)
		}
		if err := c.shared(ctx, file{from: key, to: to + tail, size: l.Bytes}); err != nil {
			return err
		}
	}
	return nil
}

// shared copies an object once for all segments that use it; the others wait.
func (c *copier) shared(ctx context.Context, f file) error {
	entry, _ := c.once.LoadOrStore(f.to, &sharedCopy{})
	s := entry.(*sharedCopy)
	s.once.Do(func() { s.err = c.copy(ctx, f) })
	return s.err
}
