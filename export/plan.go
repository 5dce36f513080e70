package export

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/datafile"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// Format is what an export writes.
type Format string

// The formats.
const (
	FormatIceberg Format = "iceberg" // an Iceberg table: data/ and metadata/
	FormatParquet Format = "parquet" // a directory of Parquet files
)

// Defaults of [Options].
const (
	DefaultTargetFileSize = 512 << 20
	DefaultWorkers        = 2
	packBytes             = 32 << 20 // segments smaller than this share a task
)

// Options say where and how to write.
type Options struct {
	Target         string       // path or URI of the table's root, as the user typed it
	In             *Destination // the table is one in a catalog, and Target of no meaning; nil: a path table
	Format         Format       // "": FormatIceberg
	Expire         int          // Milvus snapshots that the table keeps afterwards, the newest; 0: all
	Replace        bool         // make a new version even if this export is in the table already, or the table is another's
	Workers        int          // 0: DefaultWorkers
	TargetFileSize int64        // bytes after which a task begins another file; 0: DefaultTargetFileSize
	OwnTable       bool         // the target is the place of the snapshot's own table, which is written once, with its files in binlogs/
	UnsafeCommits  bool         // commit to stores on which create-once does not hold
	Form           form.Options
	Scalars        datafile.Codec // of columns but vectors; see datafile.Options
	Vectors        datafile.Codec
	IcebergFormat  int    // version of Iceberg's format, 2 or 3; 0: the lowest that has the columns' types, or what the table has
	RunID          string // random, short: part of file names
	Version        string // of the program, for the footers
}

func (o Options) withDefaults() Options {
	if o.Format == "" {
		o.Format = FormatIceberg
	}
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.TargetFileSize <= 0 {
		o.TargetFileSize = DefaultTargetFileSize
	}
	return o
}

// Plan is an export that has been decided on.
type Plan struct {
	ExportID   string             `json:"export_id"`
	RunID      string             `json:"run_id"`
	Source     string             `json:"source"`
	Target     string             `json:"target"`
	Catalog    string             `json:"catalog,omitempty"`    // name of the catalog that has the table; "": a path table
	Identifier []string           `json:"identifier,omitempty"` // namespace and name in the catalog
	Format     Format             `json:"format"`
	Form       form.Options       `json:"form,omitzero"`
	Iceberg    int                `json:"iceberg_format,omitempty"` // format version that was asked for or is needed; 0: none in particular
	Snapshot   Snapshot           `json:"snapshot"`
	Collection string             `json:"collection"`
	Columns    []Column           `json:"columns"`
	Rule       Rule               `json:"rule"`
	Tasks      []Task             `json:"tasks"`
	Totals     Totals             `json:"totals"`
	Reuse      *Reuse             `json:"reuse,omitempty"`        // what is kept of the table, as far as it is known
	Found      int64              `json:"found,string,omitempty"` // by a dry run: the Iceberg snapshot that holds this export already
	Expiry     *catalog.Expiry    `json:"expiry,omitempty"`       // by a dry run: what leaves the table afterwards
	Warnings   []describe.Warning `json:"warnings,omitempty"`     // by a dry run
	Checked    *reader.Checked    `json:"checked,omitempty"`      // by a dry run
}

// Snapshot identifies what is exported.
type Snapshot struct {
	Name         string              `json:"name,omitempty"`
	ID           milvus.SnapshotID   `json:"id,string,omitempty"`
	CollectionID milvus.CollectionID `json:"collection_id,string"`
	CreateTS     milvus.Timestamp    `json:"create_ts,string,omitempty"`
}

// Column is one column of the output.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // the Arrow type
	Nullable bool   `json:"nullable"`
	Doc      string `json:"doc,omitempty"`
}

// Rule is the visibility rule in force; see reader.Options.
type Rule struct {
	AsOf         milvus.Timestamp      `json:"as_of,string"`
	TTLNowMilli  int64                 `json:"ttl_now_ms,omitempty"`
	TTLAgeMilli  int64                 `json:"ttl_age_ms,omitempty"`
	TTLField     milvus.FieldID        `json:"ttl_field,omitempty"`
	Where        string                `json:"where,omitempty"`
	Dedupe       reader.Dedupe         `json:"dedupe,omitempty"` // only where not "off"
	BadRows      reader.BadRows        `json:"on_bad_row"`
	CheckJSON    bool                  `json:"check_json,omitempty"`      // only where it can change rows
	Text         reader.UnreadableText `json:"unreadable_text,omitempty"` // only where not "fail"
	PartitionSet []string              `json:"partitions,omitempty"`
}

// Task is a unit of work.
type Task struct {
	ID        int                `json:"id"`
	Partition milvus.PartitionID `json:"partition,string"`
	Segments  []milvus.SegmentID `json:"segments"`
	Rows      int64              `json:"rows"`            // deleted ones included
	Bytes     int64              `json:"bytes"`           // recorded sizes of the files to read
	Again     bool               `json:"again,omitempty"` // read only, for the content hash: the files that hold the rows are kept
}

// Totals sums the tasks up.
type Totals struct {
	Segments int   `json:"segments"`
	Rows     int64 `json:"rows"`
	Bytes    int64 `json:"bytes"`
}

