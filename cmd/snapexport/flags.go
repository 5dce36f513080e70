package main

import (
	"strconv"
	"strings"

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
	asOf, ttl, onBad          string
	skipFunctionOutputs       bool
}

func (r *rowFlags) register(f *pflag.FlagSet) {
	f.StringSliceVar(&r.columns, "columns", nil, "`fields` to read, comma-separated (default: all)")
	f.StringSliceVar(&r.partitions, "partitions", nil, "`partitions` to read, comma-separated (default: all)")
	f.StringVar(&r.where, "where", "", "`filter` in Milvus's language: 'price < 10 and tag in [\"a\", \"b\"]'")
	f.StringSliceVar(&r.with, "with", nil, "system `columns` to add: partition, segment, ts, time, row-id")
	f.StringVar(&r.metaName, "meta-name", "_meta", "`name` of the column of the dynamic field $meta")
	f.StringVar(&r.asOf, "as-of", "create-ts", "rows and deletes after this do not count: `create-ts`, none, or a TSO")
	f.StringVar(&r.ttl, "ttl", "", "rows past the collection's TTL: `off`, as-of-snapshot or now (default: as-of-snapshot where the source has a time)")
	f.StringVar(&r.onBad, "on-bad-row", string(reader.BadFail), "a value that does not fit its field: `fail`, null (make it NULL) or skip (leave the row out)")
	f.BoolVar(&r.skipFunctionOutputs, "skip-function-outputs", false, "leave out fields that functions computed")
}

// options checks the flags against the snapshot.
func (r *rowFlags) options(a *app, snap *describe.Snapshot) (reader.Options, error) {
	opts := reader.Options{
		Columns: r.columns, Partitions: r.partitions, MetaName: r.metaName, SkipFunctionOutputs: r.skipFunctionOutputs,
		TTL: reader.TTLMode(r.ttl), Now: a.now(), OnBad: reader.BadRows(r.onBad), Budget: a.budget, Opener: a.opener,
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
