package describe

import (
	"time"

	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// Report is what is in a snapshot, from metadata alone. Its JSON is the output of describe --json.
type Report struct {
	Source          string                `json:"source"`
	Kind            Kind                  `json:"kind"`
	Snapshot        ReportSnapshot        `json:"snapshot"`
	Collection      ReportCollection      `json:"collection"`
	Location        ReportLocation        `json:"location"`
	FormatVersion   int                   `json:"format_version,omitempty"`
	Layout          string                `json:"layout,omitempty"`
	StorageVersions []int64               `json:"storage_versions"` // ascending
	Totals          Totals                `json:"totals"`
	ByKind          map[FileKind]KindSize `json:"by_kind"`
	Partitions      []ReportPartition     `json:"partitions"` // by id; id -1 holds deletes of all partitions
	Indexes         []ReportIndex         `json:"indexes,omitempty"`
	Segments        []ReportSegment       `json:"segments,omitempty"`
	Growing         []milvus.SegmentID    `json:"growing,omitempty"`
	Estimate        Estimate              `json:"estimate"`
	Base            Estimate              `json:"base"`    // the part of Estimate that no choice of columns avoids: keys, timestamps, deletes
	Columns         []ColumnCost          `json:"columns"` // what each column adds to Base
	Warnings        []Warning             `json:"warnings"`
}

// ReportSnapshot is a snapshot's own data. CreateTS is a TSO, CreateTime its physical part in RFC 3339; both are absent
// where the source has no such instant.
type ReportSnapshot struct {
	Name        string            `json:"name"`
	ID          milvus.SnapshotID `json:"id"`
	Description string            `json:"description"`
	CreateTS    milvus.Timestamp  `json:"create_ts,omitempty"`
	CreateTime  string            `json:"create_time,omitempty"`
}

// ReportLocation is a Location.
type ReportLocation struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	URI    string `json:"uri"`
}

// Totals are sums over all segments. Sizes are those that metadata records; up to Milvus 2.3 insert logs have the size in
// memory there. ManifestSegments are those of V3, whose files are the ones that their manifests list.
type Totals struct {
	Segments         int   `json:"segments"`
	Rows             int64 `json:"rows"` // deleted ones included
	DeleteEntries    int64 `json:"delete_entries"`
	Files            int64 `json:"files"`
	Bytes            int64 `json:"bytes"`
	ManifestSegments int   `json:"manifest_segments,omitempty"`
	UncountedDeletes int64 `json:"uncounted_delete_files,omitempty"` // files with deletes that DeleteEntries lacks
}

// FileKind is what a file is for.
type FileKind string

// The kinds of files.
const (
	FileInsert   FileKind = "insert"
	FileDelete   FileKind = "delete"
	FileStats    FileKind = "stats" // key statistics, bloom filters, BM25
	FileIndex    FileKind = "index" // vector, scalar, text and JSON indexes
	FileManifest FileKind = "manifest"
)

// KindSize counts files of a kind; bytes as recorded.
type KindSize struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// ReportPartition is one partition's share.
type ReportPartition struct {
	ID            milvus.PartitionID `json:"id"`
	Name          string             `json:"name"`
	Segments      int                `json:"segments"`
	Rows          int64              `json:"rows"`
	DeleteEntries int64              `json:"delete_entries"`
	Files         int64              `json:"files"`
	Bytes         int64              `json:"bytes"`
}

// ReportSegment is one segment.
type ReportSegment struct {
	ID              milvus.SegmentID   `json:"id"`
	Partition       milvus.PartitionID `json:"partition"`
	Level           string             `json:"level"`
	Channel         string             `json:"channel"`
	StorageVersion  int64              `json:"storage_version"`
	Rows            int64              `json:"rows"`
	DeleteEntries   int64              `json:"delete_entries"`
	Files           int64              `json:"files"`
	Bytes           int64              `json:"bytes"`
	Sorted          bool               `json:"sorted"`
	CommitTimestamp milvus.Timestamp   `json:"commit_timestamp,omitempty"`
	Newest          time.Time          `json:"newest,omitzero"` // physical part of its newest row's timestamp; zero: not recorded
}

