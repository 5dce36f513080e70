package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/client"
)

// remote is the Milvus that the snapshot verbs talk to.
type remote struct {
	app                 *app
	uri, user, database string
}

func (a *app) snapshotCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Create, list, describe, restore, pin and drop snapshots of a Milvus, by gRPC",
		Long: `Create, list, describe, restore, pin and drop snapshots of a running Milvus 3.0, or of 'snapexport
serve'. Names of snapshots are unique within a collection; where --collection is left out, the server
is searched for the one collection that has such a snapshot.`,
		Example: `  snapexport snapshot create backup_20240101 my_collection --description "January 1st" --flush
  snapexport snapshot restore backup_20240101 restored_collection --wait
  snapexport snapshot drop backup_20240101`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
	f := cmd.PersistentFlags()
	f.StringVar(&r.uri, "uri", "", "`ADDRESS` of the Milvus, HOST[:PORT] or http[s]://... (default: SNAPEXPORT_URI, else localhost:19530)")
	f.StringVar(&r.user, "user", "", "`NAME` to log in with (default: root, if there is a password)")
	f.StringVar(&r.database, "db", "", "`NAME` of the collection's database")
	cmd.AddCommand(r.create(), r.list(), r.describe(), r.drop(), r.restore(), r.jobs(), r.pin(), r.unpin())
	return cmd
}

// call runs a verb's work with a connection.
func (r *remote) call(ctx context.Context, work func(*client.Client) error) error {
	uri := r.uri
	if uri == "" {
		uri = r.app.getenv("SNAPEXPORT_URI")
	}
	if uri == "" {
		uri = "localhost"
	}
	c, err := r.app.connect(ctx, uri, r.user, r.database, false)
	if err != nil {
		return err
	}
	defer c.Close()
	return work(c)
}

// exactly checks the number of arguments; what says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("give %s", what)
		}
		return nil
	}
}

// say prints the result: an object with --json, else a sentence.
func (r *remote) say(v any, format string, args ...any) error {
	if r.app.json {
		return r.app.printJSON(v)
	}
	_, err := fmt.Fprintf(r.app.out, format+"\n", args...)
	return err
}

