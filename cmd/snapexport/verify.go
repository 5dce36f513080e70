package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

func (a *app) verifyCommand() *cobra.Command {
	var rows rowFlags
	var forms formFlags
	var flags catalogFlags
	opts := verify.Options{Workers: runtime.NumCPU()}
	var share string
	cmd := &cobra.Command{
		Use:   "verify SOURCE TABLE",
		Short: "Tell whether a table holds exactly a snapshot's live rows",
		Long: `Read both sides and compare the schema, the tag, rows and content hash, and of each column the NULLs
and the extremes, whatever form vectors have in the table. JSON that is stored as variant is compared
by value. Where they differ, both sides are read once more, to name the columns and up to ten keys.
Give the same --columns, --where, --partitions, --as-of, --ttl and --unreadable-text as to export.
Exit code 5 means that they differ.

--read-data reads a share of the segments and the files that hold them, the same ones each time; which
files and segments there are, and how many rows, is compared for all of them.

` + sourceHelp,
		Example: `  snapexport verify 's3://bucket#docs/backup_20240101' s3a://lake/docs
  snapexport verify 's3://bucket#docs/backup_20240101' s3a://lake/docs --read-data 10%
  snapexport verify 's3://bucket#docs/backup_20240101' docs.pages --catalog lake`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("give a SOURCE and a TABLE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if opts.Percent, err = parsePercent(share); err != nil {
				return usage("--read-data: %w", err)
			}
			if err := rows.useHelper(a); err != nil {
				return err
			}
			snap, release, err := a.resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer release()
			ropts, err := rows.options(a, snap)
			if err != nil {
				return err
			}
			if _, err := forms.options(&ropts); err != nil {
				return err
			}
			scan, err := reader.Open(snap, ropts)
			if err != nil {
				return err
			}
			cat, ident, done, err := a.tableOf(cmd.Context(), &flags, args[1])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			m := a.startProgress("verify", nil)
			opts.Progress = m.count
			report, err := verify.Table(cmd.Context(), scan, cat, ident, opts)
			m.stop()
			if err != nil {
				return err
			}
			release()
			return a.showVerdict(report)
		},
	}
	rows.register(cmd)
	forms.registerJSON(cmd)
	flags.register(cmd)
	cmd.Flags().IntVar(&opts.Workers, "workers", opts.Workers, "`N` segments at once")
	cmd.Flags().StringVar(&share, "read-data", "100%", "`SHARE` of the data to read, such as 10%")
	cmd.Flags().BoolVar(&opts.Norms, "norms", false, "compare the least and the greatest norm of dense vectors, too")
	complete(cmd, "read-data")
	return cmd
}

// parsePercent reads "10%", or the number alone.
func parsePercent(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(v > 0 && v <= 100) {
		return 0, fmt.Errorf("%q is not a share above 0%% and up to 100%%", text)
	}
	return v, nil
}

func (a *app) showVerdict(r *verify.Report) error {
	var err error
	if !r.OK() {
		err = errMismatch
	}
	if a.json {
		if printed := a.printJSON(r); printed != nil {
			return printed
		}
		return err
	}
	t := newTable("", ">rows", "content hash")
	t.AppendRow(table.Row{"snapshot", count(r.Snapshot.Rows), r.Snapshot.Hash})
	if len(r.JSONByValue) > 0 {
		t = newTable("", ">rows", "hash of values")
		t.AppendRow(table.Row{"snapshot", count(r.Snapshot.Rows), r.Snapshot.ValueHash})
	}
	t.AppendRow(table.Row{"table", count(r.Found.Rows), cmp.Or(r.Found.Hash, r.Found.ValueHash)})
	fmt.Fprintln(a.out, t.Render())
	a.showColumns(r)
	if s := r.Sample; s != nil {
		fmt.Fprintf(a.out, "read %d of %s and %d of %s; which there are was compared for all\n", s.Segments, plural(int64(s.OfSegments), "segment"), s.Files, plural(int64(s.OfFiles), "file"))
	}
	if len(r.JSONByValue) > 0 {
		fmt.Fprintf(a.out, "JSON was compared by value, not by text, in columns that are variants in the table: %s\n", strings.Join(r.JSONByValue, ", "))
	}
	for _, d := range r.Differences {
		fmt.Fprintln(a.out, "difference:", d)
	}
	for _, e := range r.Examples {
		fmt.Fprintf(a.out, "  key %s: %s\n", e.Key, strings.TrimSpace(e.What+" "+strings.Join(e.Columns, ", ")))
	}
	switch {
	case r.OK() && r.Sample != nil:
		fmt.Fprintln(a.out, "what was read of the table is what the snapshot has")
	case r.OK():
		fmt.Fprintln(a.out, "the table holds exactly the snapshot's live rows")
	default:
		fmt.Fprintln(a.out, "the table and the snapshot DIFFER")
	}
	return err
}

// showColumns prints a line for each column; where the sides differ, both values, the snapshot's first.
func (a *app) showColumns(r *verify.Report) {
	if len(r.Columns) == 0 {
		return
	}
	both := func(a, b string) string {
		if a == b {
			return a
		}
		return cmp.Or(a, "none") + " / " + cmp.Or(b, "none")
	}
	t := newTable("column", "type", ">NULLs", "least", "greatest", "same")
	for _, c := range r.Columns {
		kind, same := c.Type, "yes"
		if dim := both(c.Snapshot.Dim, c.Found.Dim); dim != "" {
			kind += ", dim " + dim
		}
		if !c.OK {
			same = "NO"
		}
		t.AppendRow(table.Row{c.Name, kind, both(count(c.Snapshot.Nulls), count(c.Found.Nulls)), both(c.Snapshot.Min, c.Found.Min), both(c.Snapshot.Max, c.Found.Max), same})
	}
	fmt.Fprintf(a.out, "\n%s\n\n", t.Render())
}
