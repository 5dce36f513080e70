package export

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/verify"
)

// shown returns the snapshot of this export if the table shows it: as its current state, or under the tag.
func (r *runner) shown(have *catalog.Table) (*catalog.Snapshot, bool) {
	tagged, _ := have.Tagged(catalog.Tag(r.plan.Snapshot.Name))
	for _, s := range []*catalog.Snapshot{have.Current, tagged} {
		if s == nil {
			continue
		}
		if id, _, _ := strings.Cut(s.Summary[catalog.ExportIDProperty], "-"); id == r.plan.ExportID {
			return s, true
		}
	}
	return nil, false
}

// commitID is the export id, and more where the table's history has it already: then this run makes it once again.
func (r *runner) commitID(have *catalog.Table) string {
	again := r.opts.Replace
	if have != nil {
		_, before := have.Export(r.plan.ExportID)
		again = again || before
	}
	if again {
		return r.plan.ExportID + "-" + r.opts.RunID
	}
	return r.plan.ExportID
}

// found describes an export that the table holds already.
func (r *runner) found(have *catalog.Table, done *catalog.Snapshot) *Result {
	number := func(key string) int64 {
		n, _ := strconv.ParseInt(done.Summary[key], 10, 64) // absent or odd: 0, it is only shown
		return n
	}
	var unreadable map[string]int64
	_ = json.Unmarshal([]byte(done.Summary[summaryUnreadable]), &unreadable) // as the numbers
	return &Result{
		Table: r.plan.Table(), Catalog: r.plan.Catalog, MetadataLocation: have.MetadataLocation, IcebergSnapshotID: done.ID, Tag: catalog.Tag(r.plan.Snapshot.Name),
		ExportID: r.plan.ExportID, AlreadyExported: true, ContentHash: done.Summary[verify.SummaryHash],
		RowsRead: number(summaryRowsRead), RowsDeleted: number(summaryRowsDeleted), RowsAfterCut: number(summaryRowsAfterCut),
		RowsExpired: number(summaryRowsExpired), RowsDeduplicated: number(summaryRowsDeduped), RowsWritten: number(summaryRowsWritten), UnreadableText: unreadable, Warnings: r.scan.Snapshot().Warnings,
	}
}

// mine refuses a table of another collection, and one that someone else wrote to since the last export.
func (r *runner) mine(have *catalog.Table) error {
	id := strconv.FormatInt(int64(r.plan.Snapshot.CollectionID), 10)
	if got := have.Properties[propertyCollectionID]; got != id {
		return fault.Conflict("export", "the table holds collection %q, this is collection %s", got, id).On(r.plan.Target).
			WithHint("choose another table, or --replace what is there")
	}
	if have.Current != nil && have.Current.Summary[catalog.ExportIDProperty] == "" {
		return fault.Conflict("export", "the table's snapshot %d (%s) was not made by an export", have.Current.ID, byWhom(have)).On(r.plan.Target).
			WithHint("someone compacted or edited the table; --replace builds it anew")
	}
	return nil
}

// byWhom says what others did to the table since its last export: the operations, newest first, and the program.
func byWhom(have *catalog.Table) string {
	var said []string
	for s, ok := have.Current, true; ok && s.Summary[catalog.ExportIDProperty] == "" && len(said) < 5; s, ok = have.Snapshot(s.Parent) {
		what := s.Operation
		if who := s.Summary["engine-name"]; who != "" {
			what += " by " + strings.TrimSpace(who+" "+s.Summary["engine-version"])
		}
		for _, n := range []string{"added-records", "deleted-records", "added-data-files", "deleted-data-files"} {
			if v := s.Summary[n]; v != "" && v != "0" {
				what += ", " + strings.ReplaceAll(n, "-", " ") + " " + v
			}
		}
		said = append(said, what)
	}
	return strings.Join(said, "; ")
}
