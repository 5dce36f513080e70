package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/milvus"
)

// bucket is how the reader's opener is told of the engine's store.
func (e *Engine) bucket() string {
	if uri := e.files.URI(); strings.HasPrefix(uri, "file:") {
		return uri
	}
	return "file:///" + strings.Replace(e.files.URI(), "://", "/", 1)
}

// resolved returns the segment with files as a reader wants them: those of V3 from its manifest, for metadata has only
// placeholders of them.
func (e *Engine) resolved(ctx context.Context, x *entry, seg *milvus.Segment) (*milvus.Segment, error) {
	if x.files != nil {
		return x.files, nil
	}
	out := *seg
	var err error
	if seg.StorageVersion == milvus.StorageV3 {
		err = e.adopt(ctx, &out)
	} else {
		out.Binlogs, out.Deltalogs = e.located(seg.Binlogs), e.located(seg.Deltalogs)
	}
	if err != nil {
		return nil, err
	}
	x.files = &out
	return x.files, nil
}

func (e *Engine) located(lists []milvus.FieldBinlog) []milvus.FieldBinlog {
	out := slices.Clone(lists)
	for i := range out {
		out[i].Binlogs = slices.Clone(out[i].Binlogs)
		for j := range out[i].Binlogs {
			out[i].Binlogs[j].File.Bucket = e.bucket()
		}
	}
	return out
}

// adopt puts what a V3 segment's manifest lists in the place of the segment's own lists (docs/format/storage-v2-v3.md 2).
func (e *Engine) adopt(ctx context.Context, seg *milvus.Segment) error {
	var path struct {
		Version int64  `json:"ver"`
		Base    string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(seg.ManifestPath), &path); err != nil {
		return fault.Corrupt(opRead, "manifest path: %w", err)
	}
	seg.Binlogs, seg.Deltalogs = nil, nil
	if path.Version == 0 {
		return nil
	}
	key := loon.Key(path.Base, path.Version)
	body, _, err := e.files.ReadAll(ctx, key, loon.MaxBytes)
	if err != nil {
		return err
	}
	m, err := loon.Decode(body)
	if err != nil {
		return fault.Place(err, key)
	}
	file := func(section loon.Section, path string, base string) milvus.FileRef {
		return milvus.FileRef{Bucket: e.bucket(), Key: loon.Resolve(base, section, path)}
	}
	for i, g := range m.Groups {
		group := milvus.FieldBinlog{Field: milvus.FieldID(i), Format: g.Format}
		for _, name := range g.Columns {
			id, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				return fault.Unsupported(opRead, "a column is called %q, not by a field id", name).On(key)
			}
			group.ChildFields = append(group.ChildFields, milvus.FieldID(id))
		}
		for _, f := range g.Files {
			group.Binlogs = append(group.Binlogs, milvus.Binlog{File: file(loon.SectionData, f.Path, path.Base), First: f.Start, Entries: f.Rows(), Size: f.Size})
		}
		seg.Binlogs = append(seg.Binlogs, group)
	}
	deltas := milvus.FieldBinlog{}
	for _, d := range m.Deltas {
		deltas.Binlogs = append(deltas.Binlogs, milvus.Binlog{File: file(loon.SectionDelta, d.Path, path.Base), Entries: d.Entries})
	}
	seg.Deltalogs = []milvus.FieldBinlog{deltas}
	return nil
}
