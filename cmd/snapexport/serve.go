//go:build !slim

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapexport/snapexport/core/server"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// serveFlags are the settings of the server.
type serveFlags struct {
	data, bucket, root     string
	address, metrics       string
	etcd                   []string
	etcdListen, etcdRoot   string
	etcdUser, etcdPassword string // the password's file
	etcdTLS                etcdFiles
	storage, location      string
	restoreBy              string
	noFsync, exports       bool
	gcInterval, gcGrace    time.Duration
	gcDryRun               bool
	auth, anyone           bool
	passwordFile           string
	certificate, key, logs string
}

// serverCommands are the verbs that the slim build leaves out.
func (a *app) serverCommands() []*cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a small Milvus: collections, snapshots and restores, in a bucket in Milvus's own formats",
		Long: `Run a server that Milvus clients connect to: pymilvus 3.0, the Go client, anything that speaks
Milvus's protocol. It keeps collections, takes inserts and deletes, flushes them into segments in
Milvus's own formats, makes snapshots in milliseconds and restores them by copying files. Queries
and searches are exact; there is one process and no replica.

Metadata lies in an embedded etcd (or, with --etcd, in a cluster's), rows that are not flushed in a
write-ahead log, everything else in the bucket. SIGINT and SIGTERM let calls under way finish.

Who may connect: everyone, as in Milvus, which is why the server listens on 127.0.0.1 unless told
otherwise. With --auth, clients must show root's password (token "root:Milvus" unless
--root-password-file says another). Another address is refused without authorization or with the
default password, unless --allow-anyone.

describe_snapshot answers with the root of the snapshot's table, so that the lines of the user guide
work as written: s3a://{s3_location}/binlogs/ is a directory of Parquet files, once 'snapexport export
milvus://HOST/COLLECTION/SNAPSHOT' has made it, or by itself with --export-on-snapshot. --s3-location
metadata gives the key of the metadata file, as Milvus does.`,
		Example: `  snapexport serve
  snapexport serve --data /var/lib/snapexport --bucket s3://lake --root files
  snapexport serve --address 0.0.0.0:19530 --root-password-file /run/secrets/root --tls-cert c.pem --tls-key k.pem

  # in Python, pymilvus 3.0:
  client = MilvusClient(uri="http://localhost:19530", token="root:Milvus")`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("serve takes no arguments")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), f) },
	}
	f.register(cmd)
	return []*cobra.Command{cmd, a.gcCommand()}
}

// registerPlace registers what says where the server's data are.
func (f *serveFlags) registerPlace(v *pflag.FlagSet) {
	v.StringVar(&f.data, "data", "snapexport-data", "`DIR` of etcd, the write-ahead log and, unless --bucket says otherwise, the bucket")
	v.StringVar(&f.bucket, "bucket", "", "`PLACE` of the files, s3://BUCKET or a directory (default: bucket below --data)")
	v.StringVar(&f.root, "root", "files", "`PREFIX` of all keys in the bucket")
	v.StringSliceVar(&f.etcd, "etcd", nil, "`HOST:PORT,...` of an etcd cluster to use instead of the embedded one")
	v.StringVar(&f.etcdUser, "etcd-user", "", "`NAME` of the user of --etcd; the password is in --etcd-password-file or SNAPEXPORT_ETCD_PASSWORD")
	v.StringVar(&f.etcdPassword, "etcd-password-file", "", "`FILE` with the password of --etcd-user")
	v.BoolVar(&f.etcdTLS.on, "etcd-tls", false, "encrypt connections to --etcd; the files below imply it")
	v.StringVar(&f.etcdTLS.ca, "etcd-cacert", "", "`FILE` with the certificates of authorities that etcd's is checked by (PEM; default: the system's)")
	v.StringVar(&f.etcdTLS.certificate, "etcd-cert", "", "`FILE` with the certificate that is shown to etcd (PEM)")
	v.StringVar(&f.etcdTLS.key, "etcd-key", "", "`FILE` with its key (PEM)")
	v.StringVar(&f.etcdRoot, "etcd-root", "", "`PREFIX` of the keys in etcd (default: by-dev/meta, as Milvus)")
}

