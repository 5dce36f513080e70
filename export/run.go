package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	icebergcatalog "github.com/apache/iceberg-go/catalog"
	icebergtable "github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/datafile"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

// Properties that say where a table and its snapshots come from.
const (
	propertyCollectionID = "milvus.collection-id"
	propertyCollection   = "milvus.collection"
	propertySnapshot     = "milvus.snapshot"
	propertySnapshotID   = "milvus.snapshot-id"
	propertyCreateTS     = "milvus.create-ts"
	propertySource       = "milvus.source"
	summaryRowsRead      = "snapexport.rows-read"
	summaryRowsDeleted   = "snapexport.rows-deleted"
	summaryRowsAfterCut  = "snapexport.rows-after-cut"
	summaryRowsExpired   = "snapexport.rows-expired"
	summaryRowsDeduped   = "snapexport.rows-deduplicated" // only with Dedupe
	summaryRowsWritten   = "snapexport.rows-written"
	summaryUnreadable    = "snapexport.unreadable-text" // JSON of Result.UnreadableText
	summaryPlan          = "snapexport.rule"
)

// Result is the outcome of an export.
type Result struct {
	Table             string             `json:"table"`             // as its users call it: namespace.table, or a path or URI
	Catalog           string             `json:"catalog,omitempty"` // "": the table is a path
	MetadataLocation  string             `json:"metadata_location,omitempty"`
	IcebergSnapshotID int64              `json:"iceberg_snapshot_id,omitempty"`
	Tag               string             `json:"tag,omitempty"`
	ExportID          string             `json:"export_id"`
	AlreadyExported   bool               `json:"already_exported"`
	RowsRead          int64              `json:"rows_read"`
	RowsDeleted       int64              `json:"rows_deleted"`
	RowsAfterCut      int64              `json:"rows_after_cut"`
	RowsExpired       int64              `json:"rows_expired"`
	RowsDeduplicated  int64              `json:"rows_deduplicated"`
	RowsFiltered      int64              `json:"rows_filtered"`
	RowsWritten       int64              `json:"rows_written"`
	DeletesRead       int64              `json:"deletes_read"`
	FilesWritten      int                `json:"files_written"`
	BytesRead         int64              `json:"bytes_read"`
	BytesSpilled      int64              `json:"bytes_spilled"` // to temporary files
	BytesWritten      int64              `json:"bytes_written"`
	Reuse             *Reuse             `json:"reuse,omitempty"` // what was kept of the table: rows above are those of the snapshot, kept ones included; files and bytes are what this run did
	Expired           *catalog.Expiry    `json:"expired,omitempty"`
	Seconds           float64            `json:"seconds"`
	ContentHash       string             `json:"content_hash"`
	UnreadableText    map[string]int64   `json:"unreadable_text,omitempty"` // texts made NULL, by field
	Warnings          []describe.Warning `json:"warnings"`
}

// Run carries the plan out: it writes data files and commits them. On any error nothing of it is visible, and the files that
// were written are removed; but for an error of the commit itself whose outcome could not be found out, which says so.
// progress may be read while Run runs. The budget bounds memory; the scan should use the same.
func Run(ctx context.Context, scan *reader.Scan, plan *Plan, opts Options, opener *objstore.Opener, budget *reader.Budget, progress *Progress) (*Result, error) {
	opts = opts.withDefaults()
	progress.SegmentsTotal.Store(int64(plan.Totals.Segments))
	progress.RowsTotal.Store(plan.Totals.Rows)
	r := &runner{scan: scan, plan: plan, opts: opts, progress: progress}
	var err error
	if r.form, err = form.New(&scan.Snapshot().Collection.Schema, scan.Schema(), plan.Form); err != nil {
		return nil, err
	}
	if err := r.settle(ctx); err != nil {
		return nil, err
	}
	root, err := objstore.Parse(plan.Target)
	if err != nil {
		return nil, err
	}
	store, err := opener.Open(ctx, root.Store)
	if err != nil {
		return nil, err
	}
	r.table = table{store, root}
	if err := r.reserve(ctx, budget); err != nil {
		return nil, err
	}
	if plan.Format == FormatParquet {
		return r.parquet(ctx)
	}
	r.ident, r.catalog = catalog.Ident(plan.Target), catalog.NewPath(opener.Open, catalog.PathOptions{Warn: func(err error) {
		r.warnings = append(r.warnings, describe.Warning{Kind: "commit", Message: err.Error()})
	}})
	if opts.In != nil {
		r.ident, r.catalog = opts.In.Ident, opts.In.Catalog
	}
	return r.expiring(ctx)
}

