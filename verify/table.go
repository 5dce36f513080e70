package verify

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	icecat "github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// Keys of an Iceberg snapshot's summary under which an export records what it exported.
const (
	SummaryHash         = "snapexport.content-hash"
	summarySnapshotID   = "milvus.snapshot-id"
	summaryCollectionID = "milvus.collection-id"
)

// Options refine [Table].
type Options struct {
	Workers int     // segments read at once; 0: 1
	Norms   bool    // compare the extremes of the norms of dense vectors, too
	Percent float64 // of the data that is read, of both sides; 0 or 100: all. It needs the mapping that an export leaves
	// Progress, if not nil, is called after every segment of the snapshot and every batch of the table, from one goroutine at
	// a time. The snapshot's side is the first half of the total. If the sides differ they are read, and counted, once more.
	Progress func(done, total int)
}

// Table compares the live rows of the scan with those of an Iceberg table: of the Iceberg snapshot that the Milvus
// snapshot's tag names, else of the current one. Delete files that others added are applied. Beside the content hash it
// compares the schema, the tag, and of each column the NULLs and the extremes; where these differ both sides are read
// once more, to name columns and keys.
func Table(ctx context.Context, scan *reader.Scan, cat icecat.Catalog, ident table.Identifier, opts Options) (*Report, error) {
	have, err := catalog.Load(ctx, cat, ident)
	if err != nil {
		return nil, err
	}
	r := &Report{Table: have.Location, Columns: []Column{}, Differences: []string{}}
	at := r.find(scan, have)
	if at == nil {
		r.differ("the table has no snapshot")
		return r, nil
	}
	t, err := cat.LoadTable(ctx, ident)
	if err != nil {
		return nil, err
	}
	names := r.columns(scan, have.SchemaOf(at.ID))
	c := &comparison{subject: newSubject(scan, names, r.JSONByValue, opts), report: r, table: t, at: at, segments: scan.Segments()}
	if opts.Percent > 0 && opts.Percent < 100 {
		if err := c.sample(ctx); err != nil {
			return nil, err
		}
	}
	return r, c.run(ctx)
}

// find returns the Iceberg snapshot to compare with, and judges the tag.
func (r *Report) find(scan *reader.Scan, have *catalog.Table) *catalog.Snapshot {
	at, snap := have.Current, scan.Snapshot()
	if tag := catalog.Tag(snap.Name); tag != "" {
		tagged, ok := have.Tagged(tag)
		if !ok {
			r.differ("the table has no tag %q", tag)
		} else {
			at, r.Tag = tagged, tag
			for _, c := range []struct {
				key, what string
				id        int64
			}{{summarySnapshotID, "snapshot", int64(snap.ID)}, {summaryCollectionID, "collection", int64(snap.Collection.ID)}} {
				if got := tagged.Summary[c.key]; got != "" && c.id != 0 && got != strconv.FormatInt(c.id, 10) {
					r.differ("tag %q is of Milvus %s %s, this is %s %d", tag, c.what, got, c.what, c.id)
				}
			}
		}
	}
	if at != nil {
		r.IcebergSnapshotID, r.Recorded = at.ID, at.Summary[SummaryHash]
	}
	return at
}

// comparison is one run of [Table].
type comparison struct {
	*subject
	report   *Report
	table    *table.Table
	at       *catalog.Snapshot
	segments []*milvus.Segment
	files    map[string]bool // paths of the data files to read; nil: all
}

// open begins to read the table.
func (c *comparison) open(ctx context.Context) (iter.Seq2[arrow.RecordBatch, error], error) {
	scan := c.table.Scan(table.WithSnapshotID(c.at.ID), table.WithSelectedFields(c.names...))
	tasks, err := scan.PlanFiles(ctx)
	if err != nil {
		return nil, c.unreadable(err)
	}
	if c.files != nil {
		chosen := tasks[:0]
		for _, t := range tasks {
			if c.files[t.File.FilePath()] {
				chosen = append(chosen, t)
			}
		}
		tasks = chosen
	}
	_, batches, err := scan.ReadTasks(ctx, tasks)
	if err != nil {
		return nil, c.unreadable(err)
	}
	return batches, nil
}

func (c *comparison) unreadable(err error) error {
	return fmt.Errorf("read table %s: %w", c.report.Table, err)
}

// run measures both sides and judges.
func (c *comparison) run(ctx context.Context) error {
	ours, err := c.measureScan(ctx, c.segments)
	if err != nil {
		return err
	}
	batches, err := c.open(ctx)
	if err != nil {
		return err
	}
	exact, want := ours.sums()
	theirs, err := c.measureTable(batches, c.segments, want.Rows)
	if err != nil {
		return c.unreadable(err)
	}
	found := theirs.value.Sum()
	c.report.sums(exact, want, found)
	c.report.judge(ours.profiles, theirs.profiles)
	if want == found {
		return nil
	}
	return c.diagnose(ctx, c.report, c.segments, ours, theirs, func() (iter.Seq2[arrow.RecordBatch, error], error) { return c.open(ctx) })
}

// sums compares the hashes: exact and want are the snapshot's.
func (r *Report) sums(exact, want, found Hash) {
	r.Snapshot, r.Found = Side{Rows: want.Rows, Hash: exact.String()}, Side{Rows: found.Rows, Hash: found.String()}
	what := "content"
	if len(r.JSONByValue) > 0 {
		what = "value"
		r.Snapshot.ValueHash, r.Found = want.String(), Side{Rows: found.Rows, ValueHash: found.String()}
	}
	switch {
	case want.Rows != found.Rows:
		r.differ("the snapshot has %d live rows, the table %d", want.Rows, found.Rows)
	case want != found:
		r.differ("the rows differ: %s hash %s of the snapshot, %s of the table", what, want, found)
	}
	if r.Recorded != "" && r.Sample == nil && r.Recorded != exact.String() {
		r.differ("the export recorded content hash %s", r.Recorded)
	}
}

// HashScan returns the content hash of the scan's live rows.
func HashScan(ctx context.Context, scan *reader.Scan, opts Options) (Hash, error) {
	m, err := newSubject(scan, nil, nil, opts).measureScan(ctx, scan.Segments())
	if err != nil {
		return Hash{}, err
	}
	return m.value.Sum(), nil
}
