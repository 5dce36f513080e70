package main

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/reader"
)

func (a *app) exportCommand() *cobra.Command {
	var rows rowFlags
	var forms formFlags
	opts := export.Options{RunID: runID(), Version: version}
	var dryRun bool
	var format, fileSize, location string
	var flags catalogFlags
	var fresh nightlyFlags
	cmd := &cobra.Command{
		Use:   "export SOURCE [--to TABLE]",
		Short: "Export a snapshot's live rows to an Iceberg table or to Parquet files",
		Long: `Export a snapshot's live rows to an Iceberg table or to Parquet files.

TABLE is the path or URI (s3://, s3a://, file://) of the table's root, or with --catalog the name
namespace.table. The table becomes visible in one commit, which carries a tag with the snapshot's
name. Running the same export again finds it there and does nothing.

Only a snapshot of 'snapexport serve' (milvus://...) needs no --to: it has a place of its own beside
its metadata, which the server tells as s3_location. Its table is written once; the files in
binlogs/ are its rows and nothing else, and go with the snapshot.

With --snapshot-ttl the SOURCE is a collection of a running Milvus 3.0, or of 'snapexport serve':
milvus://HOST:PORT/[DATABASE/]COLLECTION. It is flushed, a snapshot of it is made, exported and
dropped, also after a failure or an interrupt.

` + catalogHelp + "\n\n" + sourceHelp,
		Example: `  snapexport export 's3://bucket#docs/backup_20240101' --to s3a://lake/docs
  snapexport export ./files/snapshots/100/metadata/7001.json --to ./docs --where 'lang == "en"'
  snapexport export 's3://bucket#docs/backup_20240101' --catalog lake --to docs.pages
  snapexport export milvus://localhost/my_collection/backup_20240101
  snapexport export milvus://localhost/my_collection --snapshot-ttl 2h --to s3a://lake/nightly
  snapexport export 'etcd+file:etcd.json?storage=s3://bucket#docs' --to ./docs --format parquet`,
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := fresh.check(cmd, args[0], opts.Target, dryRun); err != nil {
				return err
			}
			if err := checkTarget(opts, format, args[0], &fresh); err != nil {
				return err
			}
			if opts.Target == "" && flags.name != "" {
				return usage("--to is missing: give the table's name in the catalog, namespace.table")
			}
			if opts.TargetFileSize, err = parseBytes(fileSize); err != nil {
				return usage("--target-file-size: %w", err)
			}
			opts.Format = export.Format(format)
			if err := rows.useHelper(a); err != nil {
				return err
			}
			snap, h, err := a.findFor(cmd.Context(), args[0], fresh)
			if err != nil {
				return err
			}
			defer h.release()
			if opts.Target == "" {
				if opts.Target, opts.OwnTable = h.table, true; h.table == "" {
					return usage("--to is missing: give the path or URI of a table; this server says %q, which names no place for one", h.location)
				}
			}
			in, opener, err := a.destination(cmd.Context(), &flags, opts.Target, location)
			if err != nil {
				return err
			}
			if opts.In = in; in != nil {
				defer func() { err = errors.Join(err, in.Catalog.Close()) }()
			}
			ropts, err := rows.options(a, snap)
			if err != nil {
				return err
			}
			if opts.Form, err = forms.options(&ropts); err != nil {
				return err
			}
			scan, err := reader.Open(snap, ropts)
			if err != nil {
				return err
			}
			plan, err := export.NewPlan(scan, ropts, opts)
			if err != nil {
				return err
			}
			var progress export.Progress
			m := a.startProgress("export", &progress)
			if dryRun {
				plan, err = export.Foresee(cmd.Context(), scan, plan, opts, opener, a.budget, &progress)
				m.stop()
				if err != nil {
					return err
				}
				return a.showPlan(plan)
			}
			result, err := export.Run(cmd.Context(), scan, plan, opts, opener, a.budget, &progress)
			m.stop()
			if err != nil {
				return err
			}
			h.release()
			result.Seconds = a.now().Sub(m.start).Seconds()
			return a.showResult(result)
		},
	}
	f := cmd.Flags()
	rows.register(cmd)
	forms.register(cmd)
	registerCodecs(cmd, &opts)
	f.StringVar(&opts.Target, "to", "", "path or URI of the `TABLE`, or namespace.table with --catalog (default: the snapshot's own, for milvus://...)")
	flags.register(cmd)
	fresh.register(cmd)
	f.StringVar(&location, "location", "", "`URI` of a new table's root in a catalog (default: where the catalog puts it)")
	f.StringVar(&format, "format", string(export.FormatIceberg), "`FORMAT`: iceberg, or parquet for files without a table")
	f.IntVar(&opts.IcebergFormat, "iceberg-format", 0, "`VERSION` of Iceberg's format, 2 or 3 (default: that of the table; 2 for a new one, 3 with variants)")
	f.BoolVar(&opts.Replace, "replace", false, "make a new version, whatever the table holds")
	f.BoolVar(&dryRun, "dry-run", false, "print the plan and the estimate: what is kept of the table, what expires; check that every file can be read, write nothing")
	f.IntVar(&opts.Expire, "expire", 0, "keep the newest `N` Milvus snapshots in the table; remove the tags of others, and files that only they need")
	f.IntVar(&opts.Workers, "workers", runtime.NumCPU(), "`N` tasks at once")
	f.StringVar(&fileSize, "target-file-size", "512MiB", "`SIZE` after which a task begins another file")
	f.BoolVar(&opts.UnsafeCommits, "unsafe-commits", false, "commit also to a store on which 'store check' fails")
	complete(cmd, "iceberg-format", "2", "3")
	complete(cmd, "format", string(export.FormatIceberg), string(export.FormatParquet))
	return cmd
}

