package verify

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/milvus"
)

// Where the two sides differ they are read once more, to say where: witnesses are the rows of the buckets that differ.

// mostExamples is how many keys are named.
const mostExamples = 10

// witnesses are of one side.
type witnesses struct {
	chosen *[bucketCount]bool
	rows   map[xxh3.Uint128][]witness // by the hash of the key
	sums   []uint64                   // of each column, over all rows: what is said of columns does not depend on the choice
	count  int64                      // of all rows
}

// witness is one row.
type witness struct {
	key   string // as shown
	row   xxh3.Uint128
	cells []uint64 // hashes, by column
}

func (s *subject) newWitnesses(chosen *[bucketCount]bool) *witnesses {
	return &witnesses{chosen, map[xxh3.Uint128][]witness{}, make([]uint64, len(s.names)), 0}
}

// newHasher hashes the columns that both sides have, in order of their ids; order maps them to subject.names.
func (s *subject) newHasher(schema *arrow.Schema) (h *Hasher, order []int, err error) {
	if h, err = NewHasher(schema); err != nil {
		return nil, nil, err
	}
	h.byValue = s.byValue
	h.columns = slices.DeleteFunc(h.columns, func(c hashColumn) bool { return !slices.Contains(s.names, schema.Field(c.index).Name) })
	for _, c := range h.columns {
		order = append(order, slices.Index(s.names, schema.Field(c.index).Name))
	}
	if s.key != 0 {
		h.countKeys(s.key, nil)
	}
	return h, order, nil
}

// add takes the rows of a batch.
func (w *witnesses) add(s *subject, batch arrow.RecordBatch) error {
	h, order, err := s.newHasher(batch.Schema())
	if err != nil {
		return err
	}
	if err := h.begin(batch); err != nil {
		return err
	}
	w.count += batch.NumRows()
	cells := make([]uint64, len(w.sums))
	for r := range int(batch.NumRows()) {
		var key xxh3.Uint128
		if s.key != 0 {
			key = h.hashCell(h.key, 0, r)
		}
		var row xxh3.Uint128
		for i, column := range order {
			x := h.hashCell(i, key.Hi, r) // bound to the key: values that change places differ
			cells[column] = x.Lo
			w.sums[column] += x.Lo
			row.Hi, row.Lo = row.Hi*31+x.Hi, row.Lo*31+x.Lo
		}
		if s.key != 0 && w.chosen[key.Lo%bucketCount] {
			w.rows[key] = append(w.rows[key], witness{keyText(batch.Column(h.columns[h.key].index), r), row, slices.Clone(cells)})
		}
	}
	return nil
}

// keyText shows a primary key.
func keyText(a arrow.Array, r int) string {
	switch a := a.(type) {
	case *array.Int64:
		return strconv.FormatInt(a.Value(r), 10)
	case array.StringLike:
		return shown(a.Value(r))
	}
	return shown(a.ValueStr(r))
}

// diagnose reads both sides once more and says which columns and which keys differ.
func (s *subject) diagnose(ctx context.Context, r *Report, segments []*milvus.Segment, want, found *measure, open func() (iter.Seq2[arrow.RecordBatch, error], error)) error {
	chosen, complete := &[bucketCount]bool{}, false
	if s.key != 0 {
		chosen, complete = suspects(want.buckets, found.buckets)
	}
	ours, theirs := s.newWitnesses(chosen), s.newWitnesses(chosen)
	var mu sync.Mutex
	err := s.eachSegment(ctx, segments, func(ctx context.Context, seg *milvus.Segment) error {
		_, err := s.scan.Read(ctx, seg, func(batch arrow.RecordBatch) error {
			mu.Lock()
			defer mu.Unlock()
			return ours.add(s, batch)
		})
		return err
	})
	if err != nil {
		return err
	}
	batches, err := open()
	if err != nil {
		return err
	}
	if err := s.eachBatch(batches, segments, found.value.Sum().Rows, func(batch arrow.RecordBatch) error { return theirs.add(s, batch) }); err != nil {
		return err
	}
	examples := s.compare(ours, theirs)
	s.tell(r, examples, complete, ours, theirs)
	return nil
}

// tell adds columns and keys to the report.
func (s *subject) tell(r *Report, examples []Example, complete bool, ours, theirs *witnesses) {
	differ := map[string]bool{}
	for _, e := range examples {
		for _, name := range e.Columns {
			differ[name] = true
		}
	}
	if s.sameKeys(ours, theirs) { // then sums tell of every row
		for i, name := range s.names {
			if ours.sums[i] != theirs.sums[i] {
				differ[name] = true
			}
		}
	}
	for _, name := range s.names {
		if differ[name] {
			r.blame(name)
			r.differ("column %q: values differ", name)
		}
	}
	if n := len(examples); n > 0 {
		if complete {
			r.differ("keys whose rows differ: %d", n)
		} else {
			r.differ("keys whose rows differ: %d and more", n)
		}
	}
	r.Examples = examples[:min(len(examples), mostExamples)]
}

// sameKeys reports whether both sides have the same keys, or without a key the same number of rows.
func (s *subject) sameKeys(ours, theirs *witnesses) bool {
	for i, name := range s.names {
		f, _ := s.scan.Schema().FieldsByName(name)
		if id, _ := f[0].Metadata.GetValue(metaFieldID); id == strconv.FormatInt(int64(s.key), 10) {
			return ours.sums[i] == theirs.sums[i]
		}
	}
	return ours.count == theirs.count
}

// compare returns the keys whose rows differ, in order of what they are shown as.
func (s *subject) compare(ours, theirs *witnesses) (out []Example) {
	for key, a := range ours.rows {
		out = s.pair(out, a, theirs.rows[key])
	}
	for key, b := range theirs.rows {
		if _, ok := ours.rows[key]; !ok {
			out = s.pair(out, nil, b)
		}
	}
	slices.SortFunc(out, func(a, b Example) int {
		return cmp.Or(cmp.Compare(len(a.Key), len(b.Key)), cmp.Compare(a.Key, b.Key), cmp.Compare(a.What, b.What))
	})
	return out
}

// unmatched returns the rows of a that have no equal in b; each row of b is the equal of one.
func unmatched(a, b []witness) (out []witness) {
	have := map[xxh3.Uint128]int{}
	for _, w := range b {
		have[w.row]++
	}
	for _, w := range a {
		if have[w.row]--; have[w.row] < 0 {
			out = append(out, w)
		}
	}
	return out
}

// pair compares the rows of one key, of which Milvus permits several.
func (s *subject) pair(out []Example, a, b []witness) []Example {
	left, b := unmatched(a, b), unmatched(b, a)
	for len(left) > 0 && len(b) > 0 {
		e := Example{Key: left[0].key, What: Differs}
		for i, name := range s.names {
			if left[0].cells[i] != b[0].cells[i] {
				e.Columns = append(e.Columns, name)
			}
		}
		out, left, b = append(out, e), left[1:], b[1:]
	}
	for _, w := range left {
		out = append(out, Example{Key: w.key, What: OnlySnapshot})
	}
	for _, w := range b {
		out = append(out, Example{Key: w.key, What: OnlyTable})
	}
	return out
}
