package describe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// loadCluster resolves one collection of a cluster's metadata.
func loadCluster(ctx context.Context, src Source, opts Options) (*Snapshot, error) {
	var snap *Snapshot
	err := readCluster(ctx, src, opts, func(c *clusterReader) (err error) {
		snap, err = c.one(ctx)
		return err
	})
	return snap, err
}

// listCluster lists every live collection.
func listCluster(ctx context.Context, src Source, opts Options) (*Listing, error) {
	out := &Listing{Entries: []Entry{}}
	err := readCluster(ctx, src, opts, func(c *clusterReader) error {
		out.Entries = out.Entries[:0]
		catalog, err := c.load(ctx, etcdmeta.Prefixes(c.meta.Root))
		if err != nil {
			return err
		}
		for _, sum := range selectSummaries(src.Collection, catalog.Collections()) {
			entry, err := c.entry(ctx, catalog, sum)
			if err != nil {
				return err
			}
			out.Entries = append(out.Entries, entry)
		}
		return nil
	})
	return out, err
}

// clusterReader reads a cluster's metadata at one instant, from a live etcd or from a dump.
type clusterReader struct {
	src  Source
	opts Options
	meta etcdmeta.Options
	live *etcdSource // nil: a dump
	last bool        // no newer instant is tried after this one
}

// readCluster runs f, again at a newer revision where metadata was seen in the middle of a change, or etcd compacted the
// revision (docs/format/etcd.md 10).
func readCluster(ctx context.Context, src Source, opts Options, f func(*clusterReader) error) error {
	c := &clusterReader{src: src, opts: opts, meta: etcdmeta.Options{Root: src.metaPrefix(), Storage: src.RootPath}}
	tries := 1
	if src.Form == FormEtcd {
		live, err := openEtcd(ctx, src, opts)
		if err != nil {
			return err
		}
		defer func() { _ = live.close() }() // everything was read, or there is an error already
		c.live, tries = live, etcdTries
	}
	for try := 1; ; try++ {
		c.last = try == tries
		err := f(c)
		again := errors.Is(err, etcdmeta.ErrTorn) || errors.Is(err, errCompacted)
		if !again || c.last {
			return fault.Place(err, src.text)
		}
		if err := objstore.Sleep(ctx, etcdPause); err != nil {
			return err
		}
		c.live.renew()
	}
}

// rows yields the rows below prefixes.
func (c *clusterReader) rows(ctx context.Context, prefixes []string) iter.Seq2[etcdmeta.KV, error] {
	if c.live != nil {
		return c.live.rows(ctx, prefixes)
	}
	return c.dumped(ctx, prefixes)
}

// dumped yields the rows of a dump below prefixes. Rows of other roots go on without their values, so that a wrong root
// can be told from an empty dump.
func (c *clusterReader) dumped(ctx context.Context, prefixes []string) iter.Seq2[etcdmeta.KV, error] {
	return func(yield func(etcdmeta.KV, error) bool) {
		store, key, err := c.opts.Opener.OpenObject(ctx, c.src.URI)
		var obj objstore.Object
		if err == nil {
			obj, err = store.Stat(ctx, key)
		}
		if err != nil {
			yield(etcdmeta.KV{}, err)
			return
		}
		for kv, err := range etcdmeta.ReadDump(&sequence{ctx: ctx, store: store, key: key, size: obj.Size, etag: obj.ETag}) {
			wanted := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(kv.Key, p) })
			switch {
			case err == nil && !wanted && strings.HasPrefix(kv.Key, c.meta.Root+"/"):
				continue
			case !wanted:
				kv.Value = nil
			}
			if !yield(kv, fault.Place(err, c.src.URI)) {
				return
			}
		}
	}
}

func (c *clusterReader) load(ctx context.Context, prefixes []string) (*etcdmeta.Catalog, error) {
	return etcdmeta.Load(c.rows(ctx, prefixes), c.meta)
}

