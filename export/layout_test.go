package export_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

const collectionID milvus.CollectionID = 77

// layout writes a history as a snapshot, in one of the many ways in which Milvus may have left it.
type layout struct {
	random
	t        testing.TB
	h        *history
	files    *fixture.Collection
	versions []int64 // of the segments' storage
	nextID   milvus.SegmentID
}

// place is where rows and deletes can share a segment.
type place struct {
	partition, channel, group int
}

func partitionID(p int) milvus.PartitionID {
	if p < 0 {
		return milvus.AllPartitions
	}
	return milvus.PartitionID(500 + p)
}

// writeSnapshot lays the history out below dir and returns the path of the metadata file. The first three layouts are of one
// storage version each, others mix them.
func writeSnapshot(t testing.TB, r random, h *history, dir string, n int) string {
	t.Helper()
	l := &layout{random: r, t: t, h: h, nextID: 1000, versions: []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3}}
	if n < len(l.versions) {
		l.versions = l.versions[n : n+1]
	}
	if h.times {
		l.versions = []int64{milvus.StorageV1}
	}
	l.files = fixture.New(dir, milvus.Collection{ID: collectionID, Schema: h.schema})
	wide := h.schema
	wide.Fields = append(slices.Clone(wide.Fields), h.dropped)
	l.files.Files.Schema = &wide
	byPlace := map[place][]row{}
	for _, x := range h.rows {
		p := place{x.partition, channelOf(x.key), x.group}
		byPlace[p] = append(byPlace[p], x)
	}
	l0 := l.coin() // else every delete is in the deltalogs of segments
	for p := range partitions {
		for c := range channels {
			for g := range h.groups {
				l.segments(place{p, c, g}, byPlace[place{p, c, g}], l0)
			}
		}
	}
	if l0 {
		l.deleteSegments()
	}
	return l.metadata(dir)
}

// segments splits the rows of a place at random. Compaction writes the commit timestamp into the rows.
func (l *layout) segments(p place, rows []row, l0 bool) {
	g := l.h.groups[p.group]
	if g.commit != 0 && l.coin() {
		rows = slices.Clone(rows)
		for i := range rows {
			rows[i].ts = l.h.effective(rows[i])
		}
		g.commit = 0
	}
	if l.coin() {
		l.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	} else {
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.ts, b.ts) })
	}
	for _, part := range l.split(rows, 3) {
		l.segment(p, g, part, l0)
	}
}

// split cuts rows into up to n parts, some of which may be empty.
func (l *layout) split(rows []row, n int) [][]row {
	var out [][]row
	for range l.IntN(n) {
		k := l.IntN(len(rows) + 1)
		out = append(out, rows[:k])
		rows = rows[k:]
	}
	return append(out, rows)
}

// form draws how the next segment's files are written.
func (l *layout) form() {
	l.files.Files.Version = l.versions[l.IntN(len(l.versions))]
	l.files.Files.Groups = packed.Policy{Early: l.IntN(3) == 0, MeanSize: map[milvus.FieldID]int{}}
	for _, f := range l.h.all() {
		if l.IntN(4) == 0 {
			l.files.Files.Groups.MeanSize[f.ID] = 1 << 10
		}
	}
	l.files.Files.PlainVectors, l.files.Files.RowGroupBytes = l.coin(), []int64{0, 1, 100, 1000}[l.IntN(4)]
	l.files.Files.Binlogs = binlog.Writer{Dialect: []binlog.Dialect{binlog.Codec, binlog.Stream}[l.IntN(2)], Before25: l.IntN(4) == 0}
	forms := []deltalog.Form{deltalog.JSON, deltalog.MultiField, deltalog.Bare}
	if pk, _ := l.h.schema.PrimaryKey(); pk.Type == milvus.TypeInt64 {
		forms = append(forms, deltalog.Text)
	}
	l.files.Files.Deltalogs = deltalog.Writer{Form: forms[l.IntN(len(forms))], Dialect: l.files.Files.Binlogs.Dialect, Before25: l.IntN(4) == 0}
}

func (l *layout) segment(p place, g group, rows []row, l0 bool) {
	l.form()
	l.nextID++
	s := fixture.Segment{ID: l.nextID, Partition: partitionID(p.partition), Level: milvus.LevelL1, Channel: l.channel(p.channel), Unsealed: l.coin()}
	var ghosts map[int]bool
	if l.files.Files.Version == milvus.StorageV3 && l.IntN(3) == 0 {
		rows, ghosts = l.haunt(rows)
	}
	chunks := l.split(rows, 4)
	if len(rows) == 0 && l.coin() {
		chunks = nil
	}
	for _, c := range chunks {
		s.Chunks = append(s.Chunks, l.chunk(c))
	}
	v1 := l.files.Files.Version == milvus.StorageV1
	l.omit(s.Chunks, chunks, v1)
	if !v1 && len(s.Chunks) > 0 && l.coin() {
		s.Added = l.added(s.Chunks, rows)
	}
	s.Deletes = l.deltalogs(l.own(p, g, rows, l0))
	seg := l.files.Add(l.t, s)
	seg.CommitTimestamp, seg.DeleteApplyStart = milvus.Timestamp(g.commit), milvus.Timestamp(g.applyStart)
	switch {
	case v1 && l.IntN(4) == 0:
		l.joinEvents(&seg)
	case seg.StorageVersion == milvus.StorageV3:
		l.rewriteManifest(&seg, ghosts)
	}
	l.files.Segments[len(l.files.Segments)-1] = seg
}

