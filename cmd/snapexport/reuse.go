package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/export"
)

// appendReuse adds what an export keeps of the table, and why it does not keep the rest.
func appendReuse(t table.Writer, r *export.Reuse) {
	if r == nil {
		return
	}
	where := ""
	if r.Aside {
		where = "; the table shows a newer one, and goes on to"
	}
	t.AppendRow(table.Row{"builds on", fmt.Sprintf("%s%s", r.Base, where)})
	t.AppendRow(table.Row{"  files kept", fmt.Sprintf("%s, %s, %s", count(int64(r.FilesKept)), size(r.BytesKept), plural(r.RowsKept, "row"))})
	if r.FilesGone > 0 {
		t.AppendRow(table.Row{"  files removed", fmt.Sprintf("%s, %s", count(int64(r.FilesGone)), size(r.BytesGone))})
	}
	for _, why := range slices.Sorted(maps.Keys(r.Rewritten)) {
		t.AppendRow(table.Row{"    " + why, count(int64(r.Rewritten[why]))})
	}
	if r.BytesProbed > 0 {
		t.AppendRow(table.Row{"  read to know", size(r.BytesProbed)})
	}
}

func appendExpiry(t table.Writer, e *catalog.Expiry) {
	if e == nil {
		return
	}
	t.AppendRow(table.Row{"expired", fmt.Sprintf("%s, %s", plural(int64(len(e.Snapshots)), "snapshot"), plural(int64(len(e.Files)), "file"))})
	if len(e.Tags) > 0 {
		t.AppendRow(table.Row{"  tags", strings.Join(e.Tags, ", ")})
	}
	if e.DataBytes > 0 {
		t.AppendRow(table.Row{"  data", size(e.DataBytes)})
	}
}

// foreseen prints what an export would keep, and what would leave the table.
func (a *app) foreseen(p *export.Plan) {
	if p.Found != 0 {
		fmt.Fprintf(a.out, "%s holds this export already, as Iceberg snapshot %d\n", p.Table(), p.Found)
	}
	t := newTable()
	appendReuse(t, p.Reuse)
	appendExpiry(t, p.Expiry)
	if t.Length() > 0 {
		fmt.Fprintf(a.out, "\n%s\n", t.Render())
	}
	if p.Expiry != nil {
		for _, f := range p.Expiry.Files {
			fmt.Fprintln(a.out, "would delete", path.Join(path.Base(path.Dir(f)), path.Base(f)))
		}
	}
	a.warn(p.Warnings)
}
