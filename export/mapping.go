package export

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

// The mapping says which rows of which segments each data file of a snapshot holds, and on which grounds, so that the next
// export knows which files it may keep: docs/format/mapping.md.

const (
	mappingVersion = 1
	mappingLimit   = 256 << 20 // bytes
	mappingSuffix  = ".mapping.json"

	summaryMappingHash = "snapexport.mapping-sha256"
	propertyOptions    = "snapexport.options" // of the table: fingerprint of the options of its latest export
)

// mapping is the object.
type mapping struct {
	Version  int             `json:"version"`
	ExportID string          `json:"export_id"`
	Snapshot Snapshot        `json:"snapshot"`
	Options  string          `json:"options"`
	Rule     Rule            `json:"rule"`
	Columns  []mappedColumn  `json:"columns"`
	Deletes  []mappedDeletes `json:"deletes"`
	Units    []unit          `json:"units"`
}

// mappedColumn is what decides whether a file of before has the column as it is now.
type mappedColumn struct {
	Column
	Field   milvus.FieldID `json:"field,omitempty"`
	Default string         `json:"default,omitempty"`
}

// mappedDeletes is a deltalog that applied to one of the segments at least.
type mappedDeletes struct {
	Segment milvus.SegmentID `json:"segment,string"`
	File    string           `json:"file"` // its name without the folders
	LogID   milvus.LogID     `json:"log_id,string,omitempty"`
	Settled bool             `json:"settled"` // no delete in it is newer than the cut
}

// unit is what is kept or written anew as a whole: the files of one task.
type unit struct {
	Files    []mappedFile    `json:"files"`
	Segments []mappedSegment `json:"segments"`
	Hash     string          `json:"content_hash"`
	Counts   mappedCounts    `json:"counts"`
	Rows     mappedRows      `json:"rows"`
}

type mappedFile struct {
	Key   string `json:"key"` // below the table's root
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

type mappedSegment struct {
	ID      milvus.SegmentID `json:"id,string"`
	Content string           `json:"content"` // fingerprint of what the segment is made of, but for deletes
	Deletes []int            `json:"deletes"` // that applied: indexes of mapping.Deletes
}

// mappedCounts are reader.Counts.
type mappedCounts struct {
	Read           int64            `json:"read"`
	AfterCut       int64            `json:"after_cut"`
	Deleted        int64            `json:"deleted"`
	Expired        int64            `json:"expired"`
	Deduplicated   int64            `json:"deduplicated,omitempty"`
	Filtered       int64            `json:"filtered"`
	BadSkipped     int64            `json:"bad_skipped,omitempty"`
	BadNulls       int64            `json:"bad_nulls,omitempty"`
	UnreadableText map[string]int64 `json:"unreadable_text,omitempty"`
}

// mappedRows is reader.Identity. Keys are bytes, so that every text survives.
type mappedRows struct {
	Identity string           `json:"identity"` // 32 hexadecimal digits
	Rows     int64            `json:"rows"`
	MinTS    milvus.Timestamp `json:"min_ts,string"`
	MaxTS    milvus.Timestamp `json:"max_ts,string"`
	MinInt   int64            `json:"min_key,string,omitempty"`
	MaxInt   int64            `json:"max_key,string,omitempty"`
	MinText  []byte           `json:"min_text,omitempty"`
	MaxText  []byte           `json:"max_text,omitempty"`
}

func mapRows(d reader.Identity) mappedRows {
	return mappedRows{fmt.Sprintf("%016x%016x", d.Hi, d.Lo), d.Rows, d.MinTS, d.MaxTS, d.Keys.MinInt, d.Keys.MaxInt, []byte(d.Keys.MinText), []byte(d.Keys.MaxText)}
}

// same reports whether the rows are those of d.
func (m mappedRows) same(d reader.Identity) bool {
	return m.Rows == d.Rows && m.Identity == mapRows(d).Identity
}

func (m mappedRows) keys() reader.KeyRange {
	return reader.KeyRange{Any: m.Rows > 0, MinInt: m.MinInt, MaxInt: m.MaxInt, MinText: string(m.MinText), MaxText: string(m.MaxText)}
}

func mapCounts(c reader.Counts) mappedCounts {
	return mappedCounts{c.Rows, c.AfterCut, c.Deleted, c.Expired, c.Deduplicated, c.Filtered, c.BadSkipped, c.BadNulls, c.UnreadableText}
}

func (m mappedCounts) counts() reader.Counts {
	return reader.Counts{Counts: deltamerge.Counts{Rows: m.Read, AfterCut: m.AfterCut, Deleted: m.Deleted, Expired: m.Expired},
		Deduplicated: m.Deduplicated, Filtered: m.Filtered, BadSkipped: m.BadSkipped, BadNulls: m.BadNulls, UnreadableText: m.UnreadableText}
}

// content is the fingerprint of a segment, but for its deletes: where its files are found is no part of it.
func content(seg *milvus.Segment) string {
	lines := []string{fmt.Sprintln(seg.Partition, seg.Level, seg.Channel, seg.Rows, seg.StorageVersion, seg.CommitTimestamp, seg.DeleteApplyStart)}
	for _, fb := range seg.Binlogs {
		for _, b := range fb.Binlogs {
			lines = append(lines, fmt.Sprintln(fb.Field, fb.ChildFields, fb.Format, b.LogID, b.First, b.Entries, b.Size, path.Base(b.File.Key)))
		}
	}
	slices.Sort(lines[1:])
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:12])
}

