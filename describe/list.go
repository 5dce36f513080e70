package describe

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Entry is one thing that can be exported. Its JSON is an element of list --json.
type Entry struct {
	Source       string              `json:"source"` // what to give to [Resolve]
	Kind         Kind                `json:"kind"`
	Database     string              `json:"database"`
	Collection   string              `json:"collection"`
	CollectionID milvus.CollectionID `json:"collection_id"`
	Snapshot     string              `json:"snapshot,omitempty"`
	SnapshotID   milvus.SnapshotID   `json:"snapshot_id,omitempty"`
	Description  string              `json:"description,omitempty"`
	CreateTS     milvus.Timestamp    `json:"create_ts,omitempty"`
	CreateTime   string              `json:"create_time,omitempty"`
	Segments     int                 `json:"segments"`
	Rows         int64               `json:"rows"`  // deleted ones included
	Bytes        int64               `json:"bytes"` // as recorded
	Growing      int                 `json:"growing,omitempty"`
	Problem      string              `json:"problem,omitempty"` // why it can't be exported; the numbers are 0 then
}

// Listing is the result of [List]: entries by database, collection, time.
type Listing struct {
	Entries  []Entry   `json:"entries"`
	Warnings []Warning `json:"warnings"`
}

// List finds the snapshots of a bucket or directory ("s3://bucket[/root]", "DIR", both also as "ROOT#[database.]collection"),
// or the collections of a backup or of a cluster's metadata. It reads every manifest, for the numbers. A snapshot that
// can't be read is listed with its problem.
func List(ctx context.Context, source string, opts Options) (*Listing, error) {
	src, err := Parse(source)
	if err != nil {
		return nil, err
	}
	if opts.Opener == nil {
		return nil, fault.New(ErrUsage, "list", "no opener")
	}
	var out *Listing
	switch src.Form {
	case FormBackup:
		out, err = listBackup(ctx, src, opts)
	case FormEtcd, FormEtcdFile:
		out, err = listCluster(ctx, src, opts)
	case FormMilvus:
		return nil, fault.Unsupported("list", "a running Milvus is asked by gRPC").On(src.text).WithHint("snapexport snapshot list --uri HOST:PORT")
	default:
		out, err = listBucket(ctx, src, opts)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.CollectionID, b.CollectionID),
			cmp.Compare(a.CreateTS, b.CreateTS), cmp.Compare(a.SnapshotID, b.SnapshotID), cmp.Compare(a.Source, b.Source))
	})
	if out.Warnings == nil {
		out.Warnings = []Warning{}
	}
	return out, nil
}

func listBucket(ctx context.Context, src Source, opts Options) (*Listing, error) {
	maps, err := opts.places()
	if err != nil {
		return nil, err
	}
	at, err := openRoot(src.URI, maps)
	if err != nil {
		return nil, err
	}
	store, err := opts.Opener.Open(ctx, at.bucket)
	if err != nil {
		return nil, err
	}
	all, warnings, err := findSnapshots(ctx, store, at.prefix, opts)
	if err != nil {
		return nil, err
	}
	if src.Collection != "" {
		all = selectCollections(src.Collection, all, foundCollection)
	}
	out := &Listing{Entries: make([]Entry, 0, len(all)), Warnings: warnings}
	for _, f := range all {
		entry, err := listFound(ctx, f, at.bucket, opts)
		if err != nil {
			return nil, err
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

// listFound loads one snapshot; only a cancelled or refused request ends the listing.
func listFound(ctx context.Context, f found, bucket string, opts Options) (Entry, error) {
	uri := join(bucket, f.key)
	c := &f.meta.Collection
	entry := Entry{
		Source: uri, Kind: KindSnapshot, Database: databaseOf(c.Database), Collection: c.Schema.Name, CollectionID: c.ID,
		Snapshot: f.meta.Info.Name, SnapshotID: f.meta.Info.ID, Description: f.meta.Info.Description, Segments: len(f.meta.ManifestList),
	}
	entry.setTime(f.meta.Info.CreateTS)
	r, err := newResolver(opts)
	if err != nil {
		return entry, err
	}
	snap, err := loadMetadata(ctx, Source{Form: FormFile, URI: uri, text: uri}, f.meta, r, bucket, f.key, opts)
	if err == nil {
		entry.count(snap)
		return entry, nil
	}
	if ctx.Err() != nil || fault.ClassName(err) == "ErrAuth" {
		return entry, err
	}
	entry.Problem = err.Error()
	return entry, nil
}

func (e *Entry) setTime(ts milvus.Timestamp) {
	if e.CreateTS = ts; ts != 0 {
		e.CreateTime = ts.Time().Format(time.RFC3339Nano)
	}
}

// count fills in the sums.
func (e *Entry) count(s *Snapshot) {
	e.Segments, e.Growing = len(s.Segments), len(s.Growing)
	for i := range s.Segments {
		e.Rows += s.Segments[i].Rows
		for _, k := range sizes(&s.Segments[i]) {
			e.Bytes += k.Bytes
		}
	}
}

// entryOf lists a snapshot that was loaded whole: a collection of a backup or of a cluster.
func entryOf(s *Snapshot) Entry {
	e := Entry{
		Source: s.Source, Kind: s.Kind, Database: databaseOf(s.Collection.Database), Collection: s.Collection.Schema.Name, CollectionID: s.Collection.ID,
		Snapshot: s.Name, SnapshotID: s.ID, Description: s.Description,
	}
	e.setTime(s.CreateTS)
	e.count(s)
	return e
}
