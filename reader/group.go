package reader

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// group is a column group of a V2 or V3 segment: files one after the other, each opened when the first of its columns is.
type group struct {
	scan   *Scan
	ctx    context.Context
	counts *Counts
	fields []milvus.FieldID // empty: the files tell
	logs   []milvus.Binlog
	limits pages.Limits
	ranges bool           // metadata gives ranges of rows (V3), not whole files
	files  []*packed.File // nil until opened
	bytes  []*countingReader
	aheads []*ahead        // of each file from when a column is read in it
	reads  *errgroup.Group // of what is read ahead; nil: nothing is
	held   []milvus.Field  // that the scan reads, known before any row is
	spans  []span          // the rows that are read
	vortex *converted      // nil: Parquet
}

// groups returns the column groups of the segment, their files in order: of V2 by log id, of V3 as the manifest has them.
func (s *Scan) groups(ctx context.Context, seg *milvus.Segment, counts *Counts) []*group {
	var out []*group
	for _, fb := range seg.Binlogs {
		g := &group{scan: s, ctx: ctx, counts: counts, fields: fb.ChildFields, logs: slices.Clone(fb.Binlogs), ranges: seg.StorageVersion == milvus.StorageV3}
		if seg.StorageVersion == milvus.StorageV2 {
			slices.SortStableFunc(g.logs, func(a, b milvus.Binlog) int { return cmp.Compare(logID(a), logID(b)) })
		}
		if isVortex(seg, &fb) {
			g.vortex = &converted{group: g}
		}
		g.files = make([]*packed.File, len(g.logs))
		g.bytes = make([]*countingReader, len(g.logs))
		g.aheads = make([]*ahead, len(g.logs))
		out = append(out, g)
	}
	return out
}

