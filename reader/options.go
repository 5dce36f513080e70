package reader

import (
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// System is a column that no user declared.
type System string

// The system columns, by the names that select them; docs/format/schema-mapping.md 2 says what they hold.
const (
	SystemPartition System = "partition" // _milvus_partition, string
	SystemSegment   System = "segment"   // _milvus_segment, long
	SystemTS        System = "ts"        // _milvus_ts, long: the effective timestamp as TSO
	SystemTime      System = "time"      // _milvus_time, timestamptz: its physical part
	SystemRowID     System = "row-id"    // _milvus_row_id, long
)

// ParseSystem returns the system column with the name.
func ParseSystem(name string) (System, error) {
	for _, s := range systemColumns {
		if string(s.system) == name {
			return s.system, nil
		}
	}
	return "", fault.Unsupported("select columns", "no system column is called %q", name).
		WithHint("there are partition, segment, ts, time and row-id")
}

// TTLMode says whether rows expire.
type TTLMode string

// The modes of --ttl. The zero value is TTLAsOfSnapshot where the snapshot has a time, else TTLOff.
const (
	TTLOff          TTLMode = "off"
	TTLAsOfSnapshot TTLMode = "as-of-snapshot" // judged at the physical part of T
	TTLNow          TTLMode = "now"            // judged at Options.Now
)

// BadRows says what happens to a row with a value that does not fit its field.
type BadRows string

// The modes of --on-bad-row.
const (
	BadFail BadRows = "fail" // the default: an error that names file and row
	BadNull BadRows = "null" // the value becomes NULL; every column but the key is optional then
	BadSkip BadRows = "skip" // the row is left out
)

// UnreadableText says what happens to TEXT values that lie in files which are not read (docs/format/storage-v2-v3.md 2.6).
type UnreadableText string

// The modes of --unreadable-text.
const (
	TextFail UnreadableText = "fail" // the default: an error that names file and field
	TextNull UnreadableText = "null" // the value becomes NULL; every TEXT column is optional then
)

// Dedupe says which of several live rows with one key come out.
type Dedupe string

// The modes of --dedupe. The zero value is DedupeOff.
const (
	DedupeOff    Dedupe = "off"    // all of them: Milvus counts them all
	DedupeNewest Dedupe = "newest" // that of the newest effective timestamp; of equal ones, of the highest segment id, and there the last
)

// Options select what is read. They are part of an export's fingerprint.
type Options struct {
	Columns    []string // field names in any order; nil: all
	With       []System
	MetaName   string   // name of the $meta column; "" is "_meta"
	Partitions []string // names; nil: all
	Where      *filter.Filter

	SkipFunctionOutputs bool // but for those that Columns names

	AsOf  *milvus.Timestamp // nil: the snapshot's create_ts; 0: no cut
	TTL   TTLMode
	Now   time.Time // for TTLNow
	OnBad BadRows

	// Dedupe judges the live rows of the selected partitions, before Where and OnBad: an older row never comes out in place of
	// a newer one that those leave out.
	Dedupe Dedupe

	UnreadableText UnreadableText
	Vortex         Converter // nil: Vortex files are not read. No part of the fingerprint: rows are the same, or are refused without

	CheckJSON    bool // a JSON value that is not JSON does not fit its field
	CheckVariant bool // nor one that can't be a Parquet variant

	Reuse        bool // batches end with the call that they are handed to, which keeps nothing of them
	MaxBatchRows int  // 0: DefaultBatchRows
	Budget       *Budget
	Opener       *objstore.Opener
	TempDir      string // of files for deletes and keys that do not fit into Budget; "": they are ErrLimit
	SpillAfter   int64  // bytes of deletes and keys that are held in memory at most; 0: what Budget has room for

	only map[milvus.SegmentID]bool // nil: all; see [Scan.Only]
}

// DefaultBatchRows bounds a batch. Most are smaller: one ends where a page of any column ends.
const DefaultBatchRows = 1 << 16

// check refuses selections of nothing: an empty list is no list.
func (o Options) check() error {
	for what, list := range map[string][]string{"columns": o.Columns, "partitions": o.Partitions} {
		if list != nil && len(list) == 0 {
			return fault.New(ErrSelect, "select "+what, "the list of %s is empty", what).WithHint("without a list, all are read")
		}
	}
	switch o.Dedupe {
	case "", DedupeOff, DedupeNewest:
		return nil
	}
	return fault.Unsupported("plan", "dedupe mode %q", o.Dedupe).WithHint("there are off and newest")
}

func (o Options) withDefaults() Options {
	if o.MetaName == "" {
		o.MetaName = "_meta"
	}
	if o.OnBad == "" {
		o.OnBad = BadFail
	}
	if o.Dedupe == "" {
		o.Dedupe = DedupeOff
	}
	if o.UnreadableText == "" {
		o.UnreadableText = TextFail
	}
	if o.MaxBatchRows == 0 {
		o.MaxBatchRows = DefaultBatchRows
	}
	if o.Budget == nil {
		o.Budget = NewBudget(DefaultMemory)
	}
	return o
}
