package main

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/vortex"
)

// app is one invocation: where it reads and prints, and the flags that all verbs share.
type app struct {
	out, errs io.Writer
	getenv    func(string) string
	now       func() time.Time

	fault      func(point string) error // called at every step of the server; tests end the process there, nothing else sets it
	leastGrace time.Duration            // that the server's garbage collection takes

	ready    bool // the command line is understood, a verb begins
	json     bool
	progress string
	memory   string
	tempDir  string
	config   string

	passwordFile string

	stores      []string
	s3          objstore.Settings
	s3PathStyle string
	maps        []string
	allow       []string

	opener *objstore.Opener
	budget *reader.Budget
	vortex *vortex.Helper // nil: Vortex files are refused
}

func newApp() *app {
	return &app{out: os.Stdout, errs: os.Stderr, getenv: os.Getenv, now: time.Now, leastGrace: time.Minute}
}

// usageError is a mistake on the command line: exit code 2.
type usageError struct{ error }

// Unwrap lets the hint of the error inside be found.
func (u usageError) Unwrap() error { return u.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "snapexport",
		Short: "Export Milvus snapshots to Iceberg and Parquet without touching the cluster",
		Long: `snapexport finds a Milvus snapshot in a bucket, a backup or a cluster's metadata, reads its segments
with deletions applied, and registers the live rows as an Iceberg table (or plain Parquet files)
that Spark, DuckDB, pyiceberg and others read.

` + exitCodes,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.setUp() },
	}
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", a.json, "print the result as JSON; errors and progress become JSON lines on standard error")
	f.StringVar(&a.progress, "progress", "auto", "progress on standard error, `HOW`: auto, bar, json or none")
	f.StringVar(&a.memory, "memory", "1GiB", "bound of the process's memory, a `SIZE` such as 512MiB")
	f.StringVar(&a.tempDir, "temp-dir", "", "`DIR` of temporary files for deletes and keys that do not fit into memory (default: TMPDIR, else /tmp)")
	f.StringVar(&a.config, "config", "", "`FILE` with settings (default: snapexport.yaml, if there is one)")
	f.StringArrayVar(&a.stores, "store", nil, "`SETTINGS` of one bucket: s3://BUCKET=endpoint=...,region=...,path-style=..., profile=...,credentials=env:PREFIX (repeatable)")
	f.StringVar(&a.s3.Endpoint, "s3-endpoint", "", "`URL` of the S3 server (default: AWS_ENDPOINT_URL, else AWS)")
	f.StringVar(&a.s3.Region, "s3-region", "", "`REGION` of S3 (default: AWS_REGION)")
	f.StringVar(&a.s3PathStyle, "s3-path-style", "", "`BOOL`: buckets are in paths, not in host names (default: true if an endpoint is set)")
	f.StringVar(&a.s3.Profile, "s3-profile", "", "`NAME` of a profile of the shared AWS configuration")
	f.StringArrayVar(&a.maps, "map", nil, "where a bucket's objects are found now, `BUCKET=PLACE`: s3://NAME=DIR-OR-URI (repeatable)")
	f.StringArrayVar(&a.allow, "allow-prefix", nil, "`URI` or key prefix outside of the snapshot's root under which its files may lie (repeatable)")
	f.StringVar(&a.passwordFile, "password-file", "", "`FILE` with the password for a Milvus (default: SNAPEXPORT_PASSWORD; a token: SNAPEXPORT_TOKEN)")
	root.AddCommand(a.snapshotCommand(), a.listCommand(), a.describeCommand(), a.exportCommand(), a.catCommand(), a.verifyCommand(), a.catalogCommand(), a.storeCommand(), a.versionCommand())
	root.AddCommand(a.serverCommands()...)
	complete(root, "progress", "auto", "bar", "json", "none")
	wrapUsage(root)
	return root
}