// runner is one Run.
type runner struct {
	scan     *reader.Scan
	plan     *Plan
	opts     Options
	table    table
	progress *Progress
	catalog  icebergcatalog.Catalog
	ident    icebergtable.Identifier
	form     *form.Form
	file     datafile.Options
	overlap  bool // a file may be completed while the next is written
	warnings []describe.Warning
	budget   *reader.Budget
	settled  map[logName]bool // deltalogs of which it is known that no delete in them is newer than the cut
}

// minRowGroup is the smallest row group that an export settles for where memory is short.
const minRowGroup = 4 << 20

// growth is how much of memory a row group takes for each of its bytes: it is held once, in buffers that are used again, and
// beside it are the pages that are being made, dictionaries, and what waits for the garbage collector.
const growth = 2

// reserve takes the memory of the workers' writers for good. Row groups shrink first, then the number of workers, until the
// largest segment fits beside them; one that can't fit is ErrLimit before anything is written.
func (r *runner) reserve(ctx context.Context, budget *reader.Budget) error {
	need, err := r.scan.Need()
	if err != nil {
		return err
	}
	upload := objstore.UploadMemory(r.table.store)
	workers := int64(min(r.opts.Workers, max(1, len(r.plan.Tasks))))
	group := rowGroup(budget.Total(), workers, need, upload)
	for ; workers > 1 && group < minRowGroup; workers-- {
		group = rowGroup(budget.Total(), workers-1, need, upload)
	}
	if group < minRowGroup {
		lacking := need + growth*minRowGroup + upload - budget.Total()
		if lacking > 0 {
			return fault.Limit("plan", "a segment takes %d bytes of memory while it is read, and at least %d while it is written, of %d",
				need, growth*minRowGroup+upload, budget.Total()).On(r.plan.Source).WithHint("raise --memory by %d MiB", lacking*2>>20+1)
		}
		group = minRowGroup
	}
	r.opts.Workers, r.budget = int(workers), budget
	if r.overlap = rowGroup(budget.Total(), workers, need, 2*upload) >= group; r.overlap {
		upload *= 2
	}
	key := ""
	if f, ok := r.scan.Snapshot().Collection.Schema.PrimaryKey(); ok {
		key = f.Name
	}
	r.file = datafile.Options{RowGroupBytes: group, Keys: []string{key}, KeyValues: r.footer(), ArrowSchema: r.plan.Form.Vectors == form.VectorsFixedList,
		Scalars: r.opts.Scalars, Vectors: r.opts.Vectors}
	if r.opts.Version != "" {
		r.file.CreatedBy = fmt.Sprintf("snapexport version %s (build unknown)", r.opts.Version)
	}
	return budget.Keep(ctx, workers*(growth*group+upload))
}

// rowGroup returns the size of a row group with which so many workers leave room for need: half of the budget at most.
func rowGroup(budget, workers, need, upload int64) int64 {
	share := min(budget/2, budget-need) / workers
	return min(datafile.DefaultRowGroupBytes, (share-upload)/growth)
}

// footer gives the key-values of each data file's footer.
func (r *runner) footer() []milvus.KeyValue {
	s := r.plan.Snapshot
	out := []milvus.KeyValue{
		{Key: propertyCollection, Value: r.plan.Collection}, {Key: propertyCollectionID, Value: strconv.FormatInt(int64(s.CollectionID), 10)},
		{Key: propertySnapshot, Value: s.Name}, {Key: catalog.ExportIDProperty, Value: r.plan.ExportID},
	}
	if v := catalog.Encodings(r.form.Schema()); v != "" {
		out = append(out, milvus.KeyValue{Key: catalog.EncodingsProperty, Value: v})
	}
	return out
}