// one reads the collection that the source names. Of a live cluster it reads what tells names, and then only the rows of
// that collection.
func (c *clusterReader) one(ctx context.Context) (*Snapshot, error) {
	catalog, sum, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	coll, err := catalog.Collection(sum.ID)
	if err != nil {
		return nil, err
	}
	if len(coll.Replaced) > 0 && !c.last {
		return nil, fault.Corrupt("read etcd", "inputs of a compaction look live: %w", etcdmeta.ErrTorn)
	}
	return c.snapshot(ctx, coll)
}

func (c *clusterReader) find(ctx context.Context) (*etcdmeta.Catalog, etcdmeta.Summary, error) {
	prefixes := etcdmeta.Prefixes(c.meta.Root)
	if c.live == nil {
		catalog, err := c.load(ctx, prefixes)
		if err != nil {
			return nil, etcdmeta.Summary{}, err
		}
		sum, err := pickSummary(c.src, catalog.Collections())
		return catalog, sum, err
	}
	inRootCoord := func(prefix string) bool { return strings.HasPrefix(prefix, c.meta.Root+"/root-coord/") }
	names := slices.DeleteFunc(slices.Clone(prefixes), func(p string) bool { return !inRootCoord(p) })
	var kept []etcdmeta.KV
	catalog, err := etcdmeta.Load(keep(c.rows(ctx, names), &kept), c.meta)
	if err != nil {
		return nil, etcdmeta.Summary{}, err
	}
	sum, err := pickSummary(c.src, catalog.Collections())
	if err != nil {
		return nil, sum, err
	}
	rest := slices.DeleteFunc((etcdmeta.Keys{Root: c.meta.Root}).Children(sum.ID), inRootCoord)
	catalog, err = etcdmeta.Load(chain(kept, c.rows(ctx, rest)), c.meta)
	return catalog, sum, err
}

// keep passes rows on and appends them to kept.
func keep(rows iter.Seq2[etcdmeta.KV, error], kept *[]etcdmeta.KV) iter.Seq2[etcdmeta.KV, error] {
	return func(yield func(etcdmeta.KV, error) bool) {
		for kv, err := range rows {
			*kept = append(*kept, kv)
			if !yield(kv, err) {
				return
			}
		}
	}
}

// chain yields the rows of first, then those of second.
func chain(first []etcdmeta.KV, second iter.Seq2[etcdmeta.KV, error]) iter.Seq2[etcdmeta.KV, error] {
	return func(yield func(etcdmeta.KV, error) bool) {
		for _, kv := range first {
			if !yield(kv, nil) {
				return
			}
		}
		second(yield)
	}
}

func (c *clusterReader) entry(ctx context.Context, catalog *etcdmeta.Catalog, sum etcdmeta.Summary) (Entry, error) {
	place, _, _ := cutLast(c.src.text, "#")
	entry := Entry{
		Source: place + "#" + sum.Database + "." + sum.Name, Kind: KindEtcd,
		Database: sum.Database, Collection: sum.Name, CollectionID: sum.ID,
	}
	coll, err := catalog.Collection(sum.ID)
	var snap *Snapshot
	if err == nil {
		snap, err = c.snapshot(ctx, coll)
	}
	if err != nil {
		if errors.Is(err, etcdmeta.ErrTorn) && !c.last {
			return entry, err
		}
		entry.Problem = err.Error()
		return entry, nil
	}
	source := entry.Source
	entry = entryOf(snap)
	entry.Source = source
	return entry, nil
}

