package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/client"
)

func (r *remote) restore() *cobra.Command {
	var collection, targetDatabase string
	var wait bool
	cmd := &cobra.Command{
		Use:   "restore NAME TARGET",
		Short: "Restore a snapshot as a new collection",
		Long: `Restore a snapshot as a new collection by copying its files. The server works on it; the number of its
job is printed, or with --wait the result. Interrupting the wait does not stop the restore.`,
		Example: "  snapexport snapshot restore backup_20240101 restored_collection --wait",
		Args:    exactly(2, "the NAME of a snapshot and the collection to make"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return r.call(ctx, func(c *client.Client) error {
				job, err := c.RestoreSnapshot(ctx, client.NewRestoreSnapshotOption(args[0], args[1]).WithSource(collection).WithTargetDatabase(targetDatabase))
				if err != nil {
					return err
				}
				if !wait {
					return r.say(map[string]string{"job_id": fmt.Sprint(job)}, "job %d; snapexport snapshot jobs --job %d tells how far it is", job, job)
				}
				bar := r.app.startProgress("restore", nil)
				done, err := c.WaitRestore(ctx, job, func(j client.Job) { bar.count(j.Progress, 100) })
				bar.stop()
				if err != nil {
					return err
				}
				return r.say(done, "restored %s as %s in %v", done.Snapshot, done.Collection, done.Cost.Round(time.Millisecond))
			})
		},
	}
	collectionFlag(cmd, &collection)
	cmd.Flags().StringVar(&targetDatabase, "target-db", "", "`NAME` of the target's database (default: the source's)")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is done, with progress")
	return cmd
}

func (r *remote) jobs() *cobra.Command {
	var id int64
	cmd := &cobra.Command{
		Use:     "jobs [TARGET]",
		Short:   "List restores, or say how far one is",
		Example: "  snapexport snapshot jobs\n  snapexport snapshot jobs --job 4611686018427387904 --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("give one TARGET collection or none")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return r.call(ctx, func(c *client.Client) error {
				var jobs []client.Job
				var err error
				if id != 0 {
					var j client.Job
					j, err = c.RestoreState(ctx, id)
					jobs = []client.Job{j}
				} else {
					jobs, err = c.RestoreJobs(ctx, "", append(args, "")[0])
				}
				if err != nil {
					return err
				}
				return r.showJobs(jobs)
			})
		},
	}
	cmd.Flags().Int64Var(&id, "job", 0, "the job with this `NUMBER`")
	return cmd
}

func (r *remote) showJobs(jobs []client.Job) error {
	if r.app.json {
		return r.app.printJSON(map[string]any{"jobs": jobs})
	}
	if len(jobs) == 0 {
		fmt.Fprintln(r.app.out, "no restores")
		return nil
	}
	t := newTable("job", "snapshot", "target", "state", ">progress", ">time", "")
	for _, j := range jobs {
		t.AppendRow(table.Row{j.ID, j.Snapshot, cmp.Or(j.Database, "default") + "." + j.Collection, j.State, fmt.Sprintf("%d %%", j.Progress), j.Cost.Round(time.Millisecond), j.Reason})
	}
	_, err := fmt.Fprintln(r.app.out, t.Render())
	return err
}
