package describe

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/milvus"
)

const opSegment = "read segment"

// Manifest is where the manifest of a V3 segment lies: {Base}/_metadata/manifest-{Version}.avro (docs/format/storage-v2-v3.md 2.1).
type Manifest struct {
	Version int64          // 0: nothing was ever committed, the segment is empty; -1: the newest, found by listing
	Base    milvus.FileRef // a directory
}

// Manifest returns the place of a segment's V3 manifest. It was checked when the snapshot was resolved.
func (s *Snapshot) Manifest(seg *milvus.Segment) (Manifest, error) { return s.paths.manifest(seg) }

// LOBFile returns the place of a file of long texts of the V3 segment's field, by its UUID (docs/format/storage-v2-v3.md 2.6).
func (s *Snapshot) LOBFile(seg *milvus.Segment, field milvus.FieldID, uuid string) (milvus.FileRef, error) {
	var recorded v3Manifest
	if err := json.Unmarshal([]byte(seg.ManifestPath), &recorded); err != nil {
		return milvus.FileRef{}, fault.Corrupt(opSegment, "manifest path: %w", err)
	}
	return s.paths.Resolve(loon.Resolve(recorded.Base, loon.SectionLOB, fmt.Sprintf("%d/_data/%s.vx", field, uuid)))
}

// v3Manifest is the manifest path of a V3 segment as recorded.
type v3Manifest struct {
	Version int64  `json:"ver"`
	Base    string `json:"base_path"`
}

func (r *Resolver) manifest(seg *milvus.Segment) (Manifest, error) {
	var recorded v3Manifest
	if seg.ManifestPath == "" {
		return Manifest{}, fault.Missing(opSegment, "segment %d has storage version 3 and no manifest", seg.ID)
	}
	if err := json.Unmarshal([]byte(seg.ManifestPath), &recorded); err != nil {
		return Manifest{}, fault.Corrupt(opSegment, "the manifest of segment %d is not {\"ver\":N,\"base_path\":...}: %w", seg.ID, err)
	}
	if recorded.Version < -1 {
		return Manifest{}, fault.Corrupt(opSegment, "the manifest of segment %d has version %d", seg.ID, recorded.Version)
	}
	base, err := r.Resolve(strings.TrimSuffix(recorded.Base, "/"))
	return Manifest{Version: recorded.Version, Base: base}, err
}

// resolveSegment replaces the recorded paths of all of a segment's files. What V3 lists of its rows and statistics are
// placeholders, since its manifest has the truth (docs/format/snapshot.md 4): their paths are emptied.
func (r *Resolver) resolveSegment(seg *milvus.Segment) error {
	v3 := seg.StorageVersion == milvus.StorageV3
	for _, logs := range [][]milvus.FieldBinlog{seg.Binlogs, seg.Statslogs, seg.BM25logs} {
		if v3 {
			clearPaths(logs)
		} else if err := r.resolveLogs(logs, false); err != nil {
			return err
		}
	}
	if err := r.resolveLogs(seg.Deltalogs, v3); err != nil {
		return err
	}
	for i := range seg.Indexes {
		if err := r.resolveFiles(seg.Indexes[i].Files); err != nil {
			return err
		}
	}
	for _, stats := range [][]milvus.FieldStats{seg.TextIndexes, seg.JSONStats} {
		for i := range stats {
			if v3 {
				stats[i].Files = nil
			} else if err := r.resolveFiles(stats[i].Files); err != nil {
				return err
			}
		}
	}
	return r.resolveManifest(seg)
}

func clearPaths(logs []milvus.FieldBinlog) {
	for i := range logs {
		for j := range logs[i].Binlogs {
			logs[i].Binlogs[j].File = milvus.FileRef{}
		}
	}
}

// resolveLogs replaces the paths of logs. Deletes of V3 may be placeholders too: those have none.
func (r *Resolver) resolveLogs(logs []milvus.FieldBinlog, placeholders bool) error {
	for i := range logs {
		for j := range logs[i].Binlogs {
			b := &logs[i].Binlogs[j]
			if placeholders && b.File.Key == "" {
				continue
			}
			file, err := r.Resolve(b.File.Key)
			if err != nil {
				return err
			}
			b.File = file
		}
	}
	return nil
}

func (r *Resolver) resolveFiles(files []milvus.FileRef) error {
	for i := range files {
		file, err := r.Resolve(files[i].Key)
		if err != nil {
			return err
		}
		files[i] = file
	}
	return nil
}

// resolveManifest checks the base path of V3 and replaces the plain path of V2.
func (r *Resolver) resolveManifest(seg *milvus.Segment) error {
	switch {
	case seg.StorageVersion == milvus.StorageV3:
		_, err := r.manifest(seg)
		return err
	case seg.ManifestPath == "" || strings.HasPrefix(seg.ManifestPath, "{"):
		return nil // V2 does not need it: its metadata lists the same files
	}
	_, err := r.Resolve(seg.ManifestPath)
	return err
}

// CheckSegment returns ErrUnsupported for a segment that no reader can read: its storage version or the format of a
// column group is unknown. vortex lets that format pass in V3. [Resolve] has called it for every segment.
func CheckSegment(seg *milvus.Segment, vortex bool) error {
	switch seg.StorageVersion {
	case milvus.StorageV1, milvus.StorageV2, milvus.StorageV3:
	default:
		return fault.Unsupported(opSegment, "segment %d has storage version %d; 0, 2 and 3 are known", seg.ID, seg.StorageVersion)
	}
	for i := range seg.Binlogs {
		f := seg.Binlogs[i].Format
		passes := vortex && seg.StorageVersion == milvus.StorageV3 && f == loon.FormatVortex
		if f != "" && !strings.EqualFold(f, loon.FormatParquet) && !passes {
			err := fault.Unsupported(opSegment, "segment %d has a column group of format %q", seg.ID, f).WithHint("Parquet is read; --vortex-helper names a program that reads Vortex in V3")
			if files := seg.Binlogs[i].Binlogs; len(files) > 0 {
				err = err.On(files[0].File.String())
			}
			return err
		}
	}
	return nil
}

func hasFiles(logs []milvus.FieldBinlog) bool {
	for i := range logs {
		if len(logs[i].Binlogs) > 0 {
			return true
		}
	}
	return false
}
