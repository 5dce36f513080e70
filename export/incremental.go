package export

import (
	"context"
	"errors"
	"path"
	"strconv"

	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Reuse says what an export keeps of the export that it builds on.
type Reuse struct {
	Base        string         `json:"base"` // name of that export's Milvus snapshot
	BaseID      int64          `json:"base_iceberg_snapshot_id"`
	Aside       bool           `json:"aside,omitempty"` // the table shows a newer snapshot: this one gets its tag alone
	FilesKept   int            `json:"files_kept"`
	BytesKept   int64          `json:"bytes_kept"`
	RowsKept    int64          `json:"rows_kept"`
	FilesGone   int            `json:"files_removed"`
	BytesGone   int64          `json:"bytes_removed"`
	Rewritten   map[string]int `json:"rewritten"` // files that are not kept, by reason
	BytesProbed int64          `json:"bytes_probed"`
}

// Reasons why a file is not kept.
const (
	goneSegment = "its segment is gone"
	changed     = "its segment has other files"
	otherRows   = "rows were deleted or expired"
	afterTheCut = "rows were after the cut"
	otherAsk    = "the options are others"
	otherSchema = "the columns are others"
)

// increment is the decision what to keep.
type increment struct {
	base    *catalog.Snapshot
	mapping *mapping
	live    map[string]iceberg.DataFile // of the base, by base name
	kept    []*unit
	again   bool // the kept rows have columns more, and so another hash
	reuse   Reuse
}

// incremental decides what to keep of the table, and restricts the runner's scan and tasks to the rest. nil: everything is written.
func (r *runner) incremental(ctx context.Context, have *catalog.Table) (*increment, error) {
	if have == nil || r.opts.Replace || r.opts.OwnTable || have.Current == nil || r.scan.Deduplicates() {
		return nil, nil
	}
	base, aside := have.Current, r.older(have)
	if aside {
		if base = r.before(have); base == nil {
			return nil, nil
		}
	}
	m, err := readMapping(ctx, r.table, base)
	if errors.Is(err, fault.ErrMissing) || errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrUnsupported) {
		r.warnings = append(r.warnings, describe.Warning{Kind: "mapping", Message: "nothing is known of what the table's files hold, so all are written anew: " + err.Error()})
		return nil, nil
	}
	if err != nil || m == nil {
		return nil, err
	}
	inc := &increment{base: base, mapping: m, reuse: Reuse{Base: m.Snapshot.Name, BaseID: base.ID, Aside: aside, Rewritten: map[string]int{}}}
	if err := inc.files(ctx, have); err != nil {
		return nil, err
	}
	if err := r.judge(ctx, inc); err != nil {
		return nil, err
	}
	return inc, r.restrict(inc)
}

// older reports whether the table shows a later snapshot of the collection than this.
func (r *runner) older(have *catalog.Table) bool {
	if r.opts.Replace || r.opts.OwnTable || have.Current == nil || r.plan.Snapshot.Name == "" {
		return false
	}
	return created(have.Current) > r.plan.Snapshot.CreateTS && r.plan.Snapshot.CreateTS != 0
}

// before returns the newest snapshot that is no later than this export's, nil if there is none.
func (r *runner) before(have *catalog.Table) (base *catalog.Snapshot) {
	for i := range have.Snapshots {
		s := &have.Snapshots[i]
		ts := created(s)
		if s.Summary[catalog.MappingProperty] == "" || s.Summary[propertyCollectionID] != strconv.FormatInt(int64(r.plan.Snapshot.CollectionID), 10) ||
			ts == 0 || ts > r.plan.Snapshot.CreateTS {
			continue
		}
		if base == nil || ts >= created(base) {
			base = s
		}
	}
	return base
}

// aside says, at the time of the commit, whether the snapshot goes beside main, and on which parent.
func (r *runner) aside(have *catalog.Table) (parent int64, aside bool) {
	if !r.older(have) {
		return catalog.NoSnapshot, false
	}
	if base := r.before(have); base != nil {
		return base.ID, true
	}
	return catalog.NoSnapshot, true
}

// created returns the create_ts of the Milvus snapshot that an export's snapshot was made of; 0 if it had none.
func created(s *catalog.Snapshot) milvus.Timestamp {
	ts, _ := strconv.ParseUint(s.Summary[propertyCreateTS], 10, 64) // absent or odd: none
	return milvus.Timestamp(ts)
}

// files finds the base's files and makes sure that they are those of its mapping.
func (inc *increment) files(ctx context.Context, have *catalog.Table) error {
	data, deletes, err := have.Files(ctx, inc.base.ID)
	if err != nil {
		return err
	}
	inc.live = map[string]iceberg.DataFile{}
	for _, f := range data {
		inc.live[path.Base(f.FilePath())] = f
	}
	mapped := 0
	for _, u := range inc.mapping.Units {
		for _, f := range u.Files {
			mapped++
			if there := inc.live[path.Base(f.Key)]; there == nil || there.Count() != f.Rows || there.FileSizeBytes() != f.Bytes {
				return fault.Conflict("export", "the table's snapshot %d lacks the file %s that an export wrote", inc.base.ID, f.Key).On(have.Name).
					WithHint("someone edited the table; --replace builds it anew")
			}
		}
	}
	if mapped != len(data) || len(deletes) > 0 {
		return fault.Conflict("export", "the table's snapshot %d has %d data files and %d delete files, the export wrote %d", inc.base.ID, len(data), len(deletes), mapped).
			On(have.Name).WithHint("someone edited the table; --replace builds it anew")
	}
	return nil
}
