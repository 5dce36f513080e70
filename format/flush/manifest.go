package flush

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/milvus"
)

// manifestPath is how metadata names the manifest of a V3 segment; version 0 has no file.
type manifestPath struct {
	Version int64  `json:"ver"`
	Base    string `json:"base_path"`
}

// String returns the JSON text.
func (p manifestPath) String() string {
	text, _ := json.Marshal(p) // a number and a text: can't fail
	return string(text)
}

// base is the folder of a V3 segment.
func (w *Writer) base(seg *milvus.Segment) string {
	return fmt.Sprintf("%s/insert_log/%d/%d/%d", w.Root, seg.Collection, seg.Partition, seg.ID)
}

// loaded returns the manifest of the segment's last commit.
func (w *Writer) loaded(seg *milvus.Segment) (*loon.Manifest, error) {
	if m := w.manifests[seg.ID]; m != nil {
		return m, nil
	}
	if seg.ManifestPath != (manifestPath{Base: w.base(seg)}).String() {
		return nil, fault.Unsupported(op, "the manifest of segment %d was not written by this writer", seg.ID)
	}
	return &loon.Manifest{}, nil
}

// listFiles adds a file of every group, those that were recorded last, to the manifest.
func (w *Writer) listFiles(m *loon.Manifest, seg *milvus.Segment, groups []packed.Group, files []packed.Encoded) {
	prefix := len(w.base(seg)) + len(loon.SectionData) + 2
	for i, g := range groups {
		at := groupOf(seg, g.ID)
		if at == len(m.Groups) {
			group := loon.ColumnGroup{Format: loon.FormatParquet}
			for _, f := range g.Fields {
				group.Columns = append(group.Columns, strconv.FormatInt(int64(f.ID), 10))
			}
			m.Groups = append(m.Groups, group)
		}
		logs := seg.Binlogs[at].Binlogs
		last := logs[len(logs)-1]
		m.Groups[at].Files = append(m.Groups[at].Files, loon.File{
			Path: last.File.Key[prefix:], End: last.Entries, Size: last.Size, FooterSize: files[i].FooterSize,
		})
	}
}

// commit returns the next manifest and has the segment name it.
func (w *Writer) commit(seg *milvus.Segment, m *loon.Manifest) (Object, error) {
	var path manifestPath
	if err := json.Unmarshal([]byte(seg.ManifestPath), &path); err != nil {
		return Object{}, fault.Corrupt(op, "manifest path: %w", err)
	}
	path.Version++
	body, err := loon.Encode(m)
	if err != nil {
		return Object{}, err
	}
	if w.manifests == nil {
		w.manifests = map[milvus.SegmentID]*loon.Manifest{}
	}
	w.manifests[seg.ID] = m
	seg.ManifestPath = path.String()
	return Object{Key: loon.Key(path.Base, path.Version), Body: body}, nil
}

// deletePacked writes a packed deltalog and a manifest that lists it. Metadata has it without a path, as a summary only.
func (w *Writer) deletePacked(seg *milvus.Segment, h binlog.Header, d *deltalog.Deletes) ([]Object, error) {
	m, err := w.loaded(seg)
	if err != nil {
		return nil, err
	}
	file, err := packed.EncodeDeletes(keysOf(d), int64s(d.TS))
	if err != nil {
		return nil, err
	}
	id := w.NextLogID()
	name := strconv.FormatInt(int64(id), 10)
	record(&seg.Deltalogs, milvus.FieldBinlog{Field: deltaField}, milvus.Binlog{
		LogID: id, Entries: int64(d.Len()), From: h.From, To: h.To, Size: int64(len(file.Body)), MemorySize: file.MemorySize,
	})
	m.Deltas = append(m.Deltas, loon.Delta{Path: name, Type: loon.DeltaPrimaryKey, Entries: int64(d.Len())})
	manifest, err := w.commit(seg, m)
	return []Object{{Key: w.base(seg) + "/" + string(loon.SectionDelta) + "/" + name, Body: file.Body}, manifest}, err
}

func keysOf(d *deltalog.Deletes) arrow.Array {
	if d.PKType == milvus.TypeVarChar && d.Strings != nil {
		return d.Strings
	}
	return int64s(d.Int64)
}

func int64s[T int64 | uint64](v []T) *array.Int64 {
	data := array.NewData(arrow.PrimitiveTypes.Int64, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(v))}, nil, 0, 0)
	defer data.Release()
	return array.NewInt64Data(data)
}
