package verify

import (
	"context"
	"iter"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// subject is what is compared: columns of a scan.
type subject struct {
	scan    *reader.Scan
	names   []string // that both sides have
	byValue map[string]bool
	key     milvus.FieldID // of the primary key; 0 if it is not compared
	opts    Options
}

func newSubject(scan *reader.Scan, names, byValue []string, opts Options) *subject {
	s := &subject{scan: scan, names: names, byValue: map[string]bool{}, opts: opts}
	for _, name := range byValue {
		s.byValue[name] = true
	}
	key, ok := scan.Snapshot().Collection.Schema.PrimaryKey()
	for _, name := range names {
		if ok && name == key.Name {
			s.key = key.ID
		}
	}
	return s
}

// measure is what is taken of the batches of one side. Not safe for concurrent use; merge adds measures up.
type measure struct {
	exact    *Hasher // nil for a table, whose JSON text may be gone
	value    *Hasher
	profiles []profile // of subject.names
	buckets  *buckets
}

func (s *subject) newMeasure(schema *arrow.Schema, exact bool) (*measure, error) {
	value, err := NewHasher(schema)
	if err != nil {
		return nil, err
	}
	m := &measure{value: value}
	if exact && len(s.byValue) > 0 {
		if m.exact, err = NewHasher(schema); err != nil {
			return nil, err
		}
		value.byValue = s.byValue
	}
	if !exact {
		value.byValue = s.byValue
	}
	if s.key != 0 {
		m.buckets = &buckets{}
		value.countKeys(s.key, m.buckets)
	}
	m.profiles = s.newProfiles()
	return m, nil
}

func (s *subject) newProfiles() []profile {
	var out []profile
	for _, name := range s.names {
		want, _ := s.scan.Schema().FieldsByName(name)
		out = append(out, newProfile(&s.scan.Snapshot().Collection.Schema, want[0], s.opts.Norms))
	}
	return out
}

func (m *measure) add(batch arrow.RecordBatch) error {
	for i := range m.profiles {
		if at := batch.Schema().FieldIndices(m.profiles[i].name); len(at) > 0 {
			m.profiles[i].add(batch.Column(at[0]))
		}
	}
	if m.exact != nil {
		if err := m.exact.Add(batch); err != nil {
			return err
		}
	}
	return m.value.Add(batch)
}

// sums returns the content hash, and that in which some columns of JSON count by value.
func (m *measure) sums() (exact, value Hash) {
	if m.exact == nil {
		return m.value.Sum(), m.value.Sum()
	}
	return m.exact.Sum(), m.value.Sum()
}

func (m *measure) merge(o *measure) {
	if m.exact != nil {
		m.exact.sum = m.exact.sum.Add(o.exact.sum)
	}
	m.value.sum = m.value.sum.Add(o.value.sum)
	for i := range m.profiles {
		m.profiles[i].merge(&o.profiles[i])
	}
	if m.buckets != nil {
		m.buckets.merge(o.buckets)
	}
}

// measureScan reads the segments, several at once.
func (s *subject) measureScan(ctx context.Context, segments []*milvus.Segment) (*measure, error) {
	total, err := s.newMeasure(s.scan.Schema(), true)
	if err != nil {
		return nil, err
	}
	idle, all := []*measure{total}, []*measure{total}
	var mu sync.Mutex
	err = s.eachSegment(ctx, segments, func(ctx context.Context, seg *milvus.Segment) error {
		mu.Lock()
		var m *measure
		var err error
		if n := len(idle); n > 0 {
			m, idle = idle[n-1], idle[:n-1]
		} else if m, err = s.newMeasure(s.scan.Schema(), true); err == nil {
			all = append(all, m)
		}
		mu.Unlock()
		if err != nil {
			return err
		}
		_, err = s.scan.Read(ctx, seg, m.add)
		mu.Lock()
		defer mu.Unlock()
		idle = append(idle, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m != total {
			total.merge(m)
		}
	}
	return total, nil
}

// eachSegment calls work for every segment, at most Workers at once, and says how far it is: the first half of the total.
func (s *subject) eachSegment(ctx context.Context, segments []*milvus.Segment, work func(context.Context, *milvus.Segment) error) error {
	var mu sync.Mutex
	done, total := 0, declaredRows(segments)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, s.opts.Workers))
	for _, seg := range segments {
		g.Go(func() error {
			err := work(ctx, seg)
			mu.Lock()
			defer mu.Unlock()
			if done += int(seg.Rows); s.opts.Progress != nil {
				s.opts.Progress(done, 2*total)
			}
			return err
		})
	}
	return g.Wait()
}

// declaredRows returns the rows that segments declare, deleted ones included.
func declaredRows(segments []*milvus.Segment) (n int) {
	for _, seg := range segments {
		n += int(seg.Rows)
	}
	return n
}

// measureTable reads the batches of the table: of the columns of the subject, by name, whatever their form. of is the number of
// rows that are expected.
func (s *subject) measureTable(batches iter.Seq2[arrow.RecordBatch, error], segments []*milvus.Segment, of int64) (*measure, error) {
	m := &measure{value: &Hasher{}, profiles: s.newProfiles()}
	if s.key != 0 {
		m.buckets = &buckets{}
	}
	first := true
	err := s.eachBatch(batches, segments, of, func(batch arrow.RecordBatch) (err error) {
		if first {
			if m, err = s.newMeasure(batch.Schema(), false); err != nil {
				return err
			}
			first = false
		}
		return m.add(batch)
	})
	return m, err
}

// eachBatch labels the batches of the table and says how far it is: the second half of the total.
func (s *subject) eachBatch(batches iter.Seq2[arrow.RecordBatch, error], segments []*milvus.Segment, of int64, work func(arrow.RecordBatch) error) error {
	var rows int64
	half := declaredRows(segments)
	for batch, err := range batches {
		if err != nil {
			return err
		}
		labelled, err := label(batch, s.scan.Schema(), &s.scan.Snapshot().Collection.Schema)
		if err != nil {
			return err
		}
		if err := work(labelled); err != nil {
			return err
		}
		if rows += batch.NumRows(); s.opts.Progress != nil && of > 0 {
			s.opts.Progress(half+int(min(float64(rows)/float64(of), 1)*float64(half)), 2*half)
		}
	}
	return nil
}
