package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// printer is how cat prints.
type printer struct {
	format string
	nested bool // JSON columns as JSON, not as text
	limit  int64

	segments []int64 // whose rows are wanted; nil: all
}

func (a *app) catCommand() *cobra.Command {
	var rows rowFlags
	var p printer
	cmd := &cobra.Command{
		Use:   "cat SOURCE",
		Short: "Write a snapshot's live rows to standard output",
		Long: `Write a snapshot's live rows to standard output, in order of segments: as JSON lines, or as an Arrow
IPC stream.

In JSON lines, sparse vectors are objects of index and value, binary values are base64, times are
RFC 3339, and the numbers that JSON does not know are the strings "NaN", "Infinity" and "-Infinity".
JSON columns are text, as in tables; --nested-json embeds them.

` + sourceHelp,
		Example: `  snapexport cat 's3://bucket#docs/latest' --columns id,title --where 'price < 10' --limit 5
  snapexport cat 's3://bucket#docs/latest' --nested-json | jq '.meta.color'
  snapexport cat snapshot.json --format arrow | python -c 'import pyarrow as pa,sys; print(pa.ipc.open_stream(sys.stdin.buffer).read_pandas())'`,
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.format != "ndjson" && p.format != "arrow" {
				return usage("--format is %q: there are ndjson and arrow", p.format)
			}
			if err := rows.useHelper(a); err != nil {
				return err
			}
			snap, release, err := a.resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer release()
			opts, err := rows.options(a, snap)
			if err != nil {
				return err
			}
			scan, err := reader.Open(snap, opts)
			if err != nil {
				return err
			}
			counts, err := a.cat(cmd.Context(), scan, p)
			if err == nil {
				a.warn(scan.Warnings(counts))
			}
			return err
		},
	}
	rows.register(cmd)
	cmd.Flags().Int64Var(&p.limit, "limit", 0, "stop after `N` rows (default: no limit)")
	cmd.Flags().Int64SliceVar(&p.segments, "segments", nil, "`IDS` of the segments whose rows to write, comma-separated (default: all)")
	cmd.Flags().StringVar(&p.format, "format", "ndjson", "`FORMAT`: ndjson or arrow")
	cmd.Flags().BoolVar(&p.nested, "nested-json", false, "in JSON lines, embed JSON fields and $meta as JSON instead of text")
	complete(cmd, "format", "ndjson", "arrow")
	return cmd
}

// errEnough ends a scan that has given as many rows as were asked for.
var errEnough = errors.New("enough rows")

func (a *app) cat(ctx context.Context, scan *reader.Scan, p printer) (total reader.Counts, err error) {
	segments, err := p.wanted(scan)
	if err != nil {
		return total, err
	}
	out := bufio.NewWriterSize(a.out, 1<<20)
	write, finish := p.batches(out, scan)
	left := p.limit
	for _, seg := range segments {
		var counts reader.Counts
		counts, err = scan.Read(ctx, seg, func(batch arrow.RecordBatch) error {
			if p.limit > 0 {
				batch = batch.NewSlice(0, min(left, batch.NumRows()))
				left -= batch.NumRows()
			}
			if err := write(batch); err != nil {
				return err
			}
			if p.limit > 0 && left == 0 {
				return errEnough
			}
			return nil
		})
		total.Add(counts)
		if err != nil {
			break
		}
	}
	if err != nil && !errors.Is(err, errEnough) {
		return total, errors.Join(err, out.Flush())
	}
	return total, errors.Join(finish(), out.Flush())
}

// wanted returns the segments to read. Deletes of others apply to them all the same.
func (p printer) wanted(scan *reader.Scan) ([]*milvus.Segment, error) {
	if p.segments == nil {
		return scan.Segments(), nil
	}
	var out []*milvus.Segment
	for _, id := range p.segments {
		if _, ok := scan.Snapshot().Segment(milvus.SegmentID(id)); !ok {
			return nil, fault.Missing("cat", "the snapshot has no segment %d", id).WithHint("'snapexport describe --segments' lists them")
		}
	}
	for _, seg := range scan.Segments() {
		if slices.Contains(p.segments, int64(seg.ID)) {
			out = append(out, seg)
		}
	}
	return out, nil
}

// batches returns functions that write a batch, and what comes after the last.
func (p printer) batches(out io.Writer, scan *reader.Scan) (write func(arrow.RecordBatch) error, finish func() error) {
	if p.format == "arrow" {
		w := ipc.NewWriter(out, ipc.WithSchema(scan.Schema()))
		return w.Write, w.Close
	}
	w := &jsonLines{out: out}
	if p.nested {
		w.nested = jsonColumns(scan)
	}
	return w.write, func() error { return nil }
}

// jsonColumns returns the names of the columns that hold JSON text.
func jsonColumns(scan *reader.Scan) map[string]bool {
	ids := map[string]bool{}
	for _, f := range scan.Snapshot().Collection.Schema.UserFields() {
		if f.Type == milvus.TypeJSON {
			ids[fmt.Sprint(f.ID)] = true
		}
	}
	out := map[string]bool{}
	for _, f := range scan.Schema().Fields() {
		if id, ok := f.Metadata.GetValue(reader.MetaFieldID); ok && ids[id] {
			out[f.Name] = true
		}
	}
	return out
}
