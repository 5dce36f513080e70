package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/describe"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list PLACE",
		Short: "List the snapshots of a bucket, or the collections of a backup or cluster",
		Long: `List the snapshots of a bucket or directory, or the collections of a backup or of a cluster's metadata, with the SOURCE to
give to other verbs. PLACE is s3://bucket[/root], a directory, or a SOURCE without collection.

` + sourceHelp,
		Example: `  snapexport list s3://bucket
  snapexport list 'etcd+file:etcd.json?storage=s3://bucket' --json`,
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := a.describeOptions()
			if err != nil {
				return err
			}
			listing, err := describe.List(cmd.Context(), args[0], opts)
			if err != nil {
				return err
			}
			return a.showListing(listing)
		},
	}
}

func (a *app) showListing(l *describe.Listing) error {
	if a.json {
		return a.printJSON(l)
	}
	if len(l.Entries) == 0 {
		fmt.Fprintln(a.out, "nothing found")
		return nil
	}
	t := newTable("collection", "snapshot", "created", "segments", "rows", "size", "source")
	for _, e := range l.Entries {
		created := e.CreateTime
		if len(created) > 19 {
			created = created[:19] + "Z"
		}
		t.AppendRow(table.Row{e.Database + "." + e.Collection, e.Snapshot, created, e.Segments, count(e.Rows), size(e.Bytes), e.Source})
	}
	fmt.Fprintln(a.out, t.Render())
	for _, e := range l.Entries {
		if e.Problem != "" {
			fmt.Fprintf(a.out, "not exportable: %s: %s\n", e.Source, e.Problem)
		}
	}
	for _, w := range l.Warnings {
		fmt.Fprintf(a.out, "warning: %s: %s\n", w.Kind, w.Message)
	}
	return nil
}