// NewPlan decides on an export. Nothing is written, no data is read.
func NewPlan(scan *reader.Scan, ropts reader.Options, opts Options) (*Plan, error) {
	opts = opts.withDefaults()
	var err error
	if opts.Form, err = opts.Form.Normal(); err != nil {
		return nil, err
	}
	if opts.Format != FormatIceberg && opts.Format != FormatParquet {
		return nil, fault.Unsupported("plan", "format %q", opts.Format).WithHint("there are iceberg and parquet")
	}
	if opts.Expire < 0 || opts.Expire > 0 && (opts.OwnTable || opts.Format != FormatIceberg) {
		return nil, fault.Unsupported("plan", "snapshots of this target can't expire").WithHint("only those of an Iceberg table that has more than one")
	}
	if opts.OwnTable && (opts.Format != FormatIceberg || opts.Replace) {
		return nil, fault.Unsupported("plan", "a snapshot's own table is an Iceberg table, and is written once").WithHint("choose another place with --to")
	}
	if _, err := objstore.Parse(opts.Target); err != nil && opts.In == nil {
		return nil, err
	}
	if opts.In != nil && (opts.Format != FormatIceberg || opts.OwnTable) {
		return nil, fault.Unsupported("plan", "a table in a catalog is an Iceberg table")
	}
	forms, version, err := opts.forms(scan)
	if err != nil {
		return nil, err
	}
	snap := scan.Snapshot()
	rule := scan.Rule()
	p := &Plan{
		RunID: opts.RunID, Source: snap.Source, Target: strings.TrimRight(opts.Target, "/"), Format: opts.Format, Form: opts.Form, Iceberg: version,
		Snapshot:   Snapshot{Name: snap.Name, ID: snap.ID, CollectionID: snap.Collection.ID, CreateTS: snap.CreateTS},
		Collection: snap.Collection.Database + "." + snap.Collection.Schema.Name,
		Rule: Rule{AsOf: rule.AsOf, TTLNowMilli: rule.TTL.NowMilli, TTLAgeMilli: rule.TTL.MaxAgeMilli, TTLField: rule.TTL.Field,
			BadRows: cmp.Or(ropts.OnBad, reader.BadFail), CheckJSON: ropts.CheckJSON && ropts.OnBad != reader.BadFail && ropts.OnBad != "", PartitionSet: slices.Compact(slices.Sorted(slices.Values(ropts.Partitions)))},
	}
	p.named(opts.In)
	if ropts.UnreadableText == reader.TextNull {
		p.Rule.Text = reader.TextNull
	}
	if ropts.Dedupe == reader.DedupeNewest {
		p.Rule.Dedupe = ropts.Dedupe
	}
	if ropts.Where != nil {
		p.Rule.Where = ropts.Where.String()
	}
	for _, f := range forms.Schema().Fields() {
		doc, _ := f.Metadata.GetValue(reader.MetaDoc)
		p.Columns = append(p.Columns, Column{f.Name, f.Type.String(), f.Nullable, doc})
	}
	p.setTasks(tasks(scan))
	p.ExportID = p.fingerprint(scan)
	return p, nil
}

func (p *Plan) setTasks(tasks []Task) {
	p.Tasks, p.Totals = tasks, Totals{}
	for i := range p.Tasks {
		t := &p.Tasks[i]
		t.ID = i
		p.Totals.Segments += len(t.Segments)
		p.Totals.Rows += t.Rows
		p.Totals.Bytes += t.Bytes
	}
}

// tasks packs segments: a large one stands alone, smaller ones of a partition share a task, in order of id.
func tasks(scan *reader.Scan) []Task {
	var out []Task
	open := map[milvus.PartitionID]int{} // index of the task that still takes segments
	for _, seg := range scan.Segments() {
		bytes := scan.Bytes(seg)
		i, ok := open[seg.Partition]
		if !ok || bytes >= packBytes {
			i = len(out)
			out = append(out, Task{ID: i, Partition: seg.Partition})
			if bytes < packBytes {
				open[seg.Partition] = i
			}
		}
		t := &out[i]
		t.Segments = append(t.Segments, seg.ID)
		t.Rows += seg.Rows
		t.Bytes += bytes
		if t.Bytes >= packBytes && open[seg.Partition] == i {
			delete(open, seg.Partition)
		}
	}
	return out
}

// fingerprint hashes what decides about rows and columns: segments with their files, columns and rules. Where the files
// are found, in which order metadata lists them, and how the work is done, is not part of it.
func (p *Plan) fingerprint(scan *reader.Scan) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	_ = enc.Encode(p.Snapshot) // a hash takes every write, and these types always encode
	_ = enc.Encode(p.Columns)
	_ = enc.Encode(p.Rule)
	if p.Form != (form.Options{}) {
		_ = enc.Encode(p.Form)
	}
	var lines []string
	for _, f := range scan.Snapshot().Collection.Schema.Fields {
		if f.Default != nil { // which rows without a file get
			lines = append(lines, fmt.Sprintf("%d default %T %v\n", f.ID, f.Default, f.Default))
		}
	}
	for _, seg := range scan.Snapshot().Segments {
		lines = append(lines, fmt.Sprintln(seg.ID, seg.Partition, seg.Level, seg.Channel, seg.StorageVersion, seg.CommitTimestamp, seg.DeleteApplyStart, path.Base(seg.ManifestPath)))
		for _, logs := range [][]milvus.FieldBinlog{seg.Binlogs, seg.Deltalogs} {
			for _, fb := range logs {
				for _, b := range fb.Binlogs {
					lines = append(lines, fmt.Sprintln(seg.ID, fb.Field, b.LogID, path.Base(b.File.Key)))
				}
			}
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		_, _ = io.WriteString(h, line)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
