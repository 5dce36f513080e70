package reader

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// Scan reads the live rows of a snapshot. Make it with [Open]. Safe for concurrent use.
type Scan struct {
	snap     *describe.Snapshot
	opts     Options
	cols     []column
	schema   *arrow.Schema
	segments []*milvus.Segment
	key      milvus.Field
	expiry   *milvus.Field // the field of TTL.Field
	rule     deltamerge.Rule
	l0       []*l0Group

	prepared sync.Mutex                            // held while what comes before the first segment is done
	ready    bool                                  // it is done
	joins    joins                                 // deletes that do not fit into memory
	older    map[milvus.SegmentID]*deltamerge.Rows // rows that Dedupe leaves out
	keys     *keyReader                            // of a scan of keys alone, else nil

	deletes, deletesAfterCut, spilled atomic.Int64
}

// Counts tells what became of the rows of what was read. Counts.Counts.Live() rows passed the rules, Written() came out.
type Counts struct {
	deltamerge.Counts
	Deduplicated int64 // live rows left out by Dedupe
	Filtered     int64 // live rows that the filter did not select
	BadSkipped   int64 // rows left out by BadSkip
	BadNulls     int64 // values made NULL by BadNull

	UnreadableText map[string]int64 // texts of rows that came out made NULL by TextNull, by field; nil: none
	Bytes          int64            // compressed bytes read
	SeveralEvents  int64            // files with more than one event
	Out            Identity         // of the rows that came out
}

// Written returns the number of rows that came out.
func (c Counts) Written() int64 { return c.Live() - c.Deduplicated - c.Filtered - c.BadSkipped }

// Add adds b to c.
func (c *Counts) Add(b Counts) {
	c.Counts.Add(b.Counts)
	c.Deduplicated += b.Deduplicated
	c.Filtered += b.Filtered
	c.BadSkipped += b.BadSkipped
	c.BadNulls += b.BadNulls
	c.Bytes += b.Bytes
	c.SeveralEvents += b.SeveralEvents
	c.Out = c.Out.Join(b.Out)
	for name, n := range b.UnreadableText {
		c.addUnread(name, n)
	}
}

func (c *Counts) addUnread(name string, n int64) {
	if c.UnreadableText == nil {
		c.UnreadableText = map[string]int64{}
	}
	c.UnreadableText[name] += n
}

// Open plans a scan from metadata alone. It fails on everything that is known now to be unreadable.
func Open(snap *describe.Snapshot, opts Options) (*Scan, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	s := &Scan{snap: snap, opts: opts}
	schema := &snap.Collection.Schema
	if schema.ExternalSource != "" {
		return nil, fault.Unsupported("plan", "collection %s is external: Milvus holds no files of it", schema.Name)
	}
	var err error
	if s.cols, err = columns(schema, opts); err != nil {
		return nil, err
	}
	if err := s.checkFilter(schema); err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(s.cols))
	for i, c := range s.cols {
		fields[i] = c.Field
	}
	s.schema = arrow.NewSchema(fields, nil)
	var ok bool
	if s.key, ok = schema.PrimaryKey(); !ok {
		return nil, fault.Corrupt("plan", "the schema of collection %s has no primary key", schema.Name)
	}
	if err := s.planRule(); err != nil {
		return nil, err
	}
	if err := s.planSegments(); err != nil {
		return nil, err
	}
	s.planJoins()
	return s, nil
}

// checkFilter refuses a filter over fields that are not readable.
func (s *Scan) checkFilter(schema *milvus.Schema) error {
	if s.opts.Where == nil {
		return nil
	}
	for _, id := range s.opts.Where.Fields() {
		f, ok := schema.Field(id)
		if !ok {
			return fault.Missing("plan", "the filter uses field %d, which the schema does not have", id)
		}
		if _, err := cell.Type(f); err != nil {
			return fmt.Errorf("filter: field %s: %w", f.Name, err)
		}
	}
	return nil
}

// filtered reports whether the filter uses the field.
func (s *Scan) filtered(f milvus.Field) bool {
	return s.opts.Where != nil && slices.Contains(s.opts.Where.Fields(), f.ID)
}

