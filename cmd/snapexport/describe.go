package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/page"
)

const sourceHelp = `SOURCE is one of
  PATH-OR-URI/snapshots/COLLECTION/metadata/ID.json  a snapshot's metadata file, local or s3://
  ROOT#[DATABASE.]COLLECTION/(SNAPSHOT|latest)       the same by name: s3://bucket#docs/latest
  milvus://HOST:PORT/[DATABASE/]COLLECTION/SNAPSHOT  a running Milvus's, pinned while its files
                                                     are read from storage (?storage=s3://bucket)
  backup:URI#[DATABASE.]COLLECTION                   a directory written by milvus-backup
  etcd://HOST:PORT/by-dev?storage=URI#COLLECTION     a cluster's metadata, at one revision
  etcd+file:DUMP.json?storage=URI#COLLECTION         the same, dumped by 'etcdctl get --prefix
                                                     by-dev/meta -w json'`

func (a *app) describeCommand() *cobra.Command {
	var check, segments bool
	var html string
	cmd := &cobra.Command{
		Use:   "describe SOURCE",
		Short: "Say where a snapshot is, what is in it, and what its export would cost",
		Long:  "Say where a snapshot is, what is in it, and what its export would cost, from metadata alone.\n\n" + sourceHelp,
		Example: `  snapexport describe s3://bucket/files/snapshots/100/metadata/7001.json
  snapexport describe 's3://bucket#docs/latest' --check
  snapexport describe ./bucket/files/snapshots/100/metadata/7001.json --json --segments
  snapexport describe 's3://bucket#docs/latest' --html docs.html`,
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, release, err := a.resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer release()
			var found *describe.Integrity
			if check {
				if found, err = a.integrity(cmd.Context(), snap); err != nil {
					return err
				}
			}
			release()
			if html != "" {
				if err := a.writePage(cmd.Context(), html, describe.Describe(snap, true), found); err != nil {
					return err
				}
			}
			if err := a.showReport(describe.Describe(snap, segments), found); err != nil || found.OK() {
				return err
			}
			return fault.Missing("check", "%d files are missing, %d have another size than recorded", len(found.Missing), len(found.Mismatched)).On(snap.Location.URI)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "ask the store for every listed file and its size")
	cmd.Flags().StringVar(&html, "html", "", "also write the report to `file`, a page with charts")
	cmd.Flags().BoolVar(&segments, "segments", false, "list the segments")
	return cmd
}

// writePage writes the page, whole or not at all, to a path or URI.
func (a *app) writePage(ctx context.Context, to string, r *describe.Report, found *describe.Integrity) error {
	var b bytes.Buffer
	if err := page.Write(&b, r, found); err != nil {
		return err
	}
	store, key, err := a.opener.OpenObject(ctx, to)
	if err != nil {
		return err
	}
	return store.Put(ctx, key, b.Bytes())
}

func oneSource(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("give one SOURCE, not %d arguments; quote it if it contains a #", len(args))
	}
	return nil
}