// wrapUsage makes the help texts fit terminals.
func wrapUsage(root *cobra.Command) {
	const width = 100
	cobra.AddTemplateFunc("wrapped", func(f *pflag.FlagSet) string { return strings.TrimRight(f.FlagUsagesWrapped(width), "\n ") })
	t := root.UsageTemplate()
	for _, kind := range []string{"LocalFlags", "InheritedFlags"} {
		t = strings.ReplaceAll(t, "."+kind+".FlagUsages | trimTrailingWhitespaces", "wrapped ."+kind)
	}
	root.SetUsageTemplate(t)
}

// setUp turns the shared flags into what verbs use.
func (a *app) setUp() error {
	bytes, err := parseBytes(a.memory)
	if err != nil {
		return usage("--memory: %w", err)
	}
	if bytes < minMemory {
		return usage("--memory is %s, at least %d MiB are needed", a.memory, minMemory>>20)
	}
	switch a.progress {
	case "auto", "bar", "json", "none":
	default:
		return usage("--progress is %q: there are auto, bar, json and none", a.progress)
	}
	if a.tempDir == "" {
		a.tempDir = os.TempDir()
	}
	// the runtime collects harder near the limit; the rest is room for what the budget does not see
	heap := bytes - programMemory
	debug.SetMemoryLimit(heap * 8 / 10)
	a.budget = reader.NewBudget(heap / 2)
	config, err := a.storeConfig()
	if err != nil {
		return err
	}
	if bytes < shortMemory {
		debug.SetGCPercent(50)
		config.PartSize, config.Parallel = cmp.Or(config.PartSize, 5<<20), cmp.Or(config.Parallel, 1)
	}
	a.opener = objstore.NewOpener(config)
	a.ready = true
	return nil
}

const (
	programMemory = 76 << 20 // resident pages of the program itself, which the runtime does not count
	minMemory     = 128 << 20
	shortMemory   = 512 << 20 // below it, uploads buffer less, and the collector runs more often
)

func (a *app) storeConfig() (objstore.Config, error) {
	settings := a.s3
	if a.s3PathStyle != "" {
		v, err := strconv.ParseBool(a.s3PathStyle)
		if err != nil {
			return objstore.Config{}, usage("--s3-path-style is %q, not true or false", a.s3PathStyle)
		}
		settings.PathStyle = &v
	}
	config := objstore.Config{Settings: settings, Buckets: map[string]objstore.Settings{}, Getenv: a.getenv, Retry: objstore.DefaultRetry(mathrand.Float64)}
	for _, text := range a.stores {
		bucket, s, err := objstore.ParseStoreFlag(text)
		if err != nil {
			return config, usageError{err}
		}
		config.Buckets[bucket] = s
	}
	file, err := a.readConfig()
	if err != nil {
		return config, err
	}
	return config, file.Apply(&config) // flags stay
}

// describeOptions gives describe what the shared flags say.
func (a *app) describeOptions() (describe.Options, error) {
	opts := describe.Options{Opener: a.opener, AllowPrefixes: a.allow, Vortex: a.vortex != nil, EtcdPassword: objstore.Secret(a.getenv("SNAPEXPORT_ETCD_PASSWORD"))}
	var err error
	if opts.EtcdTLS, err = etcdFilesOf(a.getenv).config(); err != nil {
		return opts, usage("SNAPEXPORT_ETCD_CACERT, SNAPEXPORT_ETCD_CERT, SNAPEXPORT_ETCD_KEY: %w", err)
	}
	for _, m := range a.maps {
		parsed, err := describe.ParseMap(m)
		if err != nil {
			return opts, usageError{err}
		}
		opts.Maps = append(opts.Maps, parsed)
	}
	return opts, nil
}

// printJSON writes one indented object to standard output.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// runID returns a short random id.
func runID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// parseBytes reads "512MiB", "2GB", "1GiB" or a plain number of bytes.
func parseBytes(text string) (int64, error) {
	number, unit := text, int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}} {
		if s, ok := strings.CutSuffix(text, u.suffix); ok {
			number, unit = strings.TrimSpace(s), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fault.Unsupported("parse size", "%q is not a size", text).WithHint("write for example 512MiB")
	}
	return n * unit, nil
}
