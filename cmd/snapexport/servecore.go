//go:build !slim

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // time zones of Timestamptz, also where the system has none

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/gc"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/restore"
	"github.com/snapexport/snapexport/core/server"
	"github.com/snapexport/snapexport/core/snapshot"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// core are the parts of the server, opened.
type core struct {
	meta      *metastore.Store
	files     objstore.Store
	snapshots *snapshot.Service
	engine    *engine.Engine
	restores  *restore.Service
	exporter  *exporter // nil without --export-on-snapshot
	bucket    objstore.Location
}

// openStores opens the files, the metadata and what knows of snapshots.
func (a *app) openStores(ctx context.Context, s *serveSettings) (_ *core, err error) {
	c := &core{}
	defer func() {
		if err != nil {
			_ = c.close() // the first error counts
		}
	}()
	if err := c.openFiles(ctx, a, s); err != nil {
		return nil, err
	}
	if c.meta, err = metastore.Open(ctx, metastore.Config{
		Dir: filepath.Join(s.data, "etcd"), Endpoints: s.etcd, TLS: s.cluster.tls, User: s.etcdUser, Password: s.cluster.password, Listen: s.etcdListen, Root: s.etcdRoot, Storage: s.root, NoFsync: s.noFsync, Now: a.now, Log: s.log, Fault: a.fault,
	}); err != nil {
		return nil, err
	}
	config := snapshot.Config{Root: s.root, NoFsync: s.noFsync, Now: a.now, Random: random, Log: s.log, Fault: a.fault}
	if s.exports {
		c.exporter = newExporter(a, s, c)
		config.Watcher = c.exporter
	}
	c.snapshots = snapshot.New(c.meta, c.files, config)
	return c, nil
}

// openCore opens the parts from the bottom up, and finishes or undoes what a crash left.
func (a *app) openCore(ctx context.Context, s *serveSettings) (_ *core, err error) {
	c, err := a.openStores(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = c.close() // the first error counts
		}
	}()
	if c.engine, err = engine.Open(ctx, c.meta, c.files, engine.Config{
		Dir: s.data, Root: s.root, StorageVersion: s.storage, NoFsync: s.noFsync, CacheBytes: a.budget.Total() / 2, Now: a.now, Log: s.log, Fault: a.fault, Protected: c.snapshots.Protected,
	}); err != nil {
		return nil, err
	}
	if err := c.snapshots.Recover(ctx); err != nil {
		return nil, err
	}
	c.restores = restore.New(c.meta, c.files, c.snapshots, restore.Config{Root: s.root, Means: s.means, NoFsync: s.noFsync, Now: a.now, Log: s.log, Fault: a.fault})
	return c, nil
}

// openFiles opens the bucket, which must be there, or makes the directory.
func (c *core) openFiles(ctx context.Context, a *app, s *serveSettings) error {
	loc, err := objstore.Parse(strings.TrimSuffix(s.bucketURI, "/") + "/x")
	if err != nil {
		return usageError{err}
	}
	loc.Key = strings.TrimSuffix(strings.TrimSuffix(loc.Key, "x"), "/")
	if loc.Key != "" {
		return usage("--bucket is %s: a bucket alone, and --root for what comes after it", s.bucketURI)
	}
	c.bucket = loc
	if dir, local := strings.CutPrefix(loc.Store, "file://"); local {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fault.Missing("open bucket", "%w", err).On(dir)
		}
	}
	if c.files, err = a.opener.Open(ctx, loc.Store); err != nil {
		return err
	}
	for _, err := range c.files.Dirs(ctx, "") { // a bucket that is away shows now
		return err
	}
	return nil
}

// place is the bucket as describe_snapshot names it: "name" of s3://name, or the directory.
func (c *core) place() string {
	_, place, _ := strings.Cut(c.bucket.Store, "://")
	return place
}

func (c *core) close() error {
	var errs []error
	if c.engine != nil {
		errs = append(errs, c.engine.Close())
	}
	if c.meta != nil {
		errs = append(errs, c.meta.Close())
	}
	return errors.Join(errs...)
}

func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// listen answers calls until ctx ends or something fails.
func (a *app) listen(ctx context.Context, s *serveSettings, c *core) error {
	var metrics []prometheus.Collector
	if c.exporter != nil {
		metrics = c.exporter.metrics()
	}
	srv, err := server.New(server.Config{
		Metrics: metrics, Store: c.meta, Engine: c.engine, Snapshots: c.snapshots, Restores: c.restores,
		Bucket: c.place(), Root: s.root, MetadataLocation: s.location == "metadata", Version: version,
		Credentials: s.credentials, TLS: s.tls, Loads: loadFile(filepath.Join(s.data, "loaded.json")), Now: a.now, Log: s.log,
	})
	if err != nil {
		return err
	}
	calls, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	defer calls.Close()
	g := greeting{Address: calls.Addr().String(), Bucket: c.bucket.Store, Root: s.root, Data: s.data, StorageVersion: s.storage, Authorization: s.auth, TLS: s.tls != nil}
	var health net.Listener
	if s.metrics != "" {
		if health, err = net.Listen("tcp", s.metrics); err != nil {
			return err
		}
		defer health.Close()
		g.Metrics = "http://" + health.Addr().String()
	}
	if err := a.greet(g); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if health != nil {
		group.Go(func() error { return serveHTTP(ctx, health, srv.Handler()) })
	}
	group.Go(func() error { return srv.Serve(ctx, calls) })
	group.Go(func() error { return untilDone(ctx, c.restores.Run(ctx)) })
	if c.exporter != nil {
		group.Go(func() error { return untilDone(ctx, c.exporter.run(ctx)) })
	}
	if s.gcInterval > 0 {
		collector := gc.New(c.meta, c.files, c.snapshots, gc.Config{Root: s.root, Grace: s.gcGrace, Interval: s.gcInterval, DryRun: s.gcDryRun, Now: a.now, Log: s.log, Fault: a.fault})
		group.Go(func() error { return untilDone(ctx, collector.Run(ctx)) })
	}
	err = group.Wait()
	s.log.Info("stopped")
	return err
}

// untilDone is nil if the error comes from the end of ctx.
func untilDone(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })() // what is asked of it is read at once
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// loadFile keeps what is loaded in a file.
type loadFile string

func (f loadFile) Read() ([]server.Load, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []server.Load
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fault.Corrupt("read what is loaded", "%w", err).On(string(f)).WithHint("without the file nothing is loaded, and clients load again")
	}
	return out, nil
}

func (f loadFile) Write(all []server.Load) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return writeSynced(string(f), text)
}

// writeSynced replaces a file: after a crash of the machine, too, it is the old one or the new one.
func writeSynced(name string, text []byte) error {
	next := name + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) { // some file systems can't
		return err
	}
	return nil
}