// planSegments selects the segments to read and groups the L0 segments.
func (s *Scan) planSegments() error {
	partitions, err := s.partitions()
	if err != nil {
		return err
	}
	for i := range s.snap.Segments {
		seg := &s.snap.Segments[i]
		if seg.IsL0() {
			if err := checkL0(seg); err != nil {
				return fmt.Errorf("segment %d: %w", seg.ID, err)
			}
			s.addL0(seg)
			continue
		}
		if partitions != nil && !partitions[seg.Partition] || !s.opts.reads(seg.ID) {
			continue
		}
		if err := s.checkSegment(seg); err != nil {
			return fmt.Errorf("segment %d: %w", seg.ID, err)
		}
		if seg.Rows > 0 || len(seg.Binlogs) > 0 {
			s.segments = append(s.segments, seg)
		}
	}
	s.narrowL0()
	return nil
}

// checkSegment refuses what can't be read, from metadata alone.
func (s *Scan) checkSegment(seg *milvus.Segment) error {
	switch seg.StorageVersion {
	case milvus.StorageV1:
	case milvus.StorageV2, milvus.StorageV3:
		return s.checkGroups(seg)
	default:
		return unknownStorage(seg)
	}
	if seg.Rows == 0 && len(seg.Binlogs) == 0 {
		return nil
	}
	_, err := s.chunks(seg)
	return err
}

func unknownStorage(seg *milvus.Segment) error {
	return fault.Unsupported("plan", "storage version %d is unknown", seg.StorageVersion).WithHint("0, 2 and 3 exist")
}

// partitions returns the selected partitions, nil for all.
func (s *Scan) partitions() (map[milvus.PartitionID]bool, error) {
	if s.opts.Partitions == nil {
		return nil, nil
	}
	out := map[milvus.PartitionID]bool{}
	byName := map[string]milvus.PartitionID{}
	var have []string
	for _, p := range s.snap.Collection.Partitions {
		byName[p.Name] = p.ID
		have = append(have, p.Name)
	}
	for _, name := range s.opts.Partitions {
		id, ok := byName[name]
		if !ok {
			return nil, fault.New(ErrSelect, "select partitions", "the collection has no partition %q", name).WithHint("it has %s", strings.Join(have, ", "))
		}
		out[id] = true
	}
	return out, nil
}

// Schema returns the schema of the batches. Fields carry MetaFieldID and MetaDoc.
func (s *Scan) Schema() *arrow.Schema { return s.schema }

// Segments returns the segments to read, by id: those with rows, of the selected partitions. Not to be changed.
func (s *Scan) Segments() []*milvus.Segment { return s.segments }

// Snapshot returns what is scanned.
func (s *Scan) Snapshot() *describe.Snapshot { return s.snap }

// Rule returns the cut and the TTL that apply.
func (s *Scan) Rule() deltamerge.Rule { return s.rule }

// Deletes returns how many deletes were read so far and how many of them are newer than the cut.
func (s *Scan) Deletes() (entries, afterCut int64) { return s.deletes.Load(), s.deletesAfterCut.Load() }

// Spilled returns the bytes that were written to temporary files.
func (s *Scan) Spilled() int64 { return s.spilled.Load() }

// Bytes returns the recorded sizes of the files that reading the segment asks for; its deletes included, L0 left out.
func (s *Scan) Bytes(seg *milvus.Segment) int64 {
	needed := map[milvus.FieldID]bool{}
	for _, f := range s.reads() {
		needed[f.ID] = true
	}
	var n int64
	for _, fb := range seg.Binlogs {
		columns := fb.ChildFields
		if seg.StorageVersion == milvus.StorageV1 {
			columns = []milvus.FieldID{fb.Field}
		}
		if len(columns) == 0 || slices.ContainsFunc(columns, func(id milvus.FieldID) bool { return needed[id] }) {
			n += size(fb)
		}
	}
	for _, fb := range seg.Deltalogs {
		n += size(fb)
	}
	return n
}

func size(fb milvus.FieldBinlog) (n int64) {
	for _, b := range fb.Binlogs {
		n += b.Size
	}
	return n
}