// Describe sums a snapshot up. With segments, the report has one entry for each.
func Describe(s *Snapshot, segments bool) *Report {
	r := &Report{
		Source: s.Source, Kind: s.Kind,
		Snapshot:   ReportSnapshot{Name: s.Name, ID: s.ID, Description: s.Description, CreateTS: s.CreateTS},
		Collection: reportCollection(&s.Collection),
		Location:   ReportLocation(s.Location), FormatVersion: s.FormatVersion, Layout: layoutName(s),
		StorageVersions: storageVersions(s),
		ByKind:          map[FileKind]KindSize{FileInsert: {}, FileDelete: {}, FileStats: {}, FileIndex: {}},
		Partitions:      make([]ReportPartition, 0, len(s.Collection.Partitions)),
		Indexes:         reportIndexes(s.Indexes), Growing: s.Growing,
		Estimate: s.Estimate(nil), Base: s.Estimate([]milvus.FieldID{}), Columns: s.columnCosts(),
		Warnings: append([]Warning{}, s.Warnings...),
	}
	if s.CreateTS != 0 {
		r.Snapshot.CreateTime = s.CreateTS.Time().Format(time.RFC3339Nano)
	}
	for _, p := range s.Collection.Partitions {
		r.Partitions = append(r.Partitions, ReportPartition{ID: p.ID, Name: p.Name})
	}
	for i := range s.Segments {
		r.add(&s.Segments[i], segments)
	}
	return r
}

// add counts one segment.
func (r *Report) add(seg *milvus.Segment, list bool) {
	entry := ReportSegment{
		ID: seg.ID, Partition: seg.Partition, Level: levelName(seg.Level), Channel: seg.Channel, StorageVersion: seg.StorageVersion,
		Rows: seg.Rows, DeleteEntries: deleteEntries(seg), Sorted: seg.Sorted, CommitTimestamp: seg.CommitTimestamp,
		Newest: newest(seg),
	}
	for kind, size := range sizes(seg) {
		sum := r.ByKind[kind]
		r.ByKind[kind] = KindSize{Files: sum.Files + size.Files, Bytes: sum.Bytes + size.Bytes}
		entry.Files += size.Files
		entry.Bytes += size.Bytes
	}
	r.Totals.Segments++
	r.Totals.Rows += entry.Rows
	r.Totals.DeleteEntries += entry.DeleteEntries
	r.Totals.UncountedDeletes += uncounted(seg)
	r.Totals.Files += entry.Files
	r.Totals.Bytes += entry.Bytes
	if seg.StorageVersion == milvus.StorageV3 {
		r.Totals.ManifestSegments++
	}
	p := r.partition(seg.Partition)
	p.Segments++
	p.Rows += entry.Rows
	p.DeleteEntries += entry.DeleteEntries
	p.Files += entry.Files
	p.Bytes += entry.Bytes
	if list {
		r.Segments = append(r.Segments, entry)
	}
}

// newest returns when the newest row was written, by the bounds that metadata records for its files.
func newest(seg *milvus.Segment) time.Time {
	last := seg.CommitTimestamp
	for i := range seg.Binlogs {
		for j := range seg.Binlogs[i].Binlogs {
			if to := seg.Binlogs[i].Binlogs[j].To; to != ^milvus.Timestamp(0) {
				last = max(last, to)
			}
		}
	}
	if last == 0 {
		return time.Time{}
	}
	return last.Time().UTC()
}

// partition returns the entry of a partition, which it adds if the collection does not name it.
func (r *Report) partition(id milvus.PartitionID) *ReportPartition {
	for i := range r.Partitions {
		if r.Partitions[i].ID == id {
			return &r.Partitions[i]
		}
	}
	r.Partitions = append(r.Partitions, ReportPartition{ID: id})
	return &r.Partitions[len(r.Partitions)-1]
}

// layoutName returns "referenced" or "self-contained"; other kinds of sources have no layout.
func layoutName(s *Snapshot) string {
	switch {
	case s.Kind != KindSnapshot:
		return ""
	case s.Layout == snapfile.LayoutSelfContained:
		return "self-contained"
	}
	return "referenced"
}

func levelName(l milvus.SegmentLevel) string {
	switch l {
	case milvus.LevelLegacy:
		return "legacy"
	case milvus.LevelL0:
		return "L0"
	case milvus.LevelL1:
		return "L1"
	}
	return "L2"
}