// columns of the plan, with what the schema adds.
func (p *Plan) mappedColumns(scan *reader.Scan) []mappedColumn {
	schema := &scan.Snapshot().Collection.Schema
	var out []mappedColumn
	for i, f := range scan.Schema().Fields() {
		c := mappedColumn{Column: p.Columns[i]}
		c.Doc = ""
		if id, ok := f.Metadata.GetValue(reader.MetaFieldID); ok {
			for _, have := range schema.Fields {
				if fmt.Sprint(have.ID) == id {
					if c.Field = have.ID; have.Default != nil {
						c.Default = fmt.Sprintf("%T %v", have.Default, have.Default)
					}
				}
			}
		}
		out = append(out, c)
	}
	return out
}

// options is the fingerprint of what the user asked for. Times and columns, which follow the snapshot, are no part of it.
func (p *Plan) options() string {
	rule := p.Rule
	rule.AsOf, rule.TTLNowMilli, rule.TTLAgeMilli, rule.TTLField = 0, 0, 0, 0
	body, _ := json.Marshal(struct { // numbers and texts always encode
		Rule   Rule
		Form   any
		System []string
	}{rule, p.Form, p.systemColumns()})
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:12])
}

// systemColumns are the columns that no field is behind.
func (p *Plan) systemColumns() (out []string) {
	for _, c := range p.Columns {
		if strings.HasPrefix(c.Name, "_milvus_") {
			out = append(out, c.Name)
		}
	}
	return out
}

// newMapping gives the mapping of the scan with these units.
func (r *runner) newMapping(scan *reader.Scan, units []unit) *mapping {
	m := &mapping{Version: mappingVersion, ExportID: r.plan.ExportID, Snapshot: r.plan.Snapshot, Options: r.plan.options(), Rule: r.plan.Rule,
		Columns: r.plan.mappedColumns(scan), Deletes: []mappedDeletes{}, Units: units}
	r.settleRead(r.scan)
	at := map[mappedDeletes]int{}
	for u := range m.Units {
		for i := range m.Units[u].Segments {
			s := &m.Units[u].Segments[i]
			s.Deletes = []int{}
			seg, _ := scan.Snapshot().Segment(s.ID)
			for of, b := range scan.DeletesOf(seg) {
				d := mappedDeletes{of.ID, path.Base(b.File.Key), b.LogID, m.settles(b) || r.settled[nameOf(of, b)]}
				k, ok := at[d]
				if !ok {
					k = len(m.Deletes)
					at[d] = k
					m.Deletes = append(m.Deletes, d)
				}
				s.Deletes = append(s.Deletes, k)
			}
		}
	}
	return m
}

// logName names a deltalog, wherever it is found.
type logName struct {
	segment milvus.SegmentID
	file    string
	log     milvus.LogID
}

func nameOf(of *milvus.Segment, b milvus.Binlog) logName {
	return logName{of.ID, path.Base(b.File.Key), b.LogID}
}

