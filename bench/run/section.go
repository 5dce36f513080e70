package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// dataset is what command dataset says of a folder.
type dataset struct {
	Input
	dir string
}

// id is the folder's name, such as D1-v2-plain.
func (d *dataset) id() string { return filepath.Base(d.dir) }

// source is the collection as snapexport names it.
func (d *dataset) source() string {
	return "etcd+file:" + filepath.Join(d.dir, "etcd.json") + "?storage=" + d.dir + "#bench"
}

// packed tells whether the rows lie in column groups that are Parquet files.
func (d *dataset) packed() bool { return d.Params.Storage == "v2" || d.Params.Storage == "v2-plain" }

// scripted tells whether the script over pyarrow reads the storage version.
func (d *dataset) scripted() bool { return d.Params.Storage == "v1" || d.packed() }

// datasets returns those below the folder, by name.
func datasets(dir string) (out []*dataset, err error) {
	notes, err := filepath.Glob(filepath.Join(dir, "*", "dataset.json"))
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		d := &dataset{dir: filepath.Dir(note)}
		b, err := os.ReadFile(note)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &d.Input); err != nil {
			return nil, fmt.Errorf("%s: %w", note, err)
		}
		if d.Params.Workload != "" { // else made by an older version of the command
			out = append(out, d)
		}
	}
	return out, nil
}

// warm reads the files once, so that no case finds them colder than another.
func (d *dataset) warm() error {
	return filepath.WalkDir(d.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, f)
		return err
	})
}

// section is what is measured over one data set.
type section struct {
	id, title, text string
	data            *dataset // nil if there is none of ours
	out             string   // folder for what the cases write
	cases           []*Case
	goals           []goal
	deletes         int64 // of the data, where they are what counts
	// start makes ready what the cases need; what it returns ends that. Optional.
	start func(context.Context, *section) (stop func(), err error)
	// finish completes the cases after they were measured. Optional.
	finish func(*section) error
	// report returns figures that another program has measured. Optional.
	report func(context.Context) ([]Row, []Goal, error)
}

// measure runs the rounds.
func (s *section) measure(ctx context.Context, o options, known comparisons) (Section, error) {
	if s.start != nil {
		stop, err := s.start(ctx, s)
		if err != nil {
			return Section{}, err
		}
		defer stop()
	}
	if s.data != nil {
		if err := s.data.warm(); err != nil {
			return Section{}, err
		}
	}
	for round := range o.runs {
		for _, c := range s.cases {
			if c.most > 0 && round >= c.most {
				continue
			}
			if err := s.once(ctx, o, c, round, known); err != nil {
				return Section{}, err
			}
		}
	}
	if s.finish != nil {
		if err := s.finish(s); err != nil {
			return Section{}, err
		}
	}
	done := s.results(known)
	if s.report != nil {
		rows, goals, err := s.report(ctx)
		if err != nil {
			return Section{}, err
		}
		done.Rows, done.Goals = append(done.Rows, rows...), append(done.Goals, goals...)
	}
	return done, nil
}

// once runs one case in one round; in the first, what it wrote is compared.
func (s *section) once(ctx context.Context, o options, c *Case, round int, known comparisons) (err error) {
	table := filepath.Join(s.out, "table")
	defer func() { err = errors.Join(err, os.RemoveAll(table)) }()
	m, err := c.once(ctx, table)
	if err != nil {
		return err
	}
	c.Measured = append(c.Measured, m)
	fmt.Fprintf(os.Stderr, "%-16s round %d: %-52s %7.2f s %7.2f CPU s %6d MB (load %.1f)\n", s.id, round+1, c.Name, m.Wall, m.CPU(), m.Peak>>20, m.Load)
	if round > 0 || c.kind != kindExport {
		return nil
	}
	return known.check(ctx, o, s.data, c.Name, table)
}

// comparisons are the rows of collections, by workload and number of rows: they are the same in every storage version.
type comparisons map[string]*Comparison

func (d *dataset) rowsID() string {
	return fmt.Sprint(d.Params.Workload, " ", d.Params.Rows, " ", d.Params.Seed)
}

// check fails unless the export wrote the same rows as those before it, as many as are live.
func (known comparisons) check(ctx context.Context, o options, d *dataset, name, table string) error {
	text, err := exec.CommandContext(ctx, o.python, "bench/peers/compare.py", table).Output()
	if err != nil {
		return fmt.Errorf("compare %s: %w", name, err)
	}
	var got Comparison
	if err := json.Unmarshal(text, &got); err != nil {
		return err
	}
	first := known[d.rowsID()]
	if first == nil {
		first = &got
		known[d.rowsID()] = first
	}
	if first.By = append(first.By, d.id()+": "+name); got.Rows != d.Live || got.Hash != first.Hash {
		return fmt.Errorf("%s wrote %d rows with hash %s; %d are live, %s wrote %s", name, got.Rows, got.Hash, d.Live, first.By[0], first.Hash)
	}
	return nil
}

// find returns the case of that name, or nil.
func (s *section) find(name string) *Case {
	i := slices.IndexFunc(s.cases, func(c *Case) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return s.cases[i]
}
