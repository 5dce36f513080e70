package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/objstore"
)

func (a *app) storeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "Look at object stores", RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q for %q", args[0], cmd.CommandPath())
		}
		return cmd.Help()
	}}
	cmd.AddCommand(&cobra.Command{
		Use:   "check URI",
		Short: "Find out whether a bucket or directory does all that exports rely on",
		Long: `Find out whether a bucket or directory does all that exports rely on: listing, reading, writing,
ranged and conditional reads, uploads in parts, and above all that of 16 clients that create one key
at the same time exactly one wins. The objects that it writes below URI are removed again.`,
		Example: "  snapexport store check s3://lake/tmp --s3-endpoint http://127.0.0.1:7070",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("give one bucket or directory")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			loc, err := objstore.Parse(args[0])
			if err != nil {
				return err
			}
			store, err := a.opener.Open(cmd.Context(), loc.Store)
			if err != nil {
				return err
			}
			prefix := ""
			if loc.Key != "" {
				prefix = loc.Key + "/"
			}
			report, err := objstore.Check(cmd.Context(), store, prefix, objstore.CheckOptions{ID: "-" + runID(), Now: a.now})
			if len(report.Steps) > 0 {
				if printed := a.showCheck(report); printed != nil {
					return printed
				}
			}
			return err
		},
	})
	return cmd
}

func (a *app) showCheck(r objstore.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	t := newTable("step", "result", ">time", "detail")
	for _, s := range r.Steps {
		verdict := "ok"
		if !s.OK {
			verdict = "FAILED"
		}
		t.AppendRow(table.Row{s.Name, verdict, fmt.Sprintf("%.1f ms", s.Millis), s.Detail})
	}
	_, err := fmt.Fprintln(a.out, t.Render())
	return err
}