// settleRead notes, of the deltalogs of a scan that has ended, that they hold nothing newer than the cut. That is known if they
// were all read, and nothing newer was found.
func (r *runner) settleRead(scan *reader.Scan) {
	logs := map[logName]bool{}
	var entries int64
	for _, seg := range scan.Segments() {
		for of, b := range scan.DeletesOf(seg) {
			if n := nameOf(of, b); !logs[n] {
				logs[n] = true
				entries += max(b.Entries, 1)
			}
		}
	}
	if read, late := scan.Deletes(); late > 0 || read < entries {
		return
	}
	for n := range logs {
		r.noteSettled(n)
	}
}

func (r *runner) noteSettled(n logName) {
	if r.settled == nil {
		r.settled = map[logName]bool{}
	}
	r.settled[n] = true
}

// settles reports whether all deletes of a deltalog counted at the mapping's cut. Where metadata has no times, nobody knows.
func (m *mapping) settles(b milvus.Binlog) bool {
	return m.Rule.AsOf == 0 || b.To != 0 && b.To <= m.Rule.AsOf
}

// unitOf describes what a task wrote.
func (r *runner) unitOf(done Done) unit {
	u := unit{Files: []mappedFile{}, Segments: []mappedSegment{}, Hash: done.Hash.String(), Counts: mapCounts(done.Counts), Rows: mapRows(done.Counts.Out)}
	for _, f := range done.Files {
		u.Files = append(u.Files, mappedFile{f.Key, f.Stats.Rows, f.Stats.Bytes})
	}
	for _, id := range done.Task.Segments {
		seg, _ := r.scan.Snapshot().Segment(id)
		u.Segments = append(u.Segments, mappedSegment{ID: id, Content: content(seg)})
	}
	return u
}

// write stores the mapping under a name of its own, below the table's root, and adds what finds it to the summary. After an
// error the file may be there.
func (m *mapping) write(ctx context.Context, t table, name string, summary map[string]string) (File, error) {
	f := File{Key: path.Join("metadata", name+mappingSuffix)}
	body, err := json.Marshal(m)
	if err != nil {
		return f, err
	}
	where := t.root.Join(f.Key)
	if err := t.store.Put(ctx, where.Key, body); err != nil { // no other run has the name
		return f, fmt.Errorf("write mapping: %w", err)
	}
	sum := sha256.Sum256(body)
	summary[catalog.MappingProperty], summary[summaryMappingHash] = where.String(), hex.EncodeToString(sum[:])
	return f, nil
}

// readMapping reads the mapping of an export's snapshot; nil if it has none. ErrMissing and ErrCorrupt: there is nothing to build on.
func readMapping(ctx context.Context, t table, s *catalog.Snapshot) (*mapping, error) {
	where := s.Summary[catalog.MappingProperty]
	if where == "" {
		return nil, nil
	}
	loc, err := objstore.Parse(where)
	key := t.root.Join(path.Join("metadata", path.Base(loc.Key))).Key
	if err != nil || loc.Store+"/"+loc.Key != t.root.Store+"/"+key { // of a local path, Parse takes all but the last element for the store
		return nil, fault.Corrupt("read mapping", "the table's snapshot %d names a mapping elsewhere", s.ID).On(where)
	}
	body, _, err := t.store.ReadAll(ctx, key, mappingLimit)
	if err != nil {
		return nil, err
	}
	m := &mapping{}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != s.Summary[summaryMappingHash] {
		return nil, fault.Corrupt("read mapping", "it is not what the export wrote").On(where)
	}
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fault.Corrupt("read mapping", "%w", err).On(where)
	}
	if m.Version != mappingVersion {
		return nil, fault.Unsupported("read mapping", "version %d", m.Version).On(where)
	}
	return m, m.check(where)
}

// check makes sure that indexes and hashes are of use.
func (m *mapping) check(where string) error {
	for _, u := range m.Units {
		_, err := verify.ParseHash(u.Hash)
		for _, s := range u.Segments {
			for _, d := range s.Deletes {
				if d < 0 || d >= len(m.Deletes) {
					err = cmp.Or(err, errors.New("a segment names deletes that are not listed"))
				}
			}
		}
		if err != nil {
			return fault.Corrupt("read mapping", "%w", err).On(where)
		}
	}
	return nil
}
