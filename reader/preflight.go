package reader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// preflightAtOnce bounds the requests that a preflight has under way. They are short: what they wait for is the store.
const preflightAtOnce = 32

// leastFile is less than any file of rows or deletes has, bytes, and more than the fixed part of a descriptor.
const leastFile = 128

// Checked tells what a preflight did.
type Checked struct {
	Files int   `json:"files"` // that were looked at
	Bytes int64 `json:"bytes"` // that this took
}

// look is one file of a segment, and how to tell that it can be read.
type look struct {
	segment *milvus.Segment
	log     milvus.Binlog
	check   func(context.Context, milvus.Binlog) (bytes int64, err error)
}

// Preflight looks at every file that the scan is going to read, with one small request for most: encrypted and foreign files
// are told by their first bytes. V3 texts in LOB files (unless they become NULL or there is a converter) are told by manifests or by
// the statistics of their columns; a column without is read, until the first reference. Nothing is kept. The error names segment, file and
// feature. progress, if not nil, is called after every file, from several goroutines at a time.
func (s *Scan) Preflight(ctx context.Context, progress func(done, total int64)) (Checked, error) {
	var total int64
	for range s.looks() {
		total++
	}
	var done, bytes atomic.Int64
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(preflightAtOnce)
	for l := range s.looks() {
		if each.Err() != nil {
			break
		}
		g.Go(func() error {
			n, err := l.check(each, l.log)
			bytes.Add(n)
			if err != nil {
				return fmt.Errorf("segment %d: %w", l.segment.ID, fault.Place(err, l.log.File.String()))
			}
			if n := done.Add(1); progress != nil {
				progress(n, total)
			}
			return nil
		})
	}
	err := g.Wait()
	return Checked{Files: int(done.Load()), Bytes: bytes.Load()}, errors.Join(err, ctx.Err())
}

// looks yields what a preflight looks at: every file once, texts once more.
func (s *Scan) looks() iter.Seq[look] {
	return func(yield func(look) bool) {
		for _, g := range s.l0 {
			for _, seg := range g.segments {
				if !lookAt(seg, seg.Deltalogs, s.headOfDeletes, yield) {
					return
				}
			}
		}
		needed := map[milvus.FieldID]bool{}
		for _, f := range s.reads() {
			needed[f.ID] = true
		}
		for _, seg := range s.segments {
			if !s.lookAtRows(seg, needed, yield) || !lookAt(seg, seg.Deltalogs, s.headOfDeletes, yield) || !s.lookAtTexts(seg, yield) {
				return
			}
		}
	}
}

// lookAtRows yields the segment's insert logs. A Vortex group without a needed column is not opened.
func (s *Scan) lookAtRows(seg *milvus.Segment, needed map[milvus.FieldID]bool, yield func(look) bool) bool {
	for _, fb := range s.insertLogs(seg, needed) {
		check := s.headOf(seg)
		if isVortex(seg, &fb) {
			if check = s.headOfVortex; !slices.ContainsFunc(fb.ChildFields, func(id milvus.FieldID) bool { return needed[id] }) {
				continue
			}
		}
		if !lookAt(seg, []milvus.FieldBinlog{fb}, check, yield) {
			return false
		}
	}
	return true
}

func lookAt(seg *milvus.Segment, logs []milvus.FieldBinlog, check func(context.Context, milvus.Binlog) (int64, error), yield func(look) bool) bool {
	for _, fb := range logs {
		for _, b := range fb.Binlogs {
			if !yield(look{seg, b, check}) {
				return false
			}
		}
	}
	return true
}

// insertLogs returns the logs that reading the segment opens: of V1 those of the fields that are needed, of V2 and V3 all, as
// the groups' rows are compared.
func (s *Scan) insertLogs(seg *milvus.Segment, needed map[milvus.FieldID]bool) []milvus.FieldBinlog {
	if seg.StorageVersion != milvus.StorageV1 {
		return seg.Binlogs
	}
	var out []milvus.FieldBinlog
	for _, fb := range seg.Binlogs {
		if needed[fb.Field] {
			out = append(out, fb)
		}
	}
	return out
}

// headOf returns the check of the segment's insert logs.
func (s *Scan) headOf(seg *milvus.Segment) func(context.Context, milvus.Binlog) (int64, error) {
	if seg.StorageVersion == milvus.StorageV1 {
		return s.headOfBinlog
	}
	return func(ctx context.Context, b milvus.Binlog) (int64, error) {
		head, err := s.head(ctx, b, pages.HeadSize)
		if err != nil {
			return 0, err
		}
		return int64(len(head)), pages.CheckHead(head)
	}
}

func (s *Scan) headOfBinlog(ctx context.Context, b milvus.Binlog) (int64, error) {
	head, err := s.head(ctx, b, binlog.HeadSize)
	if err != nil {
		return 0, err
	}
	return s.checkBinlog(ctx, b, head)
}

// headOfDeletes goes by content: both forms occur in segments of any version.
func (s *Scan) headOfDeletes(ctx context.Context, b milvus.Binlog) (int64, error) {
	head, err := s.head(ctx, b, binlog.HeadSize)
	if err != nil {
		return 0, err
	}
	if !binlog.Sniff(head) {
		return int64(len(head)), pages.CheckHead(head)
	}
	return s.checkBinlog(ctx, b, head)
}

// checkBinlog asks for more where extras are long, as those of encrypted files can be.
func (s *Scan) checkBinlog(ctx context.Context, b milvus.Binlog, head []byte) (int64, error) {
	more, err := binlog.CheckHead(head)
	if more == 0 || err != nil {
		return int64(len(head)), err
	}
	longer, err := s.head(ctx, milvus.Binlog{File: b.File}, int64(more))
	if err != nil {
		return int64(len(head)), err
	}
	if more, err = binlog.CheckHead(longer); more > 0 { // the file ends before
		_, err = binlog.OpenDescriptor(longer)
	}
	return int64(len(head) + len(longer)), err
}

// head returns the first n bytes of the file, or the whole file if it has less.
func (s *Scan) head(ctx context.Context, b milvus.Binlog, n int64) ([]byte, error) {
	store, err := s.opts.Opener.Open(ctx, b.File.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Size >= leastFile { // else it is no size of a file
		n = min(n, b.Size)
	}
	body, err := store.ReadRange(ctx, b.File.Key, 0, n, "")
	if errors.Is(err, fault.ErrCorrupt) { // the file is shorter
		whole, _, again := store.ReadAll(ctx, b.File.Key, max(n, binlog.HeadSize))
		if again == nil {
			return whole, nil
		}
	}
	return body, err
}
