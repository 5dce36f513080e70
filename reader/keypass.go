package reader

import (
	"context"
	"math"
	"runtime"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/spill"
)

// keyReader makes a scan read keys and timestamps alone, and hand them out instead of batches.
type keyReader struct {
	deletes bool // deletes apply; without, rows are judged by the cut alone
	visit   func(seg *milvus.Segment, first int64, keys arrow.Array, eff []uint64, live []bool) error
}

// keysOnly returns a scan of keys and timestamps of the same rows.
func (s *Scan) keysOnly(budget *Budget, r *keyReader) *Scan {
	out := &Scan{snap: s.snap, opts: s.opts, segments: s.segments, key: s.key, ready: true, keys: r}
	out.opts.Where, out.opts.Budget, out.opts.Reuse = nil, budget, true
	out.rule.AsOf = s.rule.AsOf
	if r.deletes {
		out.rule, out.expiry, out.l0, out.joins = s.rule, s.expiry, s.l0, s.joins
	}
	return out
}

// noOwn reports whether the segment's own deltalogs are not read with it.
func (s *Scan) noOwn(seg *milvus.Segment) bool {
	return s.joins.own[seg.ID] || s.keys != nil && !s.keys.deletes
}

// keyNeed returns the most memory that reading the keys of one of the segments takes.
func (s *Scan) keyNeed(deletes bool, segments []int) (most int64, err error) {
	sub := s.keysOnly(s.opts.Budget, &keyReader{deletes: deletes})
	for _, i := range segments {
		seg := s.segments[i]
		if seg.StorageVersion != milvus.StorageV1 {
			most = max(most, sub.needGroups(seg))
			continue
		}
		chunks, err := sub.chunks(seg)
		if err != nil {
			return 0, err
		}
		most = max(most, sub.needChunks(seg, chunks))
	}
	return most, nil
}

// side puts keys into a store: of rows, or of deletes. Of the first side that is read, bloom takes the keys; of the other, keys
// that it does not have are left out.
type side struct {
	store *spill.Store
	bloom *spill.Bloom
	first bool
}

// add adds the keys where live is set, numbered from row on.
func (s side) add(w *spill.Writer, tag uint32, row int64, keys arrow.Array, ts []uint64, live []bool) error {
	if row+int64(len(ts)) > math.MaxUint32 {
		return fault.Limit("join keys", "a segment of more than %d rows", uint32(math.MaxUint32))
	}
	switch k := keys.(type) {
	case *array.Int64:
		return s.addInts(w, tag, row, k.Int64Values(), ts, live)
	case *array.String:
		for i := range ts {
			if !live[i] {
				continue
			}
			key := textBytes(k.Value(i))
			hash := spill.HashText(key)
			if !s.takes(hash) {
				continue
			}
			if err := w.AddText(hash, key, ts[i], tag, uint32(row)+uint32(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return fault.Unsupported("join keys", "primary key of Arrow type %s", keys.DataType())
}

func (s side) addInts(w *spill.Writer, tag uint32, row int64, keys []int64, ts []uint64, live []bool) error {
	for i, key := range keys {
		if !live[i] {
			continue
		}
		hash := spill.HashInt64(key)
		if !s.takes(hash) {
			continue
		}
		if err := w.AddInt64(hash, key, ts[i], tag, uint32(row)+uint32(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s side) takes(hash uint64) bool {
	if s.first {
		s.bloom.Add(hash)
		return true
	}
	return s.bloom.Has(hash)
}

func textBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// keyPass reads the keys of the segments, given by their places in s.segments, which are the tags of their records. It returns
// the rows of each of all segments; of those that are not read, 0.
func (s *Scan) keyPass(ctx context.Context, segments []int, budget *Budget, deletes bool, to side, counts *Counts) ([]int64, error) {
	rows := make([]int64, len(s.segments))
	queue := make(chan int, len(segments))
	for _, i := range segments {
		queue <- i
	}
	close(queue)
	read := make([]Counts, atOnce())
	g, gctx := errgroup.WithContext(ctx)
	for n := range read {
		g.Go(func() error {
			w := to.store.Writer()
			tag := uint32(0)
			sub := s.keysOnly(budget, &keyReader{deletes: deletes, visit: func(_ *milvus.Segment, first int64, keys arrow.Array, eff []uint64, live []bool) error {
				return to.add(w, tag, first, keys, eff, live)
			}})
			for i := range queue {
				tag = uint32(i)
				c, err := sub.Read(gctx, s.segments[i], nil)
				if err != nil {
					return err
				}
				rows[i] = c.Rows
				read[n].Bytes += c.Bytes
			}
			return w.Flush()
		})
	}
	err := g.Wait()
	for _, c := range read {
		counts.Bytes += c.Bytes
	}
	return rows, err
}

// atOnce is how many segments, files or partitions are worked on at once.
func atOnce() int { return min(runtime.GOMAXPROCS(0), 8) }

// marked returns empty sets for the segments of so many rows; nil for those of none.
func marked(rows []int64) (sets []*deltamerge.Rows, bytes int64) {
	sets = make([]*deltamerge.Rows, len(rows))
	for i, n := range rows {
		if n > 0 {
			sets[i] = deltamerge.NewRows(n)
			bytes += deltamerge.RowsBytes(n)
		}
	}
	return sets, bytes
}
