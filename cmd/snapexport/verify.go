package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
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
	workers := runtime.NumCPU()
	cmd := &cobra.Command{
		Use:   "verify SOURCE TABLE",
		Short: "Tell whether a table holds exactly a snapshot's live rows",
		Long: `Read both sides and compare rows and content hash, whatever form vectors have in the table. JSON that
is stored as variant is compared by value. Give the same --columns, --where, --partitions, --as-of,
--ttl and --unreadable-text as to export. Exit code 5 means that they differ.

` + sourceHelp,
		Example: `  snapexport verify 's3://bucket#docs/backup_20240101' s3a://lake/docs
  snapexport verify 's3://bucket#docs/backup_20240101' docs.pages --catalog lake`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("give a SOURCE and a TABLE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := rows.useHelper(a); err != nil {
				return err
			}
			snap, release, err := a.resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer release()
			opts, err := rows.options(a, snap)
			if err != nil {
				return err
			}
			if _, err := forms.options(&opts); err != nil {
				return err
			}
			scan, err := reader.Open(snap, opts)
			if err != nil {
				return err
			}
			cat, ident, done, err := a.tableOf(cmd.Context(), &flags, args[1])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			m := a.startProgress("verify", nil)
			report, err := verify.Table(cmd.Context(), scan, cat, ident, verify.Options{Workers: workers, Progress: m.count})
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
	cmd.Flags().IntVar(&workers, "workers", workers, "`N` segments at once")
	return cmd
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
	if len(r.JSONByValue) > 0 {
		fmt.Fprintf(a.out, "JSON was compared by value, not by text, in columns that are variants in the table: %s\n", strings.Join(r.JSONByValue, ", "))
	}
	for _, d := range r.Differences {
		fmt.Fprintln(a.out, "difference:", d)
	}
	if r.OK() {
		fmt.Fprintln(a.out, "the table holds exactly the snapshot's live rows")
	} else {
		fmt.Fprintln(a.out, "the table and the snapshot DIFFER")
	}
	return err
}