// snapshot resolves the files of a collection.
func (c *clusterReader) snapshot(ctx context.Context, coll *etcdmeta.Collection) (*Snapshot, error) {
	r, err := newResolver(c.opts)
	if err != nil {
		return nil, err
	}
	own, err := openRoot(c.src.Storage, r.maps)
	if err != nil {
		return nil, err
	}
	recorded := reference{key: strings.Trim(c.src.RootPath, "/"), local: strings.HasPrefix(c.src.RootPath, "/")}
	if !recorded.local {
		own.prefix = join(own.prefix, recorded.key)
	}
	r.settle(own, recorded)
	snap := &Snapshot{
		Source: c.src.text, Kind: KindEtcd, Collection: coll.Collection, Root: own.prefix,
		Location: Location{Bucket: own.bucket, URI: c.src.text},
		Segments: coll.Segments, Indexes: coll.Indexes, Growing: coll.Growing, paths: r,
	}
	for i := range snap.Segments {
		if err := r.resolveSegment(&snap.Segments[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(snap.Segments, func(a, b milvus.Segment) int { return cmp.Compare(a.ID, b.ID) })
	snap.warnCluster(coll)
	return snap, snap.finish(ctx, c.src.text, c.opts)
}

// warnCluster tells of what is not, or not whole, in files.
func (s *Snapshot) warnCluster(coll *etcdmeta.Collection) {
	for _, id := range coll.Growing {
		held := "no rows in files"
		if seg, ok := s.Segment(id); ok {
			held = fmt.Sprintf("%d rows in files", seg.Rows)
		}
		s.warn(WarnGrowing, id, "segment %d is growing: it has %s; rows that were not flushed are left out", id, held)
	}
	for _, id := range coll.Hidden {
		s.warn(WarnHidden, id, "segment %d is being imported or compacted, or of a dropped partition: it is left out", id)
	}
	for in, out := range coll.Replaced {
		s.warn(WarnCompaction, in, "segment %d was compacted into %d and looked live beside it: it is left out", in, out)
	}
}

// selectSummaries returns the collections that want means, by name, alias or id; "" means all.
func selectSummaries(want string, all []etcdmeta.Summary) []etcdmeta.Summary {
	if want == "" {
		return all
	}
	type named struct {
		etcdmeta.Summary
		name string
	}
	var names []named
	for _, s := range all {
		names = append(names, named{s, s.Name})
		for _, a := range s.Aliases {
			names = append(names, named{s, a})
		}
	}
	hits := selectCollections(want, names, func(n named) (string, string, milvus.CollectionID) { return n.Database, n.name, n.ID })
	var out []etcdmeta.Summary
	for _, h := range hits {
		if !slices.ContainsFunc(out, func(s etcdmeta.Summary) bool { return s.ID == h.ID }) {
			out = append(out, h.Summary)
		}
	}
	return out
}

// pickSummary returns the one collection that the source names; without a name, the only one.
func pickSummary(src Source, all []etcdmeta.Summary) (etcdmeta.Summary, error) {
	name := func(s etcdmeta.Summary) string {
		if len(s.Aliases) > 0 {
			return fmt.Sprintf("%s.%s (alias %s)", s.Database, s.Name, strings.Join(s.Aliases, ", "))
		}
		return s.Database + "." + s.Name
	}
	hits := selectSummaries(src.Collection, all)
	switch {
	case len(hits) == 0:
		return etcdmeta.Summary{}, fault.Missing("find collection", "no collection %q; there are %s", src.Collection, enumerate(all, name)).On(src.text)
	case len(hits) > 1:
		return etcdmeta.Summary{}, fault.New(ErrUsage, "find collection", "%q means several collections: %s", src.Collection, enumerate(hits, name)).On(src.text).
			WithHint("add #[database.]collection")
	}
	return hits[0], nil
}

// sequence reads an object from its beginning to its end, a block at a time.
type sequence struct {
	ctx   context.Context
	store objstore.Reader
	key   string
	etag  string
	off   int64
	size  int64
	block []byte
}

const sequenceBlock = 4 << 20

func (s *sequence) Read(p []byte) (int, error) {
	if len(s.block) == 0 {
		if s.off >= s.size {
			return 0, io.EOF
		}
		b, err := s.store.ReadRange(s.ctx, s.key, s.off, min(sequenceBlock, s.size-s.off), s.etag)
		if err != nil {
			return 0, err
		}
		s.block, s.off = b, s.off+int64(len(b))
	}
	n := copy(p, s.block)
	s.block = s.block[n:]
	return n, nil
}