func (f *serveFlags) register(cmd *cobra.Command) {
	v := cmd.Flags()
	f.registerPlace(v)
	v.StringVar(&f.address, "address", "127.0.0.1:19530", "`HOST:PORT` to listen on; port 0 takes a free one")
	v.StringVar(&f.metrics, "metrics", "127.0.0.1:9091", "`HOST:PORT` of /healthz and /metrics (HTTP, no authorization); empty for none")
	v.StringVar(&f.etcdListen, "etcd-listen", "", "`HOST:PORT` on which other programs may read the embedded etcd (default: none may)")
	v.StringVar(&f.storage, "storage-version", "2", "`VERSION` of the format of new segments: 1 (binlogs), 2 (packed Parquet) or 3 (manifests)")
	v.StringVar(&f.restoreBy, "restore-by", "auto", "`HOW` restores copy files within a directory: auto (reflinks where the file system has them, else copy), copy, reflink, or link, which gives the snapshot's own files second names")
	v.BoolVar(&f.noFsync, "no-fsync", false, "do not wait for the disk: faster, and a crash of the machine may lose what was acknowledged")
	v.StringVar(&f.location, "s3-location", "table", "what describe_snapshot answers as s3_location, `WHAT`: table or metadata")
	v.BoolVar(&f.exports, "export-on-snapshot", false, "make the table of every snapshot, as 'snapexport export milvus://...' does, in the background")
	v.DurationVar(&f.gcInterval, "gc-interval", time.Hour, "`TIME` between two garbage collections; 0 for none")
	v.DurationVar(&f.gcGrace, "gc-grace", 3*time.Hour, "`TIME` that files stay after they were dropped, or written without being used; at least 1m")
	v.BoolVar(&f.gcDryRun, "gc-dry-run", false, "remove no garbage: the log says what would go")
	v.BoolVar(&f.auth, "auth", false, "clients must authenticate")
	v.StringVar(&f.passwordFile, "root-password-file", "", "`FILE` with root's password; implies --auth")
	v.StringVar(&f.certificate, "tls-cert", "", "`FILE` with the server's certificate chain (PEM)")
	v.StringVar(&f.key, "tls-key", "", "`FILE` with its key (PEM)")
	v.BoolVar(&f.anyone, "allow-anyone", false, "listen on other addresses than loopback although anyone, or anyone who knows Milvus's default password, may then do everything")
	v.StringVar(&f.logs, "log-level", "info", "what to log on standard error, `LEVEL`: debug, info, warn or error")
	complete(cmd, "storage-version", "1", "2", "3")
	complete(cmd, "restore-by", "auto", "copy", "reflink", "link")
	complete(cmd, "s3-location", "table", "metadata")
	complete(cmd, "log-level", "debug", "info", "warn", "error")
}

var storageVersions = map[string]int64{"1": milvus.StorageV1, "2": milvus.StorageV2, "3": milvus.StorageV3}

// serveSettings are the flags, checked.
type serveSettings struct {
	*serveFlags
	bucketURI   string
	storage     int64
	means       objstore.Means
	credentials *server.Credentials
	tls         *tls.Config
	cluster     clusterAccess
	log         *slog.Logger
}

func (f *serveFlags) settings(a *app) (*serveSettings, error) {
	s := &serveSettings{serveFlags: f, bucketURI: f.bucket}
	if s.bucketURI == "" {
		s.bucketURI = filepath.Join(f.data, "bucket")
	}
	var known bool
	if s.storage, known = storageVersions[strings.TrimPrefix(strings.ToLower(f.storage), "v")]; !known {
		return nil, usage("--storage-version is %q: there are 1, 2 and 3", f.storage)
	}
	var err error
	if s.means, err = objstore.ParseMeans(f.restoreBy); err != nil {
		return nil, usage("--restore-by is %q: there are auto, copy, reflink and link", f.restoreBy)
	}
	if strings.HasPrefix(s.bucketURI, "s3") && (s.means == objstore.MeansReflink || s.means == objstore.MeansLink) {
		return nil, usage("--restore-by %s is for directories; %s copies within its server", f.restoreBy, s.bucketURI)
	}
	if f.location != "table" && f.location != "metadata" {
		return nil, usage("--s3-location is %q: there are table and metadata", f.location)
	}
	if f.gcInterval < 0 || f.gcGrace < a.leastGrace { // a flush or a restore must have come to its end
		return nil, usage("--gc-interval is at least 0, --gc-grace at least 1m")
	}
	f.root = strings.Trim(f.root, "/")
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logs)); err != nil {
		return nil, usage("--log-level is %q: there are debug, info, warn and error", f.logs)
	}
	options := &slog.HandlerOptions{Level: level}
	if s.log = slog.New(slog.NewTextHandler(a.errs, options)); a.json {
		s.log = slog.New(slog.NewJSONHandler(a.errs, options))
	}
	if err := s.security(); err != nil {
		return nil, err
	}
	if err := s.access(a); err != nil {
		return nil, err
	}
	return s, s.exposure()
}