func (r *runner) iceberg(ctx context.Context) (*Result, error) {
	have, err := catalog.Load(ctx, r.catalog, r.ident)
	if err != nil && !errors.Is(err, fault.ErrMissing) {
		return nil, err
	}
	if err := r.checkVersion(have); err != nil {
		return nil, err
	}
	if err := r.once(have); err != nil {
		return nil, err
	}
	if have != nil && !r.opts.Replace {
		if err := r.mine(have); err != nil {
			return nil, err
		}
		if done, ok := r.shown(have); ok {
			return r.found(have, done), r.tidy(ctx)
		}
	}
	all := r.scan
	inc, err := r.incremental(ctx, have)
	if err != nil {
		return nil, err
	}
	if _, err := Preflight(ctx, r.scan, r.progress); err != nil {
		return nil, err
	}
	if err := r.checkCommits(ctx); err != nil {
		return nil, err
	}
	schema, err := catalog.FromArrow(r.form.Schema(), catalog.SchemaOptions{Table: have, Replace: r.opts.Replace})
	if err != nil {
		return nil, err
	}
	work, err := runTasks(ctx, r.scan, r.form, r.plan, r.opts, r.table, schema.Arrow, r.file, r.overlap, r.progress)
	if err != nil {
		return nil, err
	}
	if !r.opts.OwnTable {
		return r.extend(ctx, all, inc, have, schema, work)
	}
	faster, err := r.outrun(ctx)
	if err != nil || faster != nil {
		return faster, errors.Join(err, r.table.remove(ctx, work.Files))
	}
	if work.Files, err = r.publish(ctx, work.Files); err != nil {
		return nil, err
	}
	result, err := r.commit(ctx, have, r.change(have, schema, r.result(work)), r.result(work), work.Files)
	if err != nil {
		return nil, err
	}
	return result, r.tidy(ctx)
}

// checkCommits makes sure that of two commits to the table one wins. Local directories and catalogs do.
func (r *runner) checkCommits(ctx context.Context) error {
	if r.opts.In != nil || r.opts.UnsafeCommits || r.table.root.Scheme == "" || r.table.root.Scheme == "file" {
		return nil
	}
	prefix := ""
	if key := r.table.root.Key; key != "" {
		prefix = key + "/"
	}
	_, err := objstore.CheckCommits(ctx, r.table.store, prefix, objstore.CheckOptions{Rounds: 1, ID: "-" + r.opts.RunID})
	if errors.Is(err, fault.ErrUnsupported) {
		return fault.Unsupported("export", "commits to this store could get lost: %w", err).On(r.plan.Target).
			WithHint("'snapexport store check' tells more; --unsafe-commits goes on all the same")
	}
	return err
}

// change is the commit of an export of which the result is known.
func (r *runner) change(have *catalog.Table, schema *catalog.Schema, result *Result) catalog.Change {
	change := catalog.Change{
		ExportID: r.commitID(have), Schema: schema, Replace: true, Tag: catalog.Tag(r.plan.Snapshot.Name),
		Summary: r.summary(result), Properties: r.properties(), FormatVersion: r.plan.Iceberg, Location: r.plan.Target,
	}
	change.Check = func(have *catalog.Table) error {
		if err := r.once(have); err != nil || r.opts.Replace {
			return err
		}
		return r.mine(have)
	}
	return change
}

