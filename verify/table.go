package verify

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// SummaryHash is the key of an Iceberg snapshot's summary under which an export records the content hash.
const SummaryHash = "snapexport.content-hash"

// Side is what one side holds.
type Side struct {
	Rows int64  `json:"rows"`
	Hash string `json:"content_hash"`
}

// Report is the verdict. The two sides are equal iff Differences is empty.
type Report struct {
	Table             string   `json:"table"`
	IcebergSnapshotID int64    `json:"iceberg_snapshot_id,omitempty"`
	Tag               string   `json:"tag,omitempty"`
	Snapshot          Side     `json:"snapshot"`
	Found             Side     `json:"found"`
	Recorded          string   `json:"recorded_content_hash,omitempty"` // what the export wrote into the table
	Differences       []string `json:"differences"`
}

// OK reports whether the table holds exactly the snapshot's live rows.
func (r *Report) OK() bool { return len(r.Differences) == 0 }

// Options refine [Table].
type Options struct {
	Workers int // segments read at once; 0: 1
	// Progress, if not nil, is called after every segment of the snapshot and every batch of the table, from one goroutine at
	// a time. The snapshot's side is the first half of the total.
	Progress func(done, total int)
}

// Table compares the live rows of the scan with those of an Iceberg table: of the Iceberg snapshot that the Milvus
// snapshot's tag names, else of the current one. Delete files that others added are applied.
func Table(ctx context.Context, scan *reader.Scan, cat icecat.Catalog, ident table.Identifier, opts Options) (*Report, error) {
	have, err := catalog.Load(ctx, cat, ident)
	if err != nil {
		return nil, err
	}
	r := &Report{Table: have.Location, Differences: []string{}}
	at := have.Current
	if tag := catalog.Tag(scan.Snapshot().Name); tag != "" {
		if tagged, ok := have.Tagged(tag); ok {
			at, r.Tag = tagged, tag
		} else {
			r.differ("the table has no tag %q", tag)
		}
	}
	if at == nil {
		r.differ("the table has no snapshot")
		return r, nil
	}
	r.IcebergSnapshotID, r.Recorded = at.ID, at.Summary[SummaryHash]
	t, err := cat.LoadTable(ctx, ident)
	if err != nil {
		return nil, err
	}
	names := r.columns(scan.Schema(), t.Schema())
	_, batches, err := t.Scan(table.WithSnapshotID(at.ID), table.WithSelectedFields(names...)).ToArrowRecords(ctx)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", have.Location, err)
	}
	return r, r.compare(ctx, scan, batches, opts)
}

func (r *Report) differ(format string, args ...any) {
	r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
}

// columns returns the columns that both sides have; one that the table lacks is a difference.
func (r *Report) columns(schema *arrow.Schema, have *iceberg.Schema) []string {
	var names []string
	for _, f := range schema.Fields() {
		if _, ok := f.Metadata.GetValue(metaFieldID); !ok {
			continue
		}
		if _, ok := have.FindFieldByName(f.Name); !ok {
			r.differ("the table has no column %q", f.Name)
			continue
		}
		names = append(names, f.Name)
	}
	return names
}

// compare hashes both sides and judges.
func (r *Report) compare(ctx context.Context, scan *reader.Scan, batches iter.Seq2[arrow.RecordBatch, error], opts Options) error {
	want, err := HashScan(ctx, scan, opts)
	if err != nil {
		return err
	}
	found, err := hashBatches(scan.Schema(), batches, func(rows int64) {
		if opts.Progress != nil && want.Rows > 0 {
			half := scanRows(scan)
			opts.Progress(half+int(min(float64(rows)/float64(want.Rows), 1)*float64(half)), 2*half)
		}
	})
	if err != nil {
		return fmt.Errorf("read table %s: %w", r.Table, err)
	}
	r.Snapshot, r.Found = Side{want.Rows, want.String()}, Side{found.Rows, found.String()}
	switch {
	case want.Rows != found.Rows:
		r.differ("the snapshot has %d live rows, the table %d", want.Rows, found.Rows)
	case want != found:
		r.differ("the rows differ: content hash %s of the snapshot, %s of the table", want, found)
	}
	if r.Recorded != "" && r.Recorded != want.String() {
		r.differ("the export recorded content hash %s", r.Recorded)
	}
	return nil
}

// HashScan returns the content hash of the scan's live rows.
func HashScan(ctx context.Context, scan *reader.Scan, opts Options) (Hash, error) {
	var mu sync.Mutex
	var sum Hash
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, opts.Workers))
	for _, seg := range scan.Segments() {
		g.Go(func() error {
			h, err := hashSegment(ctx, scan, seg)
			mu.Lock()
			defer mu.Unlock()
			sum = sum.Add(h)
			if done += int(seg.Rows); opts.Progress != nil {
				opts.Progress(done, 2*scanRows(scan))
			}
			return err
		})
	}
	err := g.Wait()
	return sum, err
}

// scanRows returns the rows that the scan's segments declare, deleted ones included.
func scanRows(scan *reader.Scan) (n int) {
	for _, seg := range scan.Segments() {
		n += int(seg.Rows)
	}
	return n
}

func hashSegment(ctx context.Context, scan *reader.Scan, seg *milvus.Segment) (Hash, error) {
	h, err := NewHasher(scan.Schema())
	if err != nil {
		return Hash{}, err
	}
	_, err = scan.Read(ctx, seg, h.Add)
	return h.Sum(), err
}

// hashBatches hashes the columns of a table that have a Milvus field id in the schema, by name. After each batch it says how
// many rows there were so far.
func hashBatches(schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error], progress func(rows int64)) (Hash, error) {
	var h *Hasher
	var rows int64
	for batch, err := range batches {
		if err != nil {
			return Hash{}, err
		}
		labelled, err := label(batch, schema)
		if err != nil {
			return Hash{}, err
		}
		if h == nil {
			if h, err = NewHasher(labelled.Schema()); err != nil {
				return Hash{}, err
			}
		}
		if err := h.Add(labelled); err != nil {
			return Hash{}, err
		}
		rows += batch.NumRows()
		progress(rows)
	}
	if h == nil {
		return Hash{}, nil
	}
	return h.Sum(), nil
}