// checkTarget: without --to the table is the snapshot's own, whose place only a running server tells.
func checkTarget(o export.Options, format, source string, fresh *nightlyFlags) error {
	if o.Target != "" {
		return nil
	}
	src, err := fresh.parse(source)
	switch {
	case err != nil || src.Form != describe.FormMilvus:
		return usage("--to is missing: give the path or URI of a table")
	case o.Replace || format != string(export.FormatIceberg):
		return usage("--to is missing: a snapshot's own table is an Iceberg table and written once")
	}
	return nil
}

func (a *app) showPlan(p *export.Plan) error {
	if a.json {
		return a.printJSON(p)
	}
	format := string(p.Format)
	if p.Iceberg != 0 {
		format += fmt.Sprintf(" format %d", p.Iceberg)
	}
	fmt.Fprintf(a.out, "export %s of %s to %s (%s)\n\n", p.ExportID, p.Collection, p.Table(), format)
	t := newTable("column", "type", "")
	for _, c := range p.Columns {
		t.AppendRow(table.Row{c.Name, c.Type, c.Doc})
	}
	fmt.Fprintf(a.out, "%s\n\n", t.Render())
	fmt.Fprintf(a.out, "%s over %s: %s (deleted ones included), %s to read; %s checked, nothing was written\n", plural(int64(len(p.Tasks)), "task"),
		plural(int64(p.Totals.Segments), "segment"), plural(p.Totals.Rows, "row"), size(p.Totals.Bytes), plural(int64(p.Checked.Files), "file"))
	a.foreseen(p)
	return nil
}

func (a *app) showResult(r *export.Result) error {
	if a.json {
		return a.printJSON(r)
	}
	if r.AlreadyExported {
		as := ""
		if r.IcebergSnapshotID != 0 {
			as = fmt.Sprintf(", as Iceberg snapshot %d", r.IcebergSnapshotID)
		}
		fmt.Fprintf(a.out, "%s holds this export already%s; nothing was done (--replace makes a new version)\n", r.Table, as)
		return nil
	}
	t := newTable()
	t.AppendRow(table.Row{"table", r.Table})
	if r.MetadataLocation != "" {
		t.AppendRow(table.Row{"iceberg snapshot", r.IcebergSnapshotID})
	}
	if r.Tag != "" {
		t.AppendRow(table.Row{"tag", r.Tag})
	}
	t.AppendRow(table.Row{"rows read", count(r.RowsRead)})
	t.AppendRow(table.Row{"  deleted", count(r.RowsDeleted)})
	for _, left := range []struct {
		why string
		n   int64
	}{{"  after the cut", r.RowsAfterCut}, {"  expired", r.RowsExpired}, {"  deduplicated", r.RowsDeduplicated}, {"  not selected", r.RowsFiltered}} {
		if left.n > 0 {
			t.AppendRow(table.Row{left.why, count(left.n)})
		}
	}
	t.AppendRow(table.Row{"rows written", count(r.RowsWritten)})
	for _, name := range slices.Sorted(maps.Keys(r.UnreadableText)) {
		t.AppendRow(table.Row{"  texts made NULL: " + name, count(r.UnreadableText[name])})
	}
	t.AppendRow(table.Row{"files", fmt.Sprintf("%s, %s", count(int64(r.FilesWritten)), size(r.BytesWritten))})
	appendReuse(t, r.Reuse)
	appendExpiry(t, r.Expired)
	t.AppendRow(table.Row{"content hash", r.ContentHash})
	t.AppendRow(table.Row{"time", fmt.Sprintf("%.2f s, %s rows/s", r.Seconds, count(int64(float64(r.RowsWritten)/max(r.Seconds, 0.001))))})
	fmt.Fprintln(a.out, t.Render())
	a.warn(r.Warnings)
	return nil
}
