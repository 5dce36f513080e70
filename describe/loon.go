package describe

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/milvus"
)

// readLoon reads the manifests of all V3 segments, a few at a time, and puts what they list in the place of the segments'
// own lists: what those say of V3 are placeholders.
func (s *Snapshot) readLoon(ctx context.Context, opts Options) error {
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(opts.workers())
	latest := make([]int64, len(s.Segments))
	for i := range s.Segments {
		seg := &s.Segments[i]
		if seg.StorageVersion != milvus.StorageV3 {
			continue
		}
		g.Go(func() (err error) {
			latest[i], err = s.readLoonSegment(each, seg, opts)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, version := range latest {
		if version > 0 {
			s.warn(WarnLatestManifest, s.Segments[i].ID, "metadata names no manifest version of segment %d; the newest, %d, was taken and may be ahead of the snapshot", s.Segments[i].ID, version)
		}
	}
	return nil
}

// readLoonSegment returns the version that was found by listing, 0 if metadata names one.
func (s *Snapshot) readLoonSegment(ctx context.Context, seg *milvus.Segment, opts Options) (latest int64, err error) {
	m, err := s.Manifest(seg)
	if err != nil || m.Version == 0 {
		return 0, err
	}
	store, err := opts.Opener.Open(ctx, m.Base.Bucket)
	if err != nil {
		return 0, err
	}
	if m.Version < 0 {
		for obj, err := range store.List(ctx, m.Base.Key+"/_metadata/") {
			if err != nil {
				return 0, err
			}
			latest = max(latest, manifestVersion(obj.Key))
		}
		if m.Version = latest; latest == 0 {
			return 0, nil
		}
	}
	key := loon.Key(m.Base.Key, m.Version)
	body, _, err := store.ReadAll(ctx, key, loon.MaxBytes)
	if err != nil {
		return 0, fmt.Errorf("segment %d: %w", seg.ID, err)
	}
	manifest, err := loon.Decode(body)
	if err == nil {
		err = s.adopt(seg, manifest)
	}
	if err != nil {
		return 0, fmt.Errorf("segment %d: %w", seg.ID, fault.Place(err, join(store.URI(), key)))
	}
	return latest, nil
}

// manifestVersion returns the number in "manifest-{N}.avro", 0 for other names.
func manifestVersion(key string) int64 {
	number, ok := strings.CutPrefix(strings.TrimSuffix(path.Base(key), ".avro"), "manifest-")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n
}

// adopt replaces the segment's lists by what its manifest lists.
func (s *Snapshot) adopt(seg *milvus.Segment, m *loon.Manifest) error {
	rows, err := m.Rows()
	if err != nil {
		return err
	}
	if seg.Rows > 0 && rows != seg.Rows {
		return fault.Corrupt(opSegment, "the manifest lists %d rows, num_of_rows is %d", rows, seg.Rows)
	}
	seg.Rows = rows
	var recorded v3Manifest
	if err := json.Unmarshal([]byte(seg.ManifestPath), &recorded); err != nil {
		return fault.Corrupt(opSegment, "manifest path: %w", err)
	}
	seg.Binlogs = nil
	for i, g := range m.Groups {
		group, err := s.columnGroup(recorded.Base, i, g)
		if err != nil {
			return err
		}
		seg.Binlogs = append(seg.Binlogs, group)
	}
	deltas := milvus.FieldBinlog{}
	for _, logs := range seg.Deltalogs {
		for _, b := range logs.Binlogs {
			if b.File.Bucket != "" { // not a placeholder
				deltas.Binlogs = append(deltas.Binlogs, b)
			}
		}
	}
	for _, d := range m.Deltas {
		file, err := s.paths.Resolve(loon.Resolve(recorded.Base, loon.SectionDelta, d.Path))
		if err != nil {
			return err
		}
		deltas.Binlogs = append(deltas.Binlogs, milvus.Binlog{File: file, LogID: milvus.LogID(manifestNumber(d.Path)), Entries: d.Entries})
	}
	seg.Deltalogs = []milvus.FieldBinlog{deltas}
	seg.LOBsListed = m.LOBsListed
	for _, l := range m.LOBs {
		file, err := s.paths.Resolve(loon.Resolve(recorded.Base, loon.SectionLOB, l.Path))
		if err != nil {
			return err
		}
		seg.LOBs = append(seg.LOBs, milvus.LOBFile{Field: milvus.FieldID(l.Field), File: file, Rows: l.ValidRows, Total: l.TotalRows})
	}
	return nil
}

func manifestNumber(p string) int64 {
	n, _ := strconv.ParseInt(path.Base(p), 10, 64) // only a name for people
	return n
}

// columnGroup turns a group of a manifest into the form in which metadata lists those of V2.
func (s *Snapshot) columnGroup(base string, index int, g loon.ColumnGroup) (milvus.FieldBinlog, error) {
	out := milvus.FieldBinlog{Field: milvus.FieldID(index), Format: g.Format}
	for _, name := range g.Columns {
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return out, fault.Unsupported(opSegment, "column group %d has a column %q, not a field id: the data belongs to an external table", index, name)
		}
		out.ChildFields = append(out.ChildFields, milvus.FieldID(id))
	}
	for _, f := range g.Files {
		file, err := s.paths.Resolve(loon.Resolve(base, loon.SectionData, f.Path))
		if err != nil {
			return out, err
		}
		out.Binlogs = append(out.Binlogs, milvus.Binlog{File: file, First: f.Start, Entries: f.Rows(), Size: f.Size})
	}
	return out, nil
}
