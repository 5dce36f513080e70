package reader

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/milvus"
)

// batcher aligns the cursors of one chunk by row and makes batches of what lives.
type batcher struct {
	scan    *Scan
	segment *milvus.Segment
	scope   deltamerge.Scope
	cursors map[milvus.FieldID]*cursor
	counts  *Counts

	live []bool
	eff  []uint64
	lent compacted
}

// atEnd reads on in all columns, where there is nothing.
func (b *batcher) atEnd() error {
	for _, c := range b.cursors {
		if c.pages == nil {
			continue
		}
		n, err := c.available(1)
		if err == nil && n > 0 {
			err = fault.Corrupt("read chunk", "the column has more rows than are declared").On(c.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// next handles the next rows, as many as lie in one page of every column and at most most, and returns their number; 0 if a
// column ended.
func (b *batcher) next(most int64, yield func(arrow.RecordBatch) error) (int, error) {
	n := int(min(int64(b.scan.opts.MaxBatchRows), most))
	var err error
	for _, c := range b.cursors {
		if n, err = c.available(n); err != nil || n == 0 {
			return 0, err
		}
	}
	rows := make(map[milvus.FieldID]arrow.Array, len(b.cursors))
	bads, unread := map[milvus.FieldID][]int{}, map[milvus.FieldID][]int{}
	for id, c := range b.cursors {
		t, err := c.take(n)
		if err != nil {
			return 0, err
		}
		rows[id], bads[id], unread[id] = t.rows, t.bads, t.unread
	}
	if err := b.judge(rows, bads, n); err != nil {
		return 0, err
	}
	if s := b.scan; s.keys != nil {
		return n, s.keys.visit(b.segment, b.scope.First, rows[s.key.ID], b.eff, b.live)
	}
	b.countUnread(unread)
	b.counts.Out.add(rows[b.scan.key.ID], b.eff, b.live)
	runs := runsOf(b.live)
	if len(runs) == 0 {
		return n, nil
	}
	batch, err := b.build(rows, runs)
	if err != nil {
		return 0, err
	}
	err = yield(batch)
	b.lent.giveBack()
	return n, err
}

// judge fills live and eff for the n rows and counts.
func (b *batcher) judge(rows map[milvus.FieldID]arrow.Array, bads map[milvus.FieldID][]int, n int) error {
	b.live, b.eff = resize(b.live, n), resize(b.eff, n)
	ts, ok := rows[milvus.TimestampField].(*array.Int64)
	if !ok {
		return fault.Corrupt("read timestamps", "field 1 is %s", rows[milvus.TimestampField].DataType())
	}
	for i, v := range ts.Int64Values() {
		b.eff[i] = uint64(v)
	}
	b.scope.Effective(b.eff)
	var expiry *array.Timestamp
	if expires(b.scan.rule) {
		expiry = rows[b.scan.rule.TTL.Field].(*array.Timestamp)
	}
	b.scope.First = b.counts.Rows // rows that were passed over are counted, too: this is the row's number in the segment
	counts, err := b.scan.rule.Mask(b.scope, rows[b.scan.key.ID], b.eff, expiry, b.live)
	if err != nil {
		return err
	}
	b.counts.Counts.Add(counts)
	b.counts.Deduplicated += b.scan.older[b.segment.ID].Clear(b.scope.First, b.live)
	b.dropBad(bads)
	return b.filter(rows, n)
}

// dropBad applies BadSkip, and counts.
func (b *batcher) dropBad(bads map[milvus.FieldID][]int) {
	for _, rows := range bads {
		for _, r := range rows {
			switch {
			case !b.live[r]:
			case b.scan.opts.OnBad == BadSkip:
				b.live[r] = false
				b.counts.BadSkipped++
			default:
				b.counts.BadNulls++
			}
		}
	}
}

// countUnread counts the texts that come out as NULL.
func (b *batcher) countUnread(unread map[milvus.FieldID][]int) {
	for id, rows := range unread {
		var n int64
		for _, r := range rows {
			if b.live[r] {
				n++
			}
		}
		if n > 0 {
			b.counts.addUnread(b.cursors[id].field.Name, n)
		}
	}
}

func (b *batcher) filter(rows map[milvus.FieldID]arrow.Array, n int) error {
	if b.scan.opts.Where == nil {
		return nil
	}
	mask, err := b.scan.opts.Where.Eval(func(id milvus.FieldID) (arrow.Array, error) { return rows[id], nil }, n)
	if err != nil {
		return err
	}
	b.counts.Filtered += deselect(b.live, mask)
	return nil
}

// deselect clears the rows that the mask does not have and returns how many of them lived.
func deselect(live []bool, mask *filter.Mask) (cleared int64) {
	for i := range live {
		if live[i] && !mask.Bit(i) {
			live[i] = false
			cleared++
		}
	}
	return cleared
}

// build makes the output batch of the rows in the runs, of which there is at least one.
func (b *batcher) build(rows map[milvus.FieldID]arrow.Array, runs []run) (arrow.RecordBatch, error) {
	n := length(runs)
	out := make([]arrow.Array, len(b.scan.cols))
	for i := range b.scan.cols {
		c := &b.scan.cols[i]
		var err error
		switch {
		case c.system != "":
			out[i], err = b.system(c, rows, runs, n)
		case c.array != nil:
			out[i], err = zip(c, rows, runs)
		default:
			out[i], err = b.lent.compact(rows[c.field.ID], runs)
		}
		if err != nil {
			return nil, err
		}
	}
	return array.NewRecordBatch(b.scan.schema, out, int64(n)), nil
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
