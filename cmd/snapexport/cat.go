package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/reader"
)

func (a *app) catCommand() *cobra.Command {
	var rows rowFlags
	var limit int64
	var format string
	cmd := &cobra.Command{
		Use:   "cat SOURCE",
		Short: "Write a snapshot's live rows to standard output",
		Long:  "Write a snapshot's live rows to standard output, as JSON lines or as an Arrow IPC stream, in order of segments.\n\n" + sourceHelp,
		Example: `  snapexport cat 's3://bucket#docs/latest' --columns id,title --where 'price < 10' --limit 5
  snapexport cat snapshot.json --format arrow | python -c 'import pyarrow as pa,sys; print(pa.ipc.open_stream(sys.stdin.buffer).read_pandas())'`,
		Args: oneSource,
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, err := a.resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			opts, err := rows.options(a, snap)
			if err != nil {
				return err
			}
			scan, err := reader.Open(snap, opts)
			if err != nil {
				return err
			}
			return a.cat(cmd.Context(), scan, format, limit)
		},
	}
	rows.register(cmd.Flags())
	cmd.Flags().Int64Var(&limit, "limit", 0, "stop after `n` rows (default: no limit)")
	cmd.Flags().StringVar(&format, "format", "ndjson", "`ndjson` or arrow")
	return cmd
}

// errEnough ends a scan that has given as many rows as were asked for.
var errEnough = errors.New("enough rows")

func (a *app) cat(ctx context.Context, scan *reader.Scan, format string, limit int64) error {
	out := bufio.NewWriterSize(a.out, 1<<20)
	write, finish, err := batchWriter(out, scan.Schema(), format)
	if err != nil {
		return err
	}
	left := limit
	for _, seg := range scan.Segments() {
		_, err = scan.Read(ctx, seg, func(batch arrow.RecordBatch) error {
			if limit > 0 {
				batch = batch.NewSlice(0, min(left, batch.NumRows()))
				left -= batch.NumRows()
			}
			if err := write(batch); err != nil {
				return err
			}
			if limit > 0 && left == 0 {
				return errEnough
			}
			return nil
		})
		if err != nil {
			break
		}
	}
	if err != nil && !errors.Is(err, errEnough) {
		return errors.Join(err, out.Flush())
	}
	return errors.Join(finish(), out.Flush())
}

// batchWriter returns functions that write a batch, and what comes after the last.
func batchWriter(out io.Writer, schema *arrow.Schema, format string) (write func(arrow.RecordBatch) error, finish func() error, err error) {
	switch format {
	case "ndjson":
		return func(b arrow.RecordBatch) error { return array.RecordToJSON(b, out) }, func() error { return nil }, nil
	case "arrow":
		w := ipc.NewWriter(out, ipc.WithSchema(schema))
		return w.Write, w.Close, nil
	}
	return nil, nil, usage("--format is %q: there are ndjson and arrow", format)
}
