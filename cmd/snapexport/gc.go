//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/core/gc"
	"github.com/snapexport/snapexport/fault"
)

const opCollect = "collect garbage"

func (a *app) gcCommand() *cobra.Command {
	f := &serveFlags{address: "127.0.0.1:0", storage: "2", restoreBy: "auto", location: "table", logs: "warn"}
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove what a stopped server does not need any more, or show what that is",
		Long: `Remove the files of dropped segments, indexes and collections, of snapshots that were not finished,
and what crashes left, once: what 'snapexport serve' does by itself every hour. Whatever a snapshot
needs stays, and so do files that are younger than --grace.

The server must be stopped: it has the metadata for itself. Of a running server, 'snapexport serve
--gc-dry-run' logs what it would remove.`,
		Example: `  snapexport gc --data /var/lib/snapexport --dry-run
  snapexport gc --data /var/lib/snapexport --bucket s3://lake --grace 10m --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("gc takes no arguments")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.collect(cmd.Context(), f, dryRun) },
	}
	v := cmd.Flags()
	f.registerPlace(v)
	v.DurationVar(&f.gcGrace, "grace", 3*time.Hour, "`TIME` that files stay after they were dropped, or written without being used; at least 1m")
	v.BoolVar(&dryRun, "dry-run", false, "remove nothing, show what would go")
	return cmd
}

// collect makes one sweep over the data of a stopped server.
func (a *app) collect(ctx context.Context, f *serveFlags, dryRun bool) (err error) {
	if f.gcGrace < a.leastGrace {
		return usage("--grace is %s, at least 1m", f.gcGrace)
	}
	s, err := f.settings(a)
	if err != nil {
		return err
	}
	if err := s.thereAlready(); err != nil {
		return err
	}
	c, err := a.openStores(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		if closed := c.close(); err == nil {
			err = closed
		}
	}()
	if err := c.snapshots.LoadReferences(ctx); err != nil {
		return err
	}
	report, err := gc.New(c.meta, c.files, c.snapshots, gc.Config{Root: s.root, Grace: s.gcGrace, Now: a.now, Log: s.log, Fault: a.fault}).Sweep(ctx, dryRun)
	if err != nil && ctx.Err() != nil {
		return err
	}
	return errors.Join(err, a.showGarbage(report))
}

// thereAlready refuses directories that no server has made: none is made by a look at its garbage.
func (s *serveSettings) thereAlready() error {
	var dirs []string
	if len(s.etcd) == 0 {
		dirs = append(dirs, filepath.Join(s.data, "etcd"))
	}
	if !strings.HasPrefix(s.bucketURI, "s3") {
		dirs = append(dirs, strings.TrimPrefix(s.bucketURI, "file://"))
	}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fault.Missing(opCollect, "no server has made this directory").On(dir).WithHint("--data and --bucket are those of 'snapexport serve'")
		}
	}
	return nil
}

func (a *app) showGarbage(r gc.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	did := "removed"
	if r.DryRun {
		did = "would remove"
		for _, key := range r.Keys {
			fmt.Fprintln(a.out, key)
		}
		if more := r.Files - len(r.Keys); more > 0 {
			fmt.Fprintf(a.out, "... and %d more\n", more)
		}
	}
	_, err := fmt.Fprintf(a.out, "%s %d files of %s: %d segments, %d indexes, %d files of nothing; %d unfinished snapshots\nkept: %d that snapshots need, %d within the grace time\n",
		did, r.Files, size(r.Bytes), r.Segments, r.Builds, r.Orphans, r.Snapshots, r.Kept, r.Waiting)
	return err
}