// commit makes the change with the files that the run wrote, which are removed if it fails.
func (r *runner) commit(ctx context.Context, have *catalog.Table, change catalog.Change, result *Result, files []File) (*Result, error) {
	r.progress.Committing.Store(true)
	r.sayVersion()
	for _, f := range files {
		if !f.data() {
			continue
		}
		df, err := catalog.DataFile(r.table.root.Join(f.Key).String(), f.Stats)
		if err != nil {
			return nil, errors.Join(err, r.table.remove(ctx, files))
		}
		change.Files = append(change.Files, df)
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, r.table.remove(ctx, files))
	}
	ctx, stop := graceful(ctx)
	defer stop()
	done, err := catalog.Commit(ctx, r.catalog, r.ident, change)
	if err != nil {
		return nil, r.undo(ctx, err, files)
	}
	if done.AlreadyCommitted {
		used, err := r.dropUnused(ctx, done.SnapshotID, files)
		if err != nil {
			return nil, err
		}
		// of an export without rows nobody can tell whose commit it was
		if done.AlreadyCommitted = used == 0; done.AlreadyCommitted {
			result.FilesWritten, result.BytesWritten = 0, 0
		}
	}
	result.AlreadyExported, result.ExportID = done.AlreadyCommitted, change.ExportID
	result.IcebergSnapshotID, result.MetadataLocation, result.Tag = done.SnapshotID, done.MetadataLocation, change.Tag
	result.Warnings = append(result.Warnings, r.warnings...)
	return result, nil
}

func (r *runner) summary(result *Result) map[string]string {
	rule, _ := json.Marshal(r.plan.Rule) // numbers and strings always encode
	s := r.plan.Snapshot
	out := map[string]string{
		propertySnapshot: s.Name, propertyCollection: r.plan.Collection, propertyCollectionID: fmt.Sprint(s.CollectionID),
		verify.SummaryHash: result.ContentHash, summaryPlan: string(rule),
	}
	if result.UnreadableText != nil {
		counts, _ := json.Marshal(result.UnreadableText) // texts and numbers always encode
		out[summaryUnreadable] = string(counts)
	}
	if s.ID != 0 {
		out[propertySnapshotID], out[propertyCreateTS] = fmt.Sprint(s.ID), fmt.Sprint(uint64(s.CreateTS))
	}
	for key, n := range map[string]int64{summaryRowsRead: result.RowsRead, summaryRowsDeleted: result.RowsDeleted,
		summaryRowsAfterCut: result.RowsAfterCut, summaryRowsExpired: result.RowsExpired, summaryRowsWritten: result.RowsWritten} {
		out[key] = strconv.FormatInt(n, 10)
	}
	if r.plan.Rule.Dedupe != "" {
		out[summaryRowsDeduped] = strconv.FormatInt(result.RowsDeduplicated, 10)
	}
	return out
}

// properties are those of the table, which the latest export sets.
func (r *runner) properties() map[string]string {
	s := r.plan.Snapshot
	out := map[string]string{
		propertyCollection: r.plan.Collection, propertyCollectionID: fmt.Sprint(s.CollectionID), propertySource: r.plan.Source,
		propertySnapshot: s.Name, propertyOptions: r.plan.options(), "commit.retry.num-retries": "4",
	}
	if r.opts.OwnTable {
		out[propertyOnce], out[propertyDataPath] = "true", r.table.root.Join(binlogsFolder).String()
	}
	return out
}

func (r *runner) result(work Work) *Result {
	c := work.Counts
	out := &Result{
		Table: r.plan.Table(), Catalog: r.plan.Catalog, ExportID: r.plan.ExportID, RowsRead: c.Rows, RowsDeleted: c.Deleted, RowsAfterCut: c.AfterCut, RowsExpired: c.Expired,
		RowsDeduplicated: c.Deduplicated, RowsFiltered: c.Filtered, RowsWritten: c.Written(), FilesWritten: len(work.Files), BytesRead: c.Bytes, ContentHash: work.Hash.String(),
		UnreadableText: c.UnreadableText, Warnings: r.scan.Warnings(c),
	}
	for _, f := range work.Files {
		out.BytesWritten += f.Stats.Bytes
	}
	out.DeletesRead, _ = r.scan.Deletes()
	out.BytesSpilled = r.scan.Spilled()
	return out
}
