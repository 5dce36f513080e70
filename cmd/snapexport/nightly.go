package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// nightlyFlags make an export take a snapshot of its own, and drop it afterwards.
type nightlyFlags struct {
	ttl  time.Duration // 0: the SOURCE is a snapshot
	name string
	keep bool
}

// Bounds of --snapshot-ttl: what can be renewed in time, and what Milvus takes.
const (
	shortestTTL = 2 * time.Second
	longestTTL  = 720 * time.Hour
)

func (n *nightlyFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&n.ttl, "snapshot-ttl", 0, "of a SOURCE milvus://HOST/COLLECTION: flush, make a snapshot, export it, drop it; after `TIME` (2h, at most 720h) the server lets go of it even if this program is killed")
	f.StringVar(&n.name, "snapshot-name", "", "`NAME` of that snapshot and of its tag in the table (default: nightly_YYYYMMDD_HHMMSS, in UTC)")
	f.BoolVar(&n.keep, "keep-snapshot", false, "leave that snapshot in Milvus, also after a failure")
	complete(cmd, "snapshot-ttl")
	complete(cmd, "snapshot-name")
}

func (n *nightlyFlags) check(cmd *cobra.Command, source, target string, dryRun bool) error {
	if !cmd.Flags().Changed("snapshot-ttl") {
		if n.name != "" || n.keep {
			return usage("--snapshot-name and --keep-snapshot go with --snapshot-ttl")
		}
		return nil
	}
	if n.ttl < shortestTTL || n.ttl > longestTTL {
		return usage("--snapshot-ttl is %v: a time from %v to %v is needed", n.ttl, shortestTTL, longestTTL)
	}
	if _, err := describe.ParseCollection(source); err != nil {
		return usageError{fmt.Errorf("with --snapshot-ttl the SOURCE is a collection of a running Milvus: %w", err)}
	}
	switch {
	case dryRun:
		return usage("--dry-run changes nothing, and --snapshot-ttl makes a snapshot")
	case target == "" && !n.keep:
		return usage("--to is missing: the snapshot's own table would be dropped with it")
	}
	return nil
}

// parse takes the SOURCE apart.
func (n *nightlyFlags) parse(source string) (describe.Source, error) {
	if n.ttl > 0 {
		return describe.ParseCollection(source)
	}
	return describe.Parse(source)
}

// nightly is a snapshot that an export makes for itself.
type nightly struct {
	app    *app
	client *client.Client
	src    describe.Source // with the name of the snapshot
	mark   string          // its description, by which it is known again
	keep   bool
}

// findFor is find, for a SOURCE whose snapshot may still have to be made.
func (a *app) findFor(ctx context.Context, source string, n nightlyFlags) (*describe.Snapshot, *held, error) {
	if n.ttl > 0 {
		return a.findFresh(ctx, source, n)
	}
	return a.find(ctx, source)
}

// findFresh makes a snapshot of the collection that source names and finds it; see find. The release drops it.
func (a *app) findFresh(ctx context.Context, source string, n nightlyFlags) (*describe.Snapshot, *held, error) {
	src, err := describe.ParseCollection(source)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.connect(ctx, src.Endpoints[0], src.User, src.Database, src.TLS)
	if err != nil {
		return nil, nil, err
	}
	src.Snapshot = cmp.Or(n.name, "nightly_"+a.now().UTC().Format("20060102_150405"))
	s := &nightly{app: a, client: c, src: src, mark: "of snapexport export, run " + runID(), keep: n.keep}
	if err := s.make(ctx); err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	h, err := a.hold(ctx, src, n.ttl)
	if err != nil {
		s.end(ctx)
		return nil, nil, err
	}
	unpin := h.release
	h.release = sync.OnceFunc(func() {
		unpin()
		s.end(ctx)
	})
	snap, err := a.resolveHeld(ctx, h)
	return snap, h, err
}

// make flushes the collection and makes the snapshot. After an error there is none.
func (s *nightly) make(ctx context.Context) error {
	task, err := s.client.Flush(ctx, client.NewFlushOption(s.src.Collection))
	if err != nil {
		return err
	}
	if err := task.Await(ctx); err != nil {
		return err
	}
	// of a call that is cut off nobody would know what came of it
	calling, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err = s.client.CreateSnapshot(calling, client.NewCreateSnapshotOption(s.src.Snapshot, s.src.Collection).WithDescription(s.mark))
	if err != nil && !errors.Is(err, fault.ErrConflict) { // a name that is taken: it is another's
		s.undo(ctx)
	}
	return err
}

// undo drops the snapshot if the call that failed made it all the same.
func (s *nightly) undo(ctx context.Context) {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	found, err := s.client.DescribeSnapshot(looking, client.NewDescribeSnapshotOption(s.src.Snapshot).WithCollection(s.src.Collection))
	switch {
	case err == nil && found.Description == s.mark:
		s.drop(ctx)
	case errors.Is(err, client.ErrUnavailable):
		s.warn(fmt.Sprintf("it is not known whether snapshot %s of %s was made (%v); if it was,", s.src.Snapshot, s.src.Collection, err))
	}
}

// dropTime bounds the calls that drop the snapshot, which must also happen when the context of the work is done.
const (
	dropTime  = 30 * time.Second
	dropTries = 3
)

// end drops the snapshot, or says that it stays.
func (s *nightly) end(ctx context.Context) {
	defer s.client.Close()
	if s.keep {
		s.warn(fmt.Sprintf("%s of %s is kept;", s.src.Snapshot, s.src.Collection))
		return
	}
	s.drop(ctx)
}

// drop drops the snapshot. A failure is a warning: what was exported is right without it.
func (s *nightly) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	err := s.dropOnce(ctx)
	for try := 1; try < dropTries && errors.Is(err, client.ErrUnavailable) && objstore.Sleep(ctx, time.Second) == nil; try++ {
		err = s.dropOnce(ctx)
	}
	if err != nil {
		s.warn(fmt.Sprintf("%s of %s could not be dropped: %v;", s.src.Snapshot, s.src.Collection, err))
	}
}

func (s *nightly) dropOnce(ctx context.Context) error {
	return s.client.DropSnapshot(ctx, client.NewDropSnapshotOption(s.src.Snapshot).WithCollection(s.src.Collection))
}

// warn adds the command that drops the snapshot.
func (s *nightly) warn(what string) {
	uri := s.src.Endpoints[0]
	if s.src.TLS {
		uri = "https://" + uri
	}
	command := []string{"snapexport snapshot drop", s.src.Snapshot, "--collection", s.src.Collection, "--uri", uri}
	if s.src.Database != "" {
		command = append(command, "--db", s.src.Database)
	}
	if s.src.User != "" {
		command = append(command, "--user", s.src.User)
	}
	s.app.warn([]describe.Warning{{Kind: "snapshot", Message: what + " drop it with: " + strings.Join(command, " ")}})
}