// security reads the password and the certificate.
func (s *serveSettings) security() error {
	password := server.DefaultPassword
	if s.passwordFile != "" {
		var err error
		if password, err = readPassword("--root-password-file", s.passwordFile); err != nil {
			return err
		}
		s.auth = true
	}
	if s.auth {
		s.credentials = server.NewCredentials(password)
	}
	if (s.certificate == "") != (s.key == "") {
		return usage("--tls-cert and --tls-key go together")
	}
	if s.certificate == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(s.certificate, s.key)
	if err != nil {
		return usage("--tls-cert, --tls-key: %w", err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return nil
}

func readPassword(flag, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usage("%s: %w", flag, err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", usage("%s: the file is empty", flag)
	}
	return password, nil
}

// exposure refuses to listen beyond this machine where anyone could do everything.
func (s *serveSettings) exposure() error {
	host, _, err := net.SplitHostPort(s.address)
	if err != nil {
		return usage("--address: %w", err)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || s.anyone {
		return nil
	}
	switch {
	case s.credentials == nil:
		return usage("--address %s would let anyone who reaches it do everything: give --root-password-file, or --allow-anyone", s.address)
	case s.passwordFile == "" || s.credentials.IsDefault():
		return usage("--address %s with Milvus's default password would let anyone who reaches it do everything: give --root-password-file, or --allow-anyone", s.address)
	}
	if s.tls == nil {
		s.log.Warn("the password crosses the network in clear text: --tls-cert and --tls-key prevent that")
	}
	return nil
}

// greeting says where the server is.
type greeting struct {
	Address        string `json:"address"`
	Metrics        string `json:"metrics,omitempty"`
	Bucket         string `json:"bucket"`
	Root           string `json:"root"`
	Data           string `json:"data"`
	StorageVersion int64  `json:"storage_version"`
	Authorization  bool   `json:"authorization"`
	TLS            bool   `json:"tls"`
}

func (a *app) greet(g greeting) error {
	if a.json {
		line, err := json.Marshal(g)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.out, string(line))
		return err
	}
	scheme, token := "http", ""
	if g.TLS {
		scheme = "https"
	}
	if g.Authorization {
		token = `, token="root:..."`
	}
	fmt.Fprintf(a.out, "snapexport %s listens on %s\n\n", version, g.Address)
	t := newTable()
	for _, row := range [][2]string{{"files", g.Bucket + " below " + g.Root + "/"}, {"data", g.Data}, {"health and metrics", g.Metrics}} {
		if row[1] != "" {
			t.AppendRow([]any{row[0], row[1]})
		}
	}
	_, err := fmt.Fprintf(a.out, "%s\n\nConnect with pymilvus 3.0:\n\n  from pymilvus import MilvusClient\n  client = MilvusClient(uri=\"%s://%s\"%s)\n\nCtrl-C stops it.\n",
		t.Render(), scheme, g.Address, token)
	return err
}

func (a *app) serve(ctx context.Context, f *serveFlags) (err error) {
	s, err := f.settings(a)
	if err != nil {
		return err
	}
	c, err := a.openCore(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		if closed := c.close(); err == nil {
			err = closed
		}
	}()
	return a.listen(ctx, s, c)
}
