package verify

import (
	"context"
	"fmt"
	"iter"
	"slices"
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

// Side is what one side holds. A table with variants has no content hash: its JSON text is gone.
type Side struct {
	Rows      int64  `json:"rows"`
	Hash      string `json:"content_hash,omitempty"`
	ValueHash string `json:"value_hash,omitempty"` // instead, where there are variants: JSON counts by its value
}

// Report is the verdict. The two sides are equal iff Differences is empty.
type Report struct {
	Table             string   `json:"table"`
	IcebergSnapshotID int64    `json:"iceberg_snapshot_id,omitempty"`
	Tag               string   `json:"tag,omitempty"`
	Snapshot          Side     `json:"snapshot"`
	Found             Side     `json:"found"`
	Recorded          string   `json:"recorded_content_hash,omitempty"` // what the export wrote into the table
	JSONByValue       []string `json:"json_by_value,omitempty"`         // columns that are variants in the table
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
	names := r.columns(scan.Schema(), have.SchemaOf(at.ID))
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
		field, ok := have.FindFieldByName(f.Name)
		if !ok {
			r.differ("the table has no column %q", f.Name)
			continue
		}
		if _, ok := field.Type.(iceberg.VariantType); ok {
			r.JSONByValue = append(r.JSONByValue, f.Name)
		}
		names = append(names, f.Name)
	}
	return names
}

// compare hashes both sides and judges.
func (r *Report) compare(ctx context.Context, scan *reader.Scan, batches iter.Seq2[arrow.RecordBatch, error], opts Options) error {
	byValue := map[string]bool{}
	for _, name := range r.JSONByValue {
		byValue[name] = true
	}
	exact, want, err := hashScan(ctx, scan, byValue, opts)
	if err != nil {
		return err
	}
	found, err := hashBatches(scan, byValue, batches, func(rows int64) {
		if opts.Progress != nil && want.Rows > 0 {
			half := scanRows(scan)
			opts.Progress(half+int(min(float64(rows)/float64(want.Rows), 1)*float64(half)), 2*half)
		}
	})
	if err != nil {
		return fmt.Errorf("read table %s: %w", r.Table, err)
	}
	r.Snapshot, r.Found = Side{Rows: want.Rows, Hash: exact.String()}, Side{Rows: found.Rows, Hash: found.String()}
	what := "content"
	if len(byValue) > 0 {
		what = "value"
		r.Snapshot.ValueHash, r.Found = want.String(), Side{Rows: found.Rows, ValueHash: found.String()}
	}
	switch {
	case want.Rows != found.Rows:
		r.differ("the snapshot has %d live rows, the table %d", want.Rows, found.Rows)
	case want != found:
		r.differ("the rows differ: %s hash %s of the snapshot, %s of the table", what, want, found)
	}
	if r.Recorded != "" && r.Recorded != exact.String() {
		r.differ("the export recorded content hash %s", r.Recorded)
	}
	return nil
}

// HashScan returns the content hash of the scan's live rows.
func HashScan(ctx context.Context, scan *reader.Scan, opts Options) (Hash, error) {
	exact, _, err := hashScan(ctx, scan, nil, opts)
	return exact, err
}

// hashScan returns two hashes of the scan's live rows: the content hash, and the one in which some columns of JSON count by
// value. Without such columns they are the same.
func hashScan(ctx context.Context, scan *reader.Scan, byValue map[string]bool, opts Options) (exact, value Hash, err error) {
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, opts.Workers))
	for _, seg := range scan.Segments() {
		g.Go(func() error {
			e, v, err := hashSegment(ctx, scan, seg, byValue)
			mu.Lock()
			defer mu.Unlock()
			exact, value = exact.Add(e), value.Add(v)
			if done += int(seg.Rows); opts.Progress != nil {
				opts.Progress(done, 2*scanRows(scan))
			}
			return err
		})
	}
	err = g.Wait()
	return exact, value, err
}

// scanRows returns the rows that the scan's segments declare, deleted ones included.
func scanRows(scan *reader.Scan) (n int) {
	for _, seg := range scan.Segments() {
		n += int(seg.Rows)
	}
	return n
}

func hashSegment(ctx context.Context, scan *reader.Scan, seg *milvus.Segment, byValue map[string]bool) (exact, value Hash, err error) {
	h, err := NewHasher(scan.Schema())
	if err != nil {
		return Hash{}, Hash{}, err
	}
	v := &Hasher{columns: slices.Clone(h.columns), byValue: byValue}
	_, err = scan.Read(ctx, seg, func(batch arrow.RecordBatch) error {
		if len(byValue) > 0 {
			if err := v.Add(batch); err != nil {
				return err
			}
		}
		return h.Add(batch)
	})
	if len(byValue) == 0 {
		return h.Sum(), h.Sum(), err
	}
	return h.Sum(), v.Sum(), err
}

// hashBatches hashes the columns of a table that have a Milvus field id in the scan, by name, whatever their form. After each
// batch it says how many rows there were so far.
func hashBatches(scan *reader.Scan, byValue map[string]bool, batches iter.Seq2[arrow.RecordBatch, error], progress func(rows int64)) (Hash, error) {
	var h *Hasher
	var rows int64
	for batch, err := range batches {
		if err != nil {
			return Hash{}, err
		}
		labelled, err := label(batch, scan.Schema(), &scan.Snapshot().Collection.Schema)
		if err != nil {
			return Hash{}, err
		}
		if h == nil {
			if h, err = NewHasher(labelled.Schema()); err != nil {
				return Hash{}, err
			}
			h.byValue = byValue
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