// added takes fields out of all chunks, to come later in files of their own.
func (l *layout) added(chunks []flush.Chunk, rows []row) flush.Chunk {
	out := flush.Chunk{}
	for _, f := range append(l.h.all(), l.h.dropped) {
		if chunks[0][f.ID] == nil || f.PrimaryKey || l.IntN(3) > 0 {
			continue
		}
		out[f.ID] = arrayOf(l.t, f, rows)
		for _, c := range chunks {
			delete(c, f.ID)
		}
	}
	return out
}

// channel leaves the name out now and then, as old metadata does.
func (l *layout) channel(c int) string {
	if l.IntN(8) == 0 {
		return ""
	}
	return fmt.Sprintf("by-dev-rootcoord-dml_%d_%dv%d", c, collectionID, c)
}

func (l *layout) chunk(rows []row) flush.Chunk {
	out := flush.Chunk{}
	times := make([]int64, len(rows))
	for i, r := range rows {
		times[i] = int64(r.ts)
	}
	out[milvus.TimestampField] = fixture.Int64s(times...)
	for _, f := range append(l.h.all(), l.h.dropped) {
		out[f.ID] = arrayOf(l.t, f, rows)
	}
	return out
}

// omit leaves out the files of a field in the earliest chunks, as many as have no row that is as new as the field; or in all
// chunks or none, as V2 and V3 have it.
func (l *layout) omit(chunks []flush.Chunk, rows [][]row, some bool) {
	for _, f := range append(l.h.all(), l.h.dropped) {
		at, late := l.h.added[f.ID]
		most := 0
		for late && most < len(rows) && !slices.ContainsFunc(rows[most], func(r row) bool { return r.ts >= at }) {
			most++
		}
		if f.ID == l.h.dropped.ID {
			most = len(rows)
		}
		n := l.IntN(most + 1)
		if !some && n < len(rows) {
			n = 0
		}
		for i := range n {
			delete(chunks[i], f.ID)
		}
	}
}

// own returns the deletes of a segment's own deltalogs: those that must be there, and others that change nothing.
func (l *layout) own(p place, g group, rows []row, l0 bool) []deletion {
	var out []deletion
	for _, d := range l.h.deletes {
		inPlace := channelOf(d.key) == p.channel && (d.partition == -1 || d.partition == p.partition) && d.ts > g.applyStart
		if inPlace && (!l0 || l.IntN(4) == 0) {
			out = append(out, d)
		}
	}
	return out
}

// deleteSegments puts every delete into an L0 segment of its channel and partition.
func (l *layout) deleteSegments() {
	for p := -1; p < partitions; p++ {
		for c := range channels {
			var mine []deletion
			for _, d := range l.h.deletes {
				if d.partition == p && channelOf(d.key) == c {
					mine = append(mine, d)
				}
			}
			for range 1 + l.IntN(2) {
				k := l.IntN(len(mine) + 1)
				l.deleteSegment(p, c, mine[:k])
				mine = mine[k:]
			}
			l.deleteSegment(p, c, mine)
		}
	}
}

func (l *layout) deleteSegment(p, c int, deletes []deletion) {
	l.form()
	l.nextID++
	l.files.Add(l.t, fixture.Segment{ID: l.nextID, Partition: partitionID(p), Level: milvus.LevelL0, Channel: l.channel(c), Deletes: l.deltalogs(deletes)})
}

// deltalogs splits deletes into files, in any order, some of them twice.
func (l *layout) deltalogs(deletes []deletion) []*deltalog.Deletes {
	l.Shuffle(len(deletes), func(i, j int) { deletes[i], deletes[j] = deletes[j], deletes[i] })
	var out []*deltalog.Deletes
	for len(deletes) > 0 {
		n := 1 + l.IntN(len(deletes))
		out = append(out, l.deltalog(deletes[:n]))
		if l.IntN(4) > 0 {
			deletes = deletes[n:]
		} else {
			deletes = deletes[(n+1)/2:]
		}
	}
	if l.IntN(6) == 0 {
		out = append(out, l.deltalog(nil))
	}
	return out
}

func (l *layout) deltalog(deletes []deletion) *deltalog.Deletes {
	pk, _ := l.h.schema.PrimaryKey()
	out := &deltalog.Deletes{PKType: pk.Type}
	var texts []string
	for _, d := range deletes {
		out.TS = append(out.TS, d.ts)
		if pk.Type == milvus.TypeInt64 {
			out.Int64 = append(out.Int64, d.key.(int64))
		} else {
			texts = append(texts, d.key.(string))
		}
	}
	if pk.Type == milvus.TypeVarChar {
		out.Strings = fixture.Strings(texts...)
	}
	return out
}

// joinEvents makes one file with two events of each field's last two files, if every field has two.
func (l *layout) joinEvents(seg *milvus.Segment) {
	for _, fb := range seg.Binlogs {
		if len(fb.Binlogs) < 2 {
			return
		}
	}
	for i := range seg.Binlogs {
		logs := seg.Binlogs[i].Binlogs
		a, b := &logs[len(logs)-2], &logs[len(logs)-1]
		first, second := l.open(a), l.open(b)
		body, err := binlog.Assemble(first.Descriptor, append(first.Events, second.Events...))
		if err == nil {
			err = os.WriteFile(filepath.Join(l.files.Dir, a.File.Key), body, 0o644)
		}
		if err != nil {
			l.t.Fatal(err)
		}
		a.Entries, a.Size = a.Entries+b.Entries, int64(len(body))
		seg.Binlogs[i].Binlogs = logs[:len(logs)-1]
	}
}

func (l *layout) open(b *milvus.Binlog) *binlog.File {
	body, err := os.ReadFile(filepath.Join(l.files.Dir, b.File.Key))
	if err != nil {
		l.t.Fatal(err)
	}
	f, err := binlog.Open(body)
	if err != nil {
		l.t.Fatal(err)
	}
	return f
}
