package export

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	icebergcatalog "github.com/apache/iceberg-go/catalog"
	icebergtable "github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Expire keeps the newest Milvus snapshots of a table, at least one: the tags of the others are removed, then the snapshots that
// no tag and no branch keeps, then the files that none of the rest reaches. Tags that no export made stay, and what they name.
func Expire(ctx context.Context, cat icebergcatalog.Catalog, ident icebergtable.Identifier, keep int) (*catalog.Expiry, error) {
	if err := checkKeep(keep); err != nil {
		return nil, err
	}
	return catalog.Expire(ctx, cat, ident, func(have *catalog.Table) []string { return oldTags(have, keep, nil) })
}

// PlanExpiry says what [Expire] would do to the table as it is.
func PlanExpiry(ctx context.Context, have *catalog.Table, keep int) (*catalog.Expiry, error) {
	if err := checkKeep(keep); err != nil {
		return nil, err
	}
	return have.PlanExpiry(ctx, oldTags(have, keep, nil))
}

func checkKeep(keep int) error {
	if keep < 1 {
		return fault.Unsupported("expire snapshots", "%d snapshots to keep", keep).WithHint("keep one at least")
	}
	return nil
}

// expiring exports, and lets old snapshots expire then.
func (r *runner) expiring(ctx context.Context) (*Result, error) {
	result, err := r.iceberg(ctx)
	if err != nil || r.opts.Expire == 0 {
		return result, err
	}
	if result.Expired, err = Expire(ctx, r.catalog, r.ident, r.opts.Expire); err != nil {
		return nil, fmt.Errorf("the export is in the table, but old snapshots are not gone: %w", err)
	}
	return result, nil
}

// oldTags returns the tags of exports but for those of the newest Milvus snapshots, among which next, if not nil, is going to be.
func oldTags(have *catalog.Table, keep int, next *Snapshot) (tags []string) {
	type tagged struct {
		tag string
		ts  milvus.Timestamp
		at  time.Time
	}
	var all []tagged
	if next != nil {
		all = append(all, tagged{catalog.Tag(next.Name), next.CreateTS, time.Unix(1<<40, 0)})
	}
	for i := range have.Snapshots {
		s := &have.Snapshots[i]
		tag := catalog.Tag(s.Summary[propertySnapshot])
		if s.Summary[catalog.ExportIDProperty] != "" && tag != "" && slices.Contains(s.Tags, tag) && (next == nil || tag != all[0].tag) {
			all = append(all, tagged{tag, created(s), s.Time})
		}
	}
	// snapshots without a time, of backups, are as old as their exports
	slices.SortStableFunc(all, func(a, b tagged) int {
		return cmp.Or(cmp.Compare(b.ts, a.ts), b.at.Compare(a.at))
	})
	for i, t := range all {
		if i >= keep && (next == nil || t.tag != catalog.Tag(next.Name)) {
			tags = append(tags, t.tag)
		}
	}
	return tags
}