// checkGroups refuses, from metadata alone, what can't be read: groups that disagree in rows, fields without a place.
func (s *Scan) checkGroups(seg *milvus.Segment) error {
	told := true // whether metadata says which columns every group has
	held := map[milvus.FieldID]bool{}
	for i := range seg.Binlogs {
		if err := s.checkVortex(seg, &seg.Binlogs[i]); err != nil {
			return err
		}
	}
	for _, fb := range seg.Binlogs {
		told = told && len(fb.ChildFields) > 0
		for _, id := range fb.ChildFields {
			held[id] = true
		}
		var rows int64
		known := true
		for _, b := range fb.Binlogs {
			rows += b.Entries
			known = known && b.Entries > 0
		}
		if known && seg.Rows > 0 && rows != seg.Rows {
			return fault.Corrupt("pair column groups", "group %d has %d rows, num_of_rows is %d", fb.Field, rows, seg.Rows)
		}
	}
	if seg.Rows > 0 && len(seg.Binlogs) == 0 {
		return fault.Missing("pair column groups", "num_of_rows is %d, but there are no files", seg.Rows)
	}
	if seg.Rows == 0 || !told {
		return nil
	}
	for _, f := range s.reads() {
		if !held[f.ID] {
			if err := absent(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// absent returns an error unless rows without a stored value of the field have one all the same.
func absent(f milvus.Field) error {
	if replaceable(f) {
		return nil
	}
	return fault.Missing("pair column groups", "field %s (%d) is in no file, has no default, and is not nullable", f.Name, f.ID)
}

// readGroups reads a V2 or V3 segment.
func (s *Scan) readGroups(ctx context.Context, seg *milvus.Segment, counts *Counts, yield func(arrow.RecordBatch) error) (err error) {
	ctx, reads, stop := waiting(ctx)
	defer stop()
	groups := s.groups(ctx, seg, counts)
	for _, g := range groups {
		g.reads = reads
	}
	fields := s.reads()
	need := s.needGroups(seg)
	if err := s.opts.Budget.Acquire(ctx, need); err != nil {
		return err
	}
	defer s.opts.Budget.Release(need)
	scope, err := s.scope(ctx, seg, counts)
	if err != nil {
		return err
	}
	rows, err := s.alignedRows(groups)
	if err != nil {
		return err
	}
	if seg.Rows > 0 && rows != seg.Rows {
		return fault.Corrupt("read segment", "the files hold %d rows, num_of_rows is %d", rows, seg.Rows)
	}
	if rows == 0 {
		return nil
	}
	cursors := map[milvus.FieldID]*cursor{}
	defer func() { err = errors.Join(err, closeConverted(groups, cursors)) }()
	for _, f := range fields {
		c, err := s.groupCursor(seg, groups, f)
		if err != nil {
			return err
		}
		c.lobs = s.newLOBs(ctx, seg, f, counts)
		cursors[f.ID] = c
	}
	spans := s.wanted(cursors, rows)
	for _, g := range groups {
		g.spans = spans
	}
	err = s.walk(ctx, seg, cursors, spans, rows, scope, counts, yield)
	stop()
	for _, g := range groups {
		for _, r := range g.bytes {
			if r != nil {
				counts.Bytes += r.n.Load()
			}
		}
	}
	return err
}

// needGroups estimates the memory that reading a V2 or V3 segment takes: its deletes and an open column of each field.
func (s *Scan) needGroups(seg *milvus.Segment) int64 {
	blocks := int64(len(seg.Binlogs)) * (blocksAhead + 2) * s.blockBytes()
	if n := s.Bytes(seg); n > 0 {
		blocks = min(blocks, sizeSlack*n)
	}
	return s.needDeletes(seg) + int64(len(s.reads()))*columnReserve + blocks + s.nulls(chunk{rows: seg.Rows}) + s.needConverted(seg)
}

// columnReserve is the memory of one open column: a page, decoded, and what of it is not in a block.
const columnReserve = 3 << 20

// alignedRows opens all files' footers and returns the rows of the segment, which all groups must agree on. Of groups that hold
// nothing of what is read, what metadata says is enough.
func (s *Scan) alignedRows(groups []*group) (int64, error) {
	if err := s.openAll(groups); err != nil {
		return 0, err
	}
	var first int64
	for i, g := range groups {
		var rows int64
		for j := range g.logs {
			n, err := g.rowsOf(j)
			if err != nil {
				return 0, err
			}
			rows += n
		}
		if i == 0 {
			first = rows
		}
		if rows != first {
			return 0, fault.Corrupt("pair column groups", "one column group has %d rows, another %d", first, rows)
		}
	}
	return first, nil
}

// rowsOf returns the rows of file i that belong to the segment, checked against the file. Vortex files are held to it when they
// are converted.
func (g *group) rowsOf(i int) (int64, error) {
	if g.vortex != nil || g.idle() {
		return g.logs[i].Entries, nil
	}
	f, err := g.open(i)
	if err != nil {
		return 0, err
	}
	b := g.logs[i]
	switch {
	case g.ranges && b.First+b.Entries <= f.NumRows(), b.Entries == f.NumRows():
		return b.Entries, nil
	case !g.ranges && b.Entries == 0: // not recorded
		return f.NumRows(), nil
	}
	return 0, fault.Corrupt("read column group", "the file holds %d rows, metadata says %d from row %d on", f.NumRows(), b.Entries, b.First).On(b.File.String())
}

// idle reports whether nothing of the group is read, and metadata says how many rows it has.
func (g *group) idle() bool {
	if len(g.fields) == 0 || slices.ContainsFunc(g.logs, func(b milvus.Binlog) bool { return b.Entries <= 0 }) {
		return false
	}
	return !slices.ContainsFunc(g.scan.reads(), func(f milvus.Field) bool { return slices.Contains(g.fields, f.ID) })
}

// openAll opens the files that are going to be read, several at a time.
func (s *Scan) openAll(groups []*group) error {
	var opens errgroup.Group
	opens.SetLimit(filesAtOnce)
	for _, g := range groups {
		if g.vortex != nil || g.idle() {
			continue
		}
		for i := range g.logs {
			opens.Go(func() error { _, err := g.open(i); return err })
		}
	}
	return opens.Wait()
}

// open opens file i once.
func (g *group) open(i int) (*packed.File, error) {
	if g.files[i] != nil {
		return g.files[i], nil
	}
	b := g.logs[i]
	store, err := g.scan.opts.Opener.Open(g.ctx, b.File.Bucket)
	if err != nil {
		return nil, err
	}
	obj, err := store.Stat(g.ctx, b.File.Key)
	if err != nil {
		return nil, err
	}
	r := &countingReader{ctx: g.ctx, store: store, object: obj}
	f, err := packed.OpenLimited(r, obj.Size, g.limits)
	if err != nil {
		return nil, fault.Place(err, b.File.String())
	}
	g.files[i], g.bytes[i] = f, r
	return f, nil
}

// groupCursor returns the cursor of a field: over the group that holds it, or a constant.
func (s *Scan) groupCursor(seg *milvus.Segment, groups []*group, f milvus.Field) (*cursor, error) {
	c := &cursor{scan: s, field: f, bad: s.onBad(f), json: s.opts.CheckJSON, variant: s.opts.CheckVariant, lob: flagged(seg, f), texts: s.texts(f)}
	var found *group
	for _, g := range groups {
		holds, err := g.holds(f)
		if err != nil {
			return nil, err
		}
		if holds && found != nil {
			return nil, fault.Corrupt("pair column groups", "field %s (%d) is in two column groups", f.Name, f.ID)
		}
		if holds {
			found = g
		}
	}
	if found == nil {
		return c, absent(f)
	}
	rows, err := s.alignedRows([]*group{found})
	if err != nil {
		return nil, err
	}
	c.name = found.logs[0].File.String()
	if found.vortex != nil {
		c.pages = found.vortex.column(f, rows, c)
		return c, nil
	}
	found.held = append(found.held, f)
	c.pages = &groupColumn{group: found, field: f, rows: rows, current: c}
	return c, nil
}

// holds reports whether the group has the field. A dropped column may still be in the files of a group that no longer lists it.
func (g *group) holds(f milvus.Field) (bool, error) {
	if len(g.fields) > 0 {
		return slices.Contains(g.fields, f.ID), nil
	}
	if len(g.logs) == 0 || g.vortex != nil { // a manifest always tells
		return false, nil
	}
	file, err := g.open(0)
	if err != nil {
		return false, err
	}
	_, ok := file.Find(f)
	return ok, nil
}
