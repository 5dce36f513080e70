package export

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/datafile"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

// File is a data file that a task wrote.
type File struct {
	Key   string         `json:"key"` // below the table's root
	Stats datafile.Stats `json:"stats"`
}

// Work is what the tasks did.
type Work struct {
	Files  []File
	Counts reader.Counts
	Hash   verify.Hash
	Done   []Done
}

// Done is what one task did.
type Done struct {
	Task   Task
	Files  []File
	Counts reader.Counts
	Hash   verify.Hash
}

// worker writes the files of one task after the other.
type worker struct {
	plan     *Plan
	opts     Options
	scan     *reader.Scan
	form     *form.Form
	schema   *arrow.Schema // the form's, with Iceberg field ids
	table    table
	progress *Progress
	file     datafile.Options
	overlap  bool // a file may be completed while the next is written
	done     Work

	task   Task
	counts reader.Counts // of the task
	serial int
	open   *openFile
	hasher *verify.Hasher

	files      []File         // of the task
	committing chan committed // of the file before; nil: none is
}

// committed is what became of a file.
type committed struct {
	task int // its number in done.Done, of which it may be the next
	file File
	err  error
}

// table is where data files go.
type table struct {
	store objstore.Store
	root  objstore.Location
}

// openFile is a data file being written.
type openFile struct {
	key    string
	upload objstore.Upload
	writer *datafile.Writer

	committing bool // the store was asked to make it visible
}