// resolve finds the snapshot. release ends the pin that a snapshot of a running Milvus has while it is read; it must be called
// on every path, and before success is reported.
func (a *app) resolve(ctx context.Context, source string) (snap *describe.Snapshot, release func(), err error) {
	snap, h, err := a.find(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	return snap, h.release, nil
}

// find is resolve that also says what a running Milvus told of the snapshot.
func (a *app) find(ctx context.Context, source string) (*describe.Snapshot, *held, error) {
	src, err := describe.Parse(source)
	if err != nil {
		return nil, nil, err
	}
	h := &held{source: source, release: func() {}}
	if src.Form == describe.FormMilvus {
		if h, err = a.hold(ctx, src, holdTime); err != nil {
			return nil, nil, err
		}
	}
	snap, err := a.resolveHeld(ctx, h)
	return snap, h, err
}

// resolveHeld reads the metadata of a snapshot that is held, and releases it if that fails.
func (a *app) resolveHeld(ctx context.Context, h *held) (*describe.Snapshot, error) {
	opts, err := a.describeOptions()
	if err == nil {
		var snap *describe.Snapshot
		if snap, err = describe.Resolve(ctx, h.source, opts); err == nil {
			return snap, nil
		}
	}
	h.release()
	return nil, err
}

func (a *app) integrity(ctx context.Context, snap *describe.Snapshot) (*describe.Integrity, error) {
	opts, err := a.describeOptions()
	if err != nil {
		return nil, err
	}
	bar := a.startProgress("check", nil)
	defer bar.stop()
	return describe.Check(ctx, snap, describe.CheckOptions{Options: opts, Progress: bar.count})
}

func (a *app) showReport(r *describe.Report, found *describe.Integrity) error {
	if a.json {
		return a.printJSON(struct {
			*describe.Report
			Check *describe.Integrity `json:"check,omitempty"`
		}{r, found})
	}
	fmt.Fprintf(a.out, "%s\n\n", reportTitle(r))
	t := newTable()
	t.AppendRow(table.Row{"location", r.Location.URI})
	if r.Snapshot.CreateTime != "" {
		t.AppendRow(table.Row{"created", fmt.Sprintf("%s (TSO %d)", r.Snapshot.CreateTime, r.Snapshot.CreateTS)})
	}
	t.AppendRow(table.Row{"segments", count(int64(r.Totals.Segments))})
	t.AppendRow(table.Row{"rows", count(r.Totals.Rows) + " (deleted ones included)"})
	t.AppendRow(table.Row{"deletes", deleteCount(r.Totals)})
	t.AppendRow(table.Row{"files", fmt.Sprintf("%s, %s", count(r.Totals.Files), size(r.Totals.Bytes))})
	t.AppendRow(table.Row{"export reads", fmt.Sprintf("%s, %s", plural(r.Estimate.Files, "file"), size(r.Estimate.Bytes))})
	t.AppendRow(table.Row{"storage versions", strings.Trim(fmt.Sprint(r.StorageVersions), "[]")})
	fmt.Fprintln(a.out, t.Render())
	a.showFields(r)
	a.showPartitions(r)
	a.showSegments(r)
	a.showIntegrity(found)
	a.warn(r.Warnings)
	return nil
}

func reportTitle(r *describe.Report) string {
	name := r.Collection.Database + "." + r.Collection.Name
	if r.Snapshot.Name == "" {
		return fmt.Sprintf("%s (%s)", name, r.Kind)
	}
	return fmt.Sprintf("snapshot %s of %s", r.Snapshot.Name, name)
}

func (a *app) showFields(r *describe.Report) {
	t := newTable(">field", "name", "type", "")
	for _, f := range r.Collection.Schema.Fields {
		t.AppendRow(table.Row{f.ID, f.Name, f.TypeName(), f.Notes()})
	}
	for _, s := range r.Collection.Schema.StructArrays {
		t.AppendRow(table.Row{s.ID, s.Name, "ArrayOfStruct", ""})
		for _, f := range s.Members {
			t.AppendRow(table.Row{f.ID, "  " + f.Name, f.TypeName(), f.Notes()})
		}
	}
	fmt.Fprintf(a.out, "\n%s\n", t.Render())
}

// deleteCount says how many deletes there are, as far as metadata tells.
func deleteCount(t describe.Totals) string {
	if t.UncountedDeletes == 0 {
		return count(t.DeleteEntries)
	}
	return fmt.Sprintf("%s, and those of %s without a count", count(t.DeleteEntries), plural(t.UncountedDeletes, "file"))
}

func (a *app) showPartitions(r *describe.Report) {
	t := newTable("partition", ">segments", ">rows", ">deletes", ">size")
	for _, p := range r.Partitions {
		name := p.Name
		if p.ID == -1 {
			name = "(all)"
		}
		t.AppendRow(table.Row{name, p.Segments, count(p.Rows), count(p.DeleteEntries), size(p.Bytes)})
	}
	fmt.Fprintf(a.out, "\n%s\n", t.Render())
}

func (a *app) showSegments(r *describe.Report) {
	if len(r.Segments) == 0 {
		return
	}
	t := newTable(">segment", "level", "storage", ">rows", ">deletes", ">files", ">size")
	for _, s := range r.Segments {
		t.AppendRow(table.Row{s.ID, s.Level, s.StorageVersion, count(s.Rows), count(s.DeleteEntries), count(s.Files), size(s.Bytes)})
	}
	fmt.Fprintf(a.out, "\n%s\n", t.Render())
}

func (a *app) showIntegrity(found *describe.Integrity) {
	if found == nil {
		return
	}
	verdict := "all are there"
	if !found.OK() {
		verdict = fmt.Sprintf("%d missing, %d of another size", len(found.Missing), len(found.Mismatched))
	}
	fmt.Fprintf(a.out, "\nchecked %s, %s: %s (the sizes of %s are recorded)\n", plural(int64(found.Files), "file"), size(found.Bytes), verdict, count(int64(found.SizesKnown)))
	for _, f := range found.Missing {
		fmt.Fprintf(a.out, "missing: %s (%s of segment %d)\n", f.URI, f.Kind, f.Segment)
	}
	for _, f := range found.Mismatched {
		fmt.Fprintf(a.out, "size: %s is %d bytes, recorded are %d\n", f.URI, f.Got, f.Want)
	}
}
