package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// s3Section exports from a bucket to another, on loopback.
func s3Section(o options, d *dataset, out string) *section {
	root := filepath.Join(out, "s3")
	s := &section{
		id: "s3 " + d.id(), title: "B4 export from S3 to S3, a server on loopback: " + d.title(), data: d, out: filepath.Join(root, "lake"),
		text: "The server stores in files of the same disk; its processor time does not count, though it takes its part of the cores.",
	}
	source := "etcd+file:" + filepath.Join(d.dir, "etcd.json") + "?storage=s3://source#bench"
	for _, workers := range []int{1, 2} {
		c := o.export(d, "parquet", workers)
		c.Command[2], c.Command[4] = source, "s3://lake/table"
		s.cases = append(s.cases, c)
	}
	s.goals = []goal{{ours: oursName("parquet", 2), beside: oursName("parquet", 1), of: ofWall}}
	s.start = func(ctx context.Context, s *section) (func(), error) {
		data, err := filepath.Abs(d.dir)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(s.out, 0o755); err != nil {
			return nil, err
		}
		if err := os.Symlink(data, filepath.Join(root, "source")); err != nil {
			return nil, err
		}
		endpoint, stop, err := startGateway(ctx, o, root, out, filepath.Join(out, "s3.log"))
		if err != nil {
			return nil, fmt.Errorf("S3 server: %w", err)
		}
		for _, c := range s.cases {
			c.env = s3Environment(endpoint)
		}
		return stop, nil
	}
	return s
}
