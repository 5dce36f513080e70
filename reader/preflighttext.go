package reader

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// lookAtTexts yields the files of a V3 segment whose texts may be references, one look for each field and file.
func (s *Scan) lookAtTexts(seg *milvus.Segment, yield func(look) bool) bool {
	for _, f := range s.reads() {
		if !flagged(seg, f) || s.texts(f) == TextNull && s.opts.Vortex == nil {
			continue
		}
		if s.opts.Vortex != nil {
			if !s.lookAtLOBs(seg, f, yield) {
				return false
			}
			continue
		}
		for _, l := range seg.LOBs {
			if l.Field == f.ID && l.Rows > 0 {
				listed := func(context.Context, milvus.Binlog) (int64, error) { return 0, s.errReference(f) }
				return yield(look{seg, milvus.Binlog{File: l.File}, listed}) // no other look is needed
			}
		}
		for _, g := range s.groups(context.Background(), seg, nil) {
			if len(g.fields) > 0 && !slices.Contains(g.fields, f.ID) {
				continue
			}
			for i := range g.logs {
				check := func(ctx context.Context, _ milvus.Binlog) (int64, error) { return s.checkTexts(ctx, seg, g.only(i), f) }
				if !yield(look{seg, g.logs[i], check}) {
					return false
				}
			}
		}
	}
	return true
}

// lookAtLOBs yields the LOB files of the field that the manifest lists, for the converter.
func (s *Scan) lookAtLOBs(seg *milvus.Segment, f milvus.Field, yield func(look) bool) bool {
	for _, l := range seg.LOBs {
		if l.Field == f.ID && l.Rows > 0 && !yield(look{seg, milvus.Binlog{File: l.File}, s.headOfVortex}) {
			return false
		}
	}
	return true
}

// only returns the group with one of its files.
func (g *group) only(i int) *group {
	one := *g
	one.logs, one.files, one.bytes = g.logs[i:i+1], make([]*packed.File, 1), make([]*countingReader, 1)
	one.limits.ReadAhead = 64 << 10 // footers are small, and often all that is asked for
	return &one
}

// checkTexts fails if the field's values in the one file of the group are references.
func (s *Scan) checkTexts(ctx context.Context, seg *milvus.Segment, g *group, f milvus.Field) (int64, error) {
	if err := s.opts.Budget.Acquire(ctx, columnReserve); err != nil {
		return 0, err
	}
	defer s.opts.Budget.Release(columnReserve)
	g.ctx = ctx
	file, err := g.open(0)
	if err != nil {
		return 0, err
	}
	if index, ok := file.Find(f); ok && !allInline(file, index) && (!seg.LOBsListed || stored(file, index) <= doubtedText) {
		err = s.readTexts(seg, g, f)
	}
	return g.bytes[0].n.Load(), err
}

// doubtedText is the size of a column up to which it is read although its manifest lists no LOB file. The list should be true;
// larger columns are not read twice for it.
const doubtedText = 4 << 20

// stored returns the bytes of the column in the file.
func stored(file *packed.File, column int) (n int64) {
	for _, g := range file.RowGroups() {
		n += g.Chunks[column].CompressedSize
	}
	return n
}

// allInline reports whether statistics show that no value of the column is a reference: the flag comes first, and that of
// references is the larger one. Bounds may be cut and rounded up, and long values have none: then nothing is known.
func allInline(file *packed.File, column int) bool {
	return !slices.ContainsFunc(file.RowGroups(), func(g pages.RowGroup) bool {
		stats := g.Chunks[column].Stats
		return g.Rows > 0 && stats.NullCount != g.Rows && (len(stats.Max) == 0 || stats.Max[0] != textInline)
	})
}

// readTexts reads the column's values until it meets a reference.
func (s *Scan) readTexts(seg *milvus.Segment, g *group, f milvus.Field) error {
	c, err := s.groupCursor(seg, []*group{g}, f)
	if err != nil || c.pages == nil {
		return err
	}
	for {
		page, err := c.pages.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		values, ok := page.(*array.Binary)
		if !ok {
			return nil // reading will say what is wrong
		}
		for i := range values.Len() {
			if v := values.Value(i); values.IsValid(i) && len(v) == referenceSize && v[0] == textReference {
				return s.errReference(f)
			}
		}
	}
}
