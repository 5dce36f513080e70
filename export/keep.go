package export

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

func discard(arrow.RecordBatch) error { return nil }

// restrict leaves to the runner what is not kept: its scan, tasks and totals. Rows that are kept are read again only where their
// content hash changed.
func (r *runner) restrict(inc *increment) error {
	held := map[milvus.SegmentID]bool{}
	var again []Task
	for _, u := range inc.kept {
		var t Task
		for _, s := range u.Segments {
			held[s.ID] = true
			seg, _ := r.scan.Snapshot().Segment(s.ID)
			t.Segments = append(t.Segments, s.ID)
			t.Partition, t.Rows, t.Bytes = seg.Partition, t.Rows+seg.Rows, t.Bytes+r.scan.Bytes(seg)
		}
		t.Again = true
		again = append(again, t)
	}
	var rest, all []milvus.SegmentID
	for _, seg := range r.scan.Segments() {
		all = append(all, seg.ID)
		if !held[seg.ID] {
			rest = append(rest, seg.ID)
		}
	}
	only, err := r.scan.Only(rest)
	if err != nil {
		return err
	}
	todo := tasks(only)
	if inc.again && len(again) > 0 {
		todo = append(todo, again...)
		if only, err = r.scan.Only(all); err != nil {
			return err
		}
	}
	plan := *r.plan
	plan.setTasks(todo)
	plan.Reuse = &inc.reuse
	r.plan, r.scan = &plan, only
	r.progress.SegmentsTotal.Store(int64(plan.Totals.Segments))
	r.progress.RowsTotal.Store(plan.Totals.Rows)
	return nil
}

// units gives what the snapshot consists of: the units that were kept, with the hash of their rows as they are now, and those
// that the tasks wrote.
func (r *runner) units(inc *increment, work Work) ([]unit, error) {
	read := map[milvus.SegmentID]Done{}
	out := []unit{}
	for _, done := range work.Done {
		if done.Task.Again {
			read[done.Task.Segments[0]] = done
			continue
		}
		out = append(out, r.unitOf(done))
	}
	if inc == nil {
		return out, nil
	}
	for _, u := range inc.kept {
		kept := *u
		if inc.again {
			done := read[u.Segments[0].ID]
			if !u.Rows.same(done.Counts.Out) {
				return nil, fault.Corrupt("export", "segment %d has other rows than the file that was written of it", u.Segments[0].ID).On(r.plan.Target).
					WithHint("--replace writes it anew")
			}
			kept.Hash = done.Hash.String()
		}
		out = append(out, kept)
	}
	return out, nil
}

// sum adds up what became of all rows of the snapshot, those of kept files included.
func sum(units []unit) (counts reader.Counts, hash verify.Hash, err error) {
	for _, u := range units {
		h, err := verify.ParseHash(u.Hash)
		if err != nil {
			return counts, hash, err
		}
		hash = hash.Add(h)
		counts.Add(u.Counts.counts())
	}
	return counts, hash, nil
}

// dataFiles gives the entries of the files that are kept.
func (inc *increment) dataFiles() (out []iceberg.DataFile) {
	if inc == nil {
		return nil
	}
	for _, u := range inc.kept {
		for _, f := range u.Files {
			out = append(out, inc.live[path.Base(f.Key)])
		}
	}
	return out
}

// stillThere makes sure that the files that are kept were not expired meanwhile.
func (inc *increment) stillThere(have *catalog.Table) error {
	if inc == nil || len(inc.kept) == 0 {
		return nil
	}
	if _, ok := have.Snapshot(inc.base.ID); !ok {
		return fault.Conflict("export", "the table's snapshot %d, whose files the export keeps, was expired meanwhile", inc.base.ID).On(have.Name).WithHint("run the export again")
	}
	return nil
}

// extend commits what was kept and what was written as the next snapshot of the table, with its mapping.
func (r *runner) extend(ctx context.Context, all *reader.Scan, inc *increment, have *catalog.Table, schema *catalog.Schema, work Work) (*Result, error) {
	units, err := r.units(inc, work)
	if err == nil {
		work.Counts, work.Hash, err = sum(units)
		for _, done := range work.Done {
			work.Counts.Bytes += done.Counts.Bytes
			work.Counts.SeveralEvents += done.Counts.SeveralEvents
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.table.remove(ctx, work.Files))
	}
	result := r.result(work)
	if inc != nil {
		result.Reuse = &inc.reuse
		result.BytesRead += inc.reuse.BytesProbed
	}
	change := r.change(have, schema, result)
	change.Files = inc.dataFiles()
	change.Aside = r.aside
	check := change.Check
	change.Check = func(now *catalog.Table) error {
		if err := check(now); err != nil {
			return err
		}
		return inc.stillThere(now)
	}
	r.sayMoved(have)
	files := work.Files
	if !all.Deduplicates() { // then the rows of a file depend on those of all others
		mapped, err := r.newMapping(all, units).write(ctx, r.table, r.plan.ExportID+"-"+r.plan.RunID, change.Summary)
		files = append(files, mapped)
		if err != nil {
			return nil, errors.Join(err, r.table.remove(ctx, files))
		}
	}
	return r.commit(ctx, have, change, result, files)
}

// sayMoved warns of a tag that named another Milvus snapshot of the same name.
func (r *runner) sayMoved(have *catalog.Table) {
	if have == nil {
		return
	}
	tag := catalog.Tag(r.plan.Snapshot.Name)
	held, ok := have.Tagged(tag)
	if !ok || r.plan.Snapshot.ID == 0 || held.Summary[propertySnapshotID] == "" || held.Summary[propertySnapshotID] == fmt.Sprint(r.plan.Snapshot.ID) {
		return
	}
	r.warnings = append(r.warnings, describe.Warning{Kind: "tag", Message: fmt.Sprintf(
		"the tag %q moves: until now it named Milvus snapshot %s, which was dropped and made again as %d", tag, held.Summary[propertySnapshotID], r.plan.Snapshot.ID)})
}

// data reports whether the file is one of rows.
func (f File) data() bool { return !strings.HasSuffix(f.Key, mappingSuffix) }
