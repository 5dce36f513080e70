package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/snapexport/snapexport/client"
)

const rowsUnit = "MB/s" // of the files that are copied

// restoreBy starts the server again and restores the snapshot by one means.
func restoreBy(ctx context.Context, o *options, r *Results, data, how string, from *filled) (err error) {
	s, err := startServer(ctx, o, data, nil, "--restore-by", how)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.stop()) }()
	if from.bytes == 0 {
		if from.files, from.bytes, err = size(filepath.Join(data, "bucket", "files")); err != nil {
			return err
		}
	}
	err = s.restore(ctx, o, r, "local", how, from)
	if err != nil && how == "reflink" && strings.Contains(err.Error(), "reflinks") {
		r.note("restore by reflink: not supported by this file system")
		return nil
	}
	return err
}

// restore measures from the call until the job is completed, and compares the rows of both collections.
func (s *server) restore(ctx context.Context, o *options, r *Results, where, how string, from *filled) error {
	target := "restored_by_" + strings.ReplaceAll(how, " ", "_")
	m, err := s.timed(func() error {
		job, err := s.client.RestoreSnapshot(ctx, client.NewRestoreSnapshotOption(snapshot, target))
		if err != nil {
			return err
		}
		for {
			j, err := s.client.RestoreState(ctx, job)
			switch {
			case err != nil:
				return err
			case j.State == "Failed":
				return fmt.Errorf("restore by %s: %s", how, j.Reason)
			case j.State == "Completed":
				return nil
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	if err != nil {
		return err
	}
	if err := s.load(ctx, target); err != nil {
		return err
	}
	got, err := s.contents(ctx, target, o.rows)
	if err != nil || got != from.contents {
		return fmt.Errorf("restored by %s: %+v, the source has %+v: %w", how, got, from.contents, err)
	}
	r.add(where, "restore, "+how, m, float64(from.bytes)/1e6, rowsUnit)
	return nil
}

// copies are the floor: plain copies of the same files.
func copies(ctx context.Context, r *Results, source, target string) error {
	_, bytes, err := size(source)
	if err != nil {
		return err
	}
	for _, c := range [][2]string{{"cp -r", `cp -r "$1" "$2"`}, {"cp -r and sync -f", `cp -r "$1" "$2" && sync -f "$2"`}} {
		name := c[0]
		cmd := exec.CommandContext(ctx, "sh", "-c", c[1], "sh", source, target)
		m := Measurement{Load: load()}
		begun := time.Now()
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, text)
		}
		m.Wall = time.Since(begun).Seconds()
		m.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		r.add("local", name, m, float64(bytes)/1e6, rowsUnit)
		if err := os.RemoveAll(target); err != nil {
			return err
		}
		syscall.Sync() // what it left to write is not for the next one
	}
	return nil
}

// throughS3 does the same with a bucket.
func throughS3(ctx context.Context, o *options, r *Results, dir string) error {
	env, stop, err := startGateway(ctx, o, dir)
	if err != nil {
		return err
	}
	defer stop()
	data := filepath.Join(dir, "data")
	from, err := fill(ctx, o, r, "S3", data, env, "--bucket", "s3://bench")
	if err != nil {
		return err
	}
	if from.files, from.bytes, err = size(filepath.Join(dir, "buckets", "bench", "files")); err != nil {
		return err
	}
	s, err := startServer(ctx, o, data, env, "--bucket", "s3://bench")
	if err != nil {
		return err
	}
	return firstError(s.restore(ctx, o, r, "S3", "copy within the server", from), s.stop())
}

// size counts the files of logs and indexes below a folder.
func size(dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "snapshots" {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err == nil {
			files++
			bytes += info.Size()
		}
		return err
	})
	return files, bytes, err
}
