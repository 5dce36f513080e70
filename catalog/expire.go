package catalog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

const opExpire = "expire snapshots"

// Expiry is what leaves a table: first the tags, then the snapshots that no tag and no branch keeps, then the files that no
// snapshot left reaches.
type Expiry struct {
	Tags      []string `json:"tags"`
	Snapshots []int64  `json:"snapshots"`
	Files     []string `json:"files"` // data, deletes, manifests, mappings: locations as metadata has them
	DataBytes int64    `json:"data_bytes"`
}

// PlanExpiry says what would leave the table if the tags were removed. A snapshot stays if a tag or branch names it, or, but
// for main, a descendant of it.
func (t *Table) PlanExpiry(ctx context.Context, tags []string) (*Expiry, error) {
	out := &Expiry{Tags: slices.Sorted(slices.Values(tags)), Snapshots: []int64{}, Files: []string{}}
	kept := map[int64]bool{}
	for name, ref := range t.Metadata.Refs() {
		if slices.Contains(tags, name) {
			if ref.SnapshotRefType != table.TagRef {
				return nil, fault.Conflict(opExpire, "%q is a branch", name).On(t.Name)
			}
			continue
		}
		kept[ref.SnapshotID] = true
		if name != table.MainBranch && ref.SnapshotRefType == table.BranchRef {
			for s, ok := t.Snapshot(ref.SnapshotID); ok; s, ok = t.Snapshot(s.Parent) {
				kept[s.ID] = true
			}
		}
	}
	var stay []table.Snapshot
	var leave []table.Snapshot
	for _, s := range t.Metadata.Snapshots() {
		if kept[s.SnapshotID] {
			stay = append(stay, s)
			continue
		}
		leave = append(leave, s)
		out.Snapshots = append(out.Snapshots, s.SnapshotID)
	}
	if len(leave) == 0 {
		return out, nil
	}
	needed, err := reached(ctx, t.raw, stay)
	if err != nil {
		return nil, err
	}
	reach, err := reached(ctx, t.raw, leave)
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(reach)) {
		if _, ok := needed[path]; !ok && strings.HasPrefix(path, strings.TrimRight(t.Location, "/")+"/") {
			out.Files = append(out.Files, path)
			out.DataBytes += reach[path]
		}
	}
	return out, nil
}

// reached gives the files that snapshots consist of, data and delete files with their sizes.
func reached(ctx context.Context, t *table.Table, snapshots []table.Snapshot) (out map[string]int64, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fault.Corrupt("read manifests", "%v", p).On(t.MetadataLocation())
		}
	}()
	files, err := t.FS(ctx)
	if err != nil {
		return nil, err
	}
	out = map[string]int64{}
	for _, s := range snapshots {
		out[s.ManifestList] = 0
		if s.Summary != nil && s.Summary.Properties[MappingProperty] != "" {
			out[s.Summary.Properties[MappingProperty]] = 0
		}
		manifests, err := s.Manifests(files)
		if err != nil {
			return nil, unreadable(err, s.ManifestList)
		}
		for _, m := range manifests {
			if _, seen := out[m.FilePath()]; seen {
				continue
			}
			out[m.FilePath()] = 0
			if err := entries(files, m, func(f iceberg.DataFile) { out[f.FilePath()] = f.FileSizeBytes() }); err != nil {
				return nil, err
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	for s := range t.Metadata().Statistics() {
		if slices.ContainsFunc(snapshots, func(of table.Snapshot) bool { return of.SnapshotID == s.SnapshotID }) {
			out[s.StatisticsPath] = 0
		}
	}
	return out, nil
}

// entries yields the live files of a manifest.
func entries(files iceio.IO, m iceberg.ManifestFile, yield func(iceberg.DataFile)) error {
	for e, err := range m.Entries(files, true) {
		if err != nil {
			return unreadable(err, m.FilePath())
		}
		yield(e.DataFile())
	}
	return nil
}

// Expire removes the tags that choose gives of the table as it is, and what they alone kept: tags and snapshots in one commit,
// then the files. A file that can't be deleted is an error, and what was expired stays so. choose may be asked several times.
func Expire(ctx context.Context, cat catalog.Catalog, ident table.Identifier, choose func(have *Table) []string) (*Expiry, error) {
	for try := 1; ; try++ {
		have, err := Load(ctx, cat, ident)
		if err != nil {
			return nil, err
		}
		plan, err := have.PlanExpiry(ctx, choose(have))
		if err != nil || len(plan.Tags)+len(plan.Snapshots) == 0 {
			return plan, fault.Place(err, name(ident))
		}
		err = expireOnce(ctx, cat, ident, have, plan)
		if err == nil {
			return plan, deleteFiles(ctx, have.raw, plan.Files)
		}
		if !errors.Is(err, table.ErrCommitFailed) || try == commitTries {
			return nil, fault.Place(classed(err), name(ident))
		}
		if err := objstore.Sleep(ctx, pause("expire", try)); err != nil {
			return nil, err
		}
	}
}

func expireOnce(ctx context.Context, cat catalog.Catalog, ident table.Identifier, have *Table, plan *Expiry) error {
	var reqs []table.Requirement
	var updates []table.Update
	reqs = append(reqs, table.AssertTableUUID(have.Metadata.TableUUID()))
	for ref, s := range have.Metadata.Refs() { // none may come to name what goes
		reqs = append(reqs, table.AssertRefSnapshotID(ref, &s.SnapshotID))
	}
	for _, tag := range plan.Tags {
		updates = append(updates, table.NewRemoveSnapshotRefUpdate(tag))
	}
	if len(plan.Snapshots) > 0 {
		updates = append(updates, table.NewRemoveSnapshotsUpdate(plan.Snapshots, false))
	}
	_, _, err := cat.CommitTable(ctx, ident, reqs, updates)
	return err
}

// deleteFiles deletes all that it can. That a file is not there is fine.
func deleteFiles(ctx context.Context, t *table.Table, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	files, err := t.FS(ctx)
	if err != nil {
		return err
	}
	store, ok := files.(iceio.WriteFileIO)
	if !ok {
		return fault.Unsupported(opExpire, "files of this table can't be deleted: its store is read-only").On(t.Location())
	}
	var failed error
	for _, path := range paths {
		if err := store.Remove(path); err != nil && !errors.Is(err, fault.ErrMissing) && failed == nil {
			failed = fault.Place(err, path)
		}
	}
	return failed
}