func (r *remote) create() *cobra.Command {
	var description string
	var protect time.Duration
	var flush bool
	cmd := &cobra.Command{
		Use:   "create NAME COLLECTION",
		Short: "Make a snapshot of what is flushed",
		Long: `Make a snapshot of a collection: metadata alone, in milliseconds. Rows that are not flushed are not in
it; --flush flushes first.`,
		Example: "  snapexport snapshot create backup_20240101 my_collection --flush",
		Args:    exactly(2, "a NAME and a COLLECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.call(cmd.Context(), func(c *client.Client) error {
				if flush {
					task, err := c.Flush(cmd.Context(), client.NewFlushOption(args[1]))
					if err != nil {
						return err
					}
					if err := task.Await(cmd.Context()); err != nil {
						return err
					}
				}
				o := client.NewCreateSnapshotOption(args[0], args[1]).WithDescription(description).WithCompactionProtection(protect)
				if err := c.CreateSnapshot(cmd.Context(), o); err != nil {
					return err
				}
				s, err := c.DescribeSnapshot(cmd.Context(), client.NewDescribeSnapshotOption(args[0]).WithCollection(args[1]))
				if err != nil {
					return err
				}
				return r.say(s, "snapshot %s of %s: %s", s.Name, s.Collection, s.S3Location)
			})
		},
	}
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` kept with the snapshot")
	cmd.Flags().DurationVar(&protect, "protect", 0, "keep the server from compacting the segments for a `TIME` such as 24h, at most 168h")
	cmd.Flags().BoolVar(&flush, "flush", false, "flush the collection first")
	return cmd
}

func (r *remote) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list [COLLECTION]",
		Short:   "List the snapshots of a collection, or of the database",
		Example: "  snapexport snapshot list my_collection",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("give one COLLECTION or none")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.call(cmd.Context(), func(c *client.Client) error {
				o := client.NewListSnapshotsOption()
				if len(args) > 0 {
					o.WithCollection(args[0])
				}
				all, err := c.ListSnapshots(cmd.Context(), o)
				if err != nil {
					return err
				}
				if r.app.json {
					return r.app.printJSON(map[string]any{"snapshots": all})
				}
				if len(all) == 0 {
					fmt.Fprintln(r.app.out, "no snapshots")
					return nil
				}
				t := newTable("collection", "snapshot")
				for _, l := range all {
					t.AppendRow(table.Row{l.Collection, l.Name})
				}
				_, err = fmt.Fprintln(r.app.out, t.Render())
				return err
			})
		},
	}
}

func (r *remote) describe() *cobra.Command {
	var collection string
	cmd := &cobra.Command{
		Use:     "describe NAME",
		Short:   "Say where a snapshot is, as the server tells",
		Long:    "Say where a snapshot is, as the server tells. 'snapexport describe' reads its files and says what is in it.",
		Example: "  snapexport snapshot describe backup_20240101 --json",
		Args:    exactly(1, "a NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.call(cmd.Context(), func(c *client.Client) error {
				s, err := c.DescribeSnapshot(cmd.Context(), client.NewDescribeSnapshotOption(args[0]).WithCollection(collection))
				if err != nil {
					return err
				}
				if r.app.json {
					return r.app.printJSON(s)
				}
				t := newTable()
				t.AppendRow(table.Row{"snapshot", s.Name})
				t.AppendRow(table.Row{"collection", s.Collection})
				if s.Description != "" {
					t.AppendRow(table.Row{"description", s.Description})
				}
				t.AppendRow(table.Row{"created", fmt.Sprintf("%s (TSO %d)", s.CreateTS.Time().Format(time.RFC3339), s.CreateTS)})
				for i, p := range s.Partitions {
					label := ""
					if i == 0 {
						label = "partitions"
					}
					t.AppendRow(table.Row{label, p})
				}
				t.AppendRow(table.Row{"s3_location", s.S3Location})
				_, err = fmt.Fprintln(r.app.out, t.Render())
				return err
			})
		},
	}
	collectionFlag(cmd, &collection)
	return cmd
}

func collectionFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "collection", "", "`NAME` of the snapshot's collection (default: the one that has such a snapshot)")
}

func (r *remote) drop() *cobra.Command {
	var collection string
	cmd := &cobra.Command{
		Use:     "drop NAME",
		Short:   "Drop a snapshot",
		Example: "  snapexport snapshot drop backup_20240101 --collection my_collection",
		Args:    exactly(1, "a NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.call(cmd.Context(), func(c *client.Client) error {
				if err := c.DropSnapshot(cmd.Context(), client.NewDropSnapshotOption(args[0]).WithCollection(collection)); err != nil {
					return err
				}
				return r.say(map[string]string{"dropped": args[0]}, "dropped %s", args[0])
			})
		},
	}
	collectionFlag(cmd, &collection)
	return cmd
}

func (r *remote) pin() *cobra.Command {
	var collection string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "pin NAME",
		Short: "Keep a snapshot from being dropped for a time",
		Long: `Keep a snapshot from being dropped for a time, while its files are read by something else. Verbs that
read milvus://... pin by themselves.`,
		Example: "  snapexport snapshot pin backup_20240101 --ttl 2h",
		Args:    exactly(1, "a NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ttl <= 0 {
				return usage("--ttl is %v: a pin needs an end, or a program that dies leaves a snapshot that can't be dropped", ttl)
			}
			return r.call(cmd.Context(), func(c *client.Client) error {
				id, err := c.PinSnapshot(cmd.Context(), client.NewPinSnapshotOption(args[0], ttl).WithCollection(collection))
				if err != nil {
					return err
				}
				return r.say(map[string]string{"pin_id": strconv.FormatInt(id, 10)}, "%d", id)
			})
		},
	}
	collectionFlag(cmd, &collection)
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "`TIME` after which the pin ends, at most 720h")
	return cmd
}

func (r *remote) unpin() *cobra.Command {
	return &cobra.Command{
		Use:     "unpin PIN",
		Short:   "End a pin",
		Example: "  snapexport snapshot unpin 4611686018427387904",
		Args:    exactly(1, "a PIN, the number that 'snapshot pin' printed"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usage("%q is not the number of a pin", args[0])
			}
			return r.call(cmd.Context(), func(c *client.Client) error {
				if err := c.UnpinSnapshot(cmd.Context(), id); err != nil {
					return err
				}
				return r.say(map[string]string{"unpinned": args[0]}, "unpinned %s", args[0])
			})
		},
	}
}