// runTasks works through all tasks with several workers. On an error it removes the files that were written.
func runTasks(ctx context.Context, scan *reader.Scan, forms *form.Form, plan *Plan, opts Options, t table, schema *arrow.Schema, file datafile.Options, overlap bool, progress *Progress) (Work, error) {
	workers := make([]*worker, min(opts.Workers, max(1, len(plan.Tasks))))
	queue := make(chan Task)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(queue)
		for _, task := range plan.Tasks {
			select {
			case queue <- task:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	for i := range workers {
		w := &worker{plan: plan, opts: opts, scan: scan, form: forms, schema: schema, table: t, progress: progress, file: file, overlap: overlap}
		w.file.Buffers = new(datafile.Buffers)
		workers[i] = w
		g.Go(func() error {
			for task := range queue {
				if err := w.run(gctx, task); err != nil {
					return errors.Join(err, w.settle())
				}
			}
			return w.settle()
		})
	}
	err := g.Wait()
	var all Work
	for _, w := range workers {
		all.Files = append(all.Files, w.done.Files...)
		all.Counts.Add(w.done.Counts)
		all.Hash = all.Hash.Add(w.done.Hash)
		all.Done = append(all.Done, w.done.Done...)
	}
	if err != nil {
		return all, errors.Join(err, t.remove(ctx, all.Files))
	}
	return all, nil
}

// remove deletes data files, also after ctx was cancelled.
func (t table) remove(ctx context.Context, files []File) error {
	if len(files) == 0 {
		return nil
	}
	keys := make([]string, len(files))
	for i, f := range files {
		keys[i] = t.root.Join(f.Key).Key
	}
	return t.store.Delete(context.WithoutCancel(ctx), keys...)
}

// run writes the task's rows.
func (w *worker) run(ctx context.Context, task Task) (err error) {
	w.task, w.counts, w.serial = task, reader.Counts{}, 0
	w.files = nil
	if w.hasher, err = verify.NewHasher(w.scan.Schema()); err != nil {
		return err
	}
	defer func() {
		if w.open != nil {
			err = errors.Join(err, w.drop(ctx, w.open))
			w.open = nil
		}
	}()
	for _, id := range task.Segments {
		seg, ok := w.scan.Snapshot().Segment(id)
		if !ok {
			return fault.Missing("export", "segment %d of the plan is not in the snapshot", id)
		}
		if err := w.segment(ctx, seg); err != nil {
			return err
		}
	}
	if err := w.finish(ctx); err != nil {
		return err
	}
	if !task.Again {
		w.done.Hash = w.done.Hash.Add(w.hasher.Sum())
		w.done.Counts.Add(w.counts)
	}
	w.done.Done = append(w.done.Done, Done{task, w.files, w.counts, w.hasher.Sum()})
	return nil
}

func (w *worker) segment(ctx context.Context, seg *milvus.Segment) error {
	counts, err := w.scan.Read(ctx, seg, func(batch arrow.RecordBatch) error { return w.write(ctx, batch) })
	if err != nil {
		return err
	}
	w.counts.Add(counts)
	w.progress.SegmentsDone.Add(1)
	w.progress.RowsRead.Add(counts.Rows)
	w.progress.BytesRead.Add(counts.Bytes)
	return nil
}

func (w *worker) write(ctx context.Context, batch arrow.RecordBatch) error {
	if err := w.hasher.Add(batch); err != nil {
		return err
	}
	if w.task.Again {
		return nil
	}
	if w.open == nil {
		if err := w.begin(ctx); err != nil {
			return err
		}
	}
	formed, err := w.form.Convert(batch)
	if err != nil {
		return err
	}
	defer formed.Release()
	if err := w.open.writer.Write(formed); err != nil {
		return err
	}
	w.progress.RowsWritten.Add(batch.NumRows())
	if w.open.writer.WrittenBytes()+w.open.writer.BufferedBytes() >= w.opts.TargetFileSize {
		return w.finish(ctx)
	}
	return nil
}

// begin opens the task's next file. Its name is unique over runs, so that a failed run never touches another's files.
func (w *worker) begin(ctx context.Context) error {
	key := fmt.Sprintf("%s-%s-%05d-%03d.parquet", w.plan.ExportID, w.plan.RunID, w.task.ID, w.serial)
	if w.plan.Format == FormatIceberg {
		key = path.Join(w.opts.folder(), key)
	}
	w.serial++
	upload, err := w.table.store.Upload(ctx, w.table.root.Join(key).Key)
	if err != nil {
		return err
	}
	writer, err := datafile.Create(upload, w.schema, w.file)
	if err != nil {
		return errors.Join(err, upload.Abort())
	}
	w.open = &openFile{key: key, upload: upload, writer: writer}
	return nil
}

// drop gives up an open file. Its object is there all the same where the answer to its completion was lost.
func (w *worker) drop(ctx context.Context, f *openFile) error {
	err := f.upload.Abort()
	if f.committing {
		err = errors.Join(err, w.table.remove(ctx, []File{{Key: f.key}}))
	}
	return err
}

// finish completes the open file, if there is one. While the disk or the server takes it, the worker goes on with the next.
func (w *worker) finish(ctx context.Context) error {
	if w.open == nil {
		return nil
	}
	stats, err := w.open.writer.Close()
	if err == nil {
		err = w.settle()
	}
	if err != nil {
		return err
	}
	f, task, done := w.open, len(w.done.Done), make(chan committed, 1)
	w.open, w.committing = nil, done
	go func() {
		err := f.commit(stats)
		if err != nil {
			err = errors.Join(err, w.drop(ctx, f))
		}
		done <- committed{task, File{f.key, stats}, err}
	}()
	if !w.overlap {
		return w.settle()
	}
	return nil
}

// commit makes the file visible.
func (f *openFile) commit(stats datafile.Stats) error {
	f.committing = true
	obj, err := f.upload.Commit()
	if err == nil && obj.Size != stats.Bytes {
		err = fault.Corrupt("write data file", "the store holds %d bytes, %d were written", obj.Size, stats.Bytes).On(strings.TrimPrefix(obj.Key, "/"))
	}
	return err
}

// settle waits for the file that is being completed, if one is. From then on it is there, and is removed if the run fails.
func (w *worker) settle() error {
	if w.committing == nil {
		return nil
	}
	c := <-w.committing
	w.committing = nil
	if c.err != nil {
		return c.err
	}
	w.done.Files = append(w.done.Files, c.file)
	if c.task < len(w.done.Done) {
		earlier := &w.done.Done[c.task]
		earlier.Files = append(earlier.Files, c.file)
	} else {
		w.files = append(w.files, c.file)
	}
	w.progress.BytesWritten.Add(c.file.Stats.Bytes)
	return nil
}
