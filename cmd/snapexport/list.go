package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/describe"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list PLACE",
		Short: "List the snapshots of a bucket, or the collections of a backup or cluster",
		Long: `List the snapshots of a bucket or directory, or the collections of a backup or of a cluster's
metadata, with the SOURCE to give to other verbs. PLACE is s3://bucket[/root], a directory, or a
SOURCE without collection.

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
			return a.showListing(args[0], listing)
		},
	}
}

func (a *app) showListing(place string, l *describe.Listing) error {
	if a.json {
		return a.printJSON(l)
	}
	a.warn(l.Warnings)
	if len(l.Entries) == 0 {
		fmt.Fprintln(a.out, "nothing found")
		return nil
	}
	sources := shortSources(place, l.Entries)
	header, snapshots := []string{"collection"}, slices.ContainsFunc(l.Entries, func(e describe.Entry) bool { return e.SnapshotID != 0 })
	if snapshots {
		header = append(header, "snapshot", "created")
	}
	t := newTable(append(header, ">segments", ">rows", ">size")...)
	for _, e := range l.Entries {
		row := table.Row{e.Database + "." + e.Collection}
		if snapshots {
			row = append(row, cmp.Or(e.Snapshot, fmt.Sprint(e.SnapshotID)), e.CreateTS.Time().Format("2006-01-02 15:04:05Z"))
		}
		if e.Problem != "" {
			row = append(row, "", "", "not readable")
		} else {
			row = append(row, e.Segments, count(e.Rows), size(e.Bytes))
		}
		t.AppendRow(row)
	}
	fmt.Fprintf(a.out, "%s\n\n", t.Render())
	a.showSources(l.Entries, sources)
	for i, e := range l.Entries {
		if e.Problem != "" {
			fmt.Fprintf(a.errs, "not readable: %s: %s\n", sources[i], e.Problem)
		}
	}
	return nil
}

// showSources prints what to give to other verbs: all sources if there are few, or if the table's names do not tell them apart.
func (a *app) showSources(entries []describe.Entry, sources []string) {
	const few = 5
	byFile := false
	for i, e := range entries {
		byFile = byFile || e.Kind == describe.KindSnapshot && sources[i] == e.Source
	}
	if len(sources) <= few || byFile {
		fmt.Fprintln(a.out, "SOURCE for other verbs:")
	} else {
		fmt.Fprintln(a.out, "SOURCE for other verbs (--json has all of them), for example:")
		sources = sources[:1]
	}
	for _, s := range sources {
		fmt.Fprintf(a.out, "  '%s'\n", s)
	}
}

// shortSources names snapshots as ROOT#collection/snapshot where that is unambiguous, others by their files.
func shortSources(place string, entries []describe.Entry) []string {
	root, _, _ := strings.Cut(place, "#")
	names := make([]string, len(entries))
	seen := map[string]int{}
	for i, e := range entries {
		if e.Kind == describe.KindSnapshot && e.Snapshot != "" && e.Snapshot != "latest" && !strings.ContainsAny(e.Collection+e.Snapshot, "/#'") {
			names[i] = fmt.Sprintf("%s#%s.%s/%s", strings.TrimRight(root, "/"), e.Database, e.Collection, e.Snapshot)
		}
		seen[names[i]]++
	}
	for i, e := range entries {
		if names[i] == "" || seen[names[i]] > 1 {
			names[i] = e.Source
		}
	}
	return names
}
