package snapfile

import (
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// DecodeSegment decodes a segment's manifest, written with the format version of the snapshot's metadata (0 is 1).
// The result's Collection and ManifestPath are not in the manifest, see [Assemble]. File keys are paths as recorded.
// Bytes that are left over, a length that lies and the like are fault.ErrCorrupt; an unknown version, level or storage
// version is fault.ErrUnsupported.
func DecodeSegment(b []byte, formatVersion int) (*milvus.Segment, error) {
	version, err := checkVersion(opManifest, formatVersion)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxManifestBytes {
		return nil, fault.Limit(opManifest, "the manifest has %d bytes, more than %d", len(b), MaxManifestBytes)
	}
	w := &wire{version: version, buf: b}
	s := &milvus.Segment{}
	if entry(w, s); w.err != nil {
		return nil, w.err
	}
	if w.left() > 0 {
		return nil, fault.Corrupt(opManifest, "%d bytes follow the record", w.left()).At(int64(w.off)).
			WithHint("read as format version %d; the metadata's format_version may be wrong", version)
	}
	return s, checkSegment(s)
}

func checkSegment(s *milvus.Segment) error {
	if s.ID <= 0 {
		return fault.Corrupt(opManifest, "the segment's id is %d", s.ID)
	}
	if err := pb.CheckSegment(s); err != nil {
		return err
	}
	for _, list := range [][]milvus.FieldBinlog{s.Binlogs, s.Deltalogs, s.Statslogs, s.BM25logs} {
		for i := range list {
			if err := pb.CheckBinlogs(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// EncodeSegment encodes a segment's manifest. Arrays have the block structure that Milvus writes. What the version has no
// field for must be zero, else the error is fault.ErrUnsupported.
func EncodeSegment(s *milvus.Segment, formatVersion int) ([]byte, error) {
	version, err := checkVersion("encode segment manifest", formatVersion)
	if err != nil {
		return nil, err
	}
	w := &wire{writing: true, version: version}
	if entry(w, s); w.err != nil {
		return nil, w.err
	}
	return w.buf, nil
}

// since runs f if the version has what it describes. If not, set tells whether a value would be lost.
func (w *wire) since(version int, set bool, f func()) {
	switch {
	case w.version >= version:
		f()
	case w.writing && set && w.err == nil:
		w.err = fault.Unsupported("encode segment manifest", "format version %d has no place for what version %d brought", w.version, version)
	}
}

// entry is the record ManifestEntry, field by field (docs/format/snapshot.md 3).
func entry(w *wire, s *milvus.Segment) {
	num(w, &s.ID)
	num(w, &s.Partition)
	level(w, &s.Level)
	w.string(&s.Channel)
	num(w, &s.Rows)
	position(w, &s.Start)
	position(w, &s.DML)
	num(w, &s.StorageVersion)
	w.bool(&s.Sorted)
	w.since(3, s.CommitTimestamp != 0, func() { num(w, &s.CommitTimestamp) })
	w.since(5, s.DeleteApplyStart != 0, func() { num(w, &s.DeleteApplyStart) })
	for _, list := range []*[]milvus.FieldBinlog{&s.Binlogs, &s.Deltalogs, &s.Statslogs, &s.BM25logs} {
		array(w, list, 2, func(f *milvus.FieldBinlog) { fieldBinlog(w, f) })
	}
	array(w, &s.Indexes, 13, func(x *milvus.IndexFiles) { indexFiles(w, x, s.ID) })
	array(w, &s.TextIndexes, 7, func(f *milvus.FieldStats) { fieldStats(w, f, false) })
	array(w, &s.JSONStats, 8, func(f *milvus.FieldStats) { fieldStats(w, f, true) })
}

// level is a long on the wire.
func level(w *wire, l *milvus.SegmentLevel) {
	v := int64(*l)
	num(w, &v)
	if w.writing {
		return
	}
	if *l = milvus.SegmentLevel(v); int64(*l) != v {
		w.corrupt("the segment's level is %d", v)
	}
}

func position(w *wire, p *milvus.Position) {
	w.string(&p.Channel)
	w.bytes(&p.MessageID)
	w.string(&p.Group)
	num(w, &p.Timestamp)
}

func fieldBinlog(w *wire, f *milvus.FieldBinlog) {
	num(w, &f.Field)
	w.since(4, len(f.ChildFields) > 0 || f.Format != "", func() {
		array(w, &f.ChildFields, 1, func(id *milvus.FieldID) { num(w, id) })
		w.string(&f.Format)
	})
	array(w, &f.Binlogs, 7, func(b *milvus.Binlog) {
		num(w, &b.Entries)
		num(w, &b.From)
		num(w, &b.To)
		w.string(&b.File.Key)
		num(w, &b.Size)
		num(w, &b.LogID)
		num(w, &b.MemorySize)
	})
}

// indexFiles repeats the segment's id in each entry.
func indexFiles(w *wire, x *milvus.IndexFiles, segment milvus.SegmentID) {
	owner := segment
	num(w, &owner)
	if owner != segment && owner != 0 {
		w.corrupt("an index of segment %d is listed for segment %d", owner, segment)
	}
	num(w, &x.Field)
	num(w, &x.Index)
	num(w, &x.Build)
	w.string(&x.Name)
	array(w, &x.Params, 2, func(p *milvus.KeyValue) {
		w.string(&p.Key)
		w.string(&p.Value)
	})
	files(w, &x.Files)
	num(w, &x.SerializedSize)
	num(w, &x.Version)
	num(w, &x.Rows)
	w.int32(&x.CurrentVersion)
	num(w, &x.MemorySize)
	w.int32(&x.ScalarVersion)
	w.since(2, x.StorePathVersion != 0, func() { w.int32(&x.StorePathVersion) })
}

// fieldStats is AvroTextIndexEntry or AvroJSONKeyIndexEntry. Both have the field's id twice.
func fieldStats(w *wire, f *milvus.FieldStats, json bool) {
	num(w, &f.Field)
	inner := f.Field
	num(w, &inner)
	if inner != f.Field && inner != 0 {
		w.corrupt("statistics of field %d are listed for field %d", inner, f.Field)
	}
	num(w, &f.Version)
	files(w, &f.Files)
	num(w, &f.LogSize)
	num(w, &f.MemorySize)
	num(w, &f.Build)
	if json {
		num(w, &f.JSONFormat)
	}
}

func files(w *wire, list *[]milvus.FileRef) {
	array(w, list, 1, func(f *milvus.FileRef) { w.string(&f.Key) })
}
