package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// rowFlags are the flags of all verbs that read rows.
type rowFlags struct {
	columns, partitions, with []string
	metaName, where           string
	asOf, ttl, onBad, text    string
	dedupe                    string
	vortexHelper              string
	skipFunctionOutputs       bool
	checkJSON                 bool
}

func (r *rowFlags) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&r.columns, "columns", nil, "`FIELDS` to read, comma-separated (default: all)")
	f.StringSliceVar(&r.partitions, "partitions", nil, "`NAMES` of partitions to read, comma-separated (default: all)")
	f.StringVar(&r.where, "where", "", "`FILTER` in Milvus's language: 'price < 10 and tag in [\"a\", \"b\"]'")
	f.StringSliceVar(&r.with, "with", nil, "system `COLUMNS` to add: partition, segment, ts, time, row-id")
	f.StringVar(&r.metaName, "meta-name", "_meta", "`NAME` of the column of the dynamic field $meta")
	f.StringVar(&r.asOf, "as-of", "create-ts", "`TIME` after which rows and deletes do not count: create-ts (the snapshot's own), none, or a TSO")
	f.StringVar(&r.ttl, "ttl", "", "`MODE` of the collection's TTL: off, as-of-snapshot or now (default: as-of-snapshot where the source has a time, else off)")
	f.StringVar(&r.dedupe, "dedupe", string(reader.DedupeOff), "`WHICH` of several live rows with one primary key: off (all) or newest")
	f.StringVar(&r.onBad, "on-bad-row", string(reader.BadFail), "`POLICY` for values that do not fit their field: fail, null (the value becomes NULL) or skip (the row is left out)")
	f.StringVar(&r.text, "unreadable-text", string(reader.TextFail), "`POLICY` for long TEXT values in LOB files (storage V3), which are not read: fail or null (the value becomes NULL)")
	f.StringVar(&r.vortexHelper, "vortex-helper", "", "`COMMAND` that turns Vortex files of storage V3 (column groups, long TEXT values) into Arrow; see docs/guide/vortex.md")
	f.BoolVar(&r.checkJSON, "check-json", false, "JSON text that is not JSON does not fit its field (Milvus checks when it takes rows in)")
	f.BoolVar(&r.skipFunctionOutputs, "skip-function-outputs", false, "leave out fields that functions computed")
}

// register adds the flags and the words that a shell completes them with.
func (r *rowFlags) register(cmd *cobra.Command) {
	r.flags(cmd.Flags())
	complete(cmd, "with", "partition", "segment", "ts", "time", "row-id")
	complete(cmd, "as-of", "create-ts", "none")
	complete(cmd, "ttl", string(reader.TTLOff), string(reader.TTLAsOfSnapshot), string(reader.TTLNow))
	complete(cmd, "dedupe", string(reader.DedupeOff), string(reader.DedupeNewest))
	complete(cmd, "on-bad-row", string(reader.BadFail), string(reader.BadNull), string(reader.BadSkip))
	complete(cmd, "unreadable-text", string(reader.TextFail), string(reader.TextNull))
	for _, free := range []string{"columns", "partitions", "where", "meta-name"} {
		complete(cmd, free)
	}
}

// complete makes a shell complete the flag with the words, and never with names of files.
func complete(cmd *cobra.Command, flag string, words ...string) {
	// only an unknown flag is an error, and the tests call all of them
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// options checks the flags against the snapshot.
func (r *rowFlags) options(a *app, snap *describe.Snapshot) (reader.Options, error) {
	opts := reader.Options{
		Reuse:   true,
		Columns: r.columns, Partitions: r.partitions, MetaName: r.metaName, SkipFunctionOutputs: r.skipFunctionOutputs,
		TTL: reader.TTLMode(r.ttl), Now: a.now(), OnBad: reader.BadRows(r.onBad),
		UnreadableText: reader.UnreadableText(r.text), CheckJSON: r.checkJSON, Budget: a.budget, Opener: a.opener,
		Dedupe: reader.Dedupe(r.dedupe), TempDir: a.tempDir,
	}
	if a.vortex != nil {
		opts.Vortex = a.vortex
	}
	for _, name := range r.with {
		s, err := reader.ParseSystem(name)
		if err != nil {
			return opts, usageError{err}
		}
		opts.With = append(opts.With, s)
	}
	if err := r.cut(&opts); err != nil {
		return opts, err
	}
	switch opts.OnBad {
	case reader.BadFail, reader.BadNull, reader.BadSkip:
	default:
		return opts, usage("--on-bad-row is %q: there are fail, null and skip", r.onBad)
	}
	switch opts.Dedupe {
	case reader.DedupeOff, reader.DedupeNewest:
	default:
		return opts, usage("--dedupe is %q: there are off and newest", r.dedupe)
	}
	switch opts.UnreadableText {
	case reader.TextFail, reader.TextNull:
	default:
		return opts, usage("--unreadable-text is %q: there are fail and null", r.text)
	}
	switch opts.TTL {
	case "", reader.TTLOff, reader.TTLAsOfSnapshot, reader.TTLNow:
	default:
		return opts, usage("--ttl is %q: there are off, as-of-snapshot and now", r.ttl)
	}
	if strings.TrimSpace(r.where) == "" {
		return opts, nil
	}
	var err error
	if opts.Where, err = filter.Parse(r.where, &snap.Collection.Schema); err != nil {
		return opts, usageError{err}
	}
	return opts, nil
}

func (r *rowFlags) cut(opts *reader.Options) error {
	switch r.asOf {
	case "create-ts", "":
		return nil
	case "none":
		opts.AsOf = new(milvus.Timestamp)
		return nil
	}
	n, err := strconv.ParseUint(r.asOf, 10, 64)
	if err != nil || n == 0 {
		return usage("--as-of is %q: there are create-ts, none, or a TSO", r.asOf)
	}
	ts := milvus.Timestamp(n)
	opts.AsOf = &ts
	return nil
}
