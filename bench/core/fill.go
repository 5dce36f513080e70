package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/client"
)

// filled is the collection of a round, with a snapshot.
type filled struct {
	folder string // of its binlogs, below the bucket
	files  int
	bytes  int64
	contents
}

const (
	collection = "bench"
	snapshot   = "all"
	smallBatch = 1_000
	largeBatch = 10_000
	lookups    = 200
	createds   = 20
)

// fill starts a server at data, measures everything but restores and stops it. where is put before the names of what is measured.
func fill(ctx context.Context, o *options, r *Results, where, data string, env []string, args ...string) (out *filled, err error) {
	s, err := startServer(ctx, o, data, env, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, s.stop()) }()
	if err := s.create(ctx, collection, dim); err != nil {
		return nil, err
	}
	if err := s.fillRows(ctx, o, r, where); err != nil {
		return nil, err
	}
	if err := s.load(ctx, collection); err != nil {
		return nil, err
	}
	out = &filled{}
	m, err := s.timed(func() (err error) { out.contents, err = s.contents(ctx, collection, o.rows); return err })
	if err != nil || out.Rows != int64(o.rows) {
		return nil, fmt.Errorf("%d rows were read back, %d written: %w", out.Rows, o.rows, err)
	}
	r.add(where, "read all rows with vectors, "+fmt.Sprint(page)+" a call", m, float64(o.rows), "rows/s")
	if where == "local" {
		if err := s.queries(ctx, o, r); err != nil {
			return nil, err
		}
	}
	if err := s.snapshots(ctx, r, where, collection); err != nil {
		return nil, err
	}
	if err := s.client.CreateSnapshot(ctx, client.NewCreateSnapshotOption(snapshot, collection)); err != nil {
		return nil, err
	}
	described, err := s.api.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{CollectionName: collection})
	if err = refused(described.GetStatus(), err); err != nil {
		return nil, err
	}
	shown, err := s.api.ShowPartitions(ctx, &milvuspb.ShowPartitionsRequest{CollectionName: collection})
	if err = refused(shown.GetStatus(), err); err != nil {
		return nil, err
	}
	out.folder = filepath.Join("files", "insert_log", fmt.Sprint(described.CollectionID), fmt.Sprint(shown.PartitionIDs[0]))
	return out, nil
}

// fillRows inserts and flushes the rows: a sixth at a time, the first by small batches.
func (s *server) fillRows(ctx context.Context, o *options, r *Results, where string) error {
	var small, large, flushed Measurement
	share := (o.rows + segments - 1) / segments
	for part := range segments {
		size, total := largeBatch, &large
		if part == 0 {
			size, total = smallBatch, &small
		}
		last := min((part+1)*share, o.rows)
		for first := part * share; first < last; first += size {
			rows := batch(collection, first, min(size, last-first), dim)
			m, err := s.timed(func() error { return s.insert(ctx, rows) })
			if err != nil {
				return err
			}
			total.plus(m)
		}
		m, err := s.timed(func() error { return s.flush(ctx, collection) })
		if err != nil {
			return err
		}
		flushed.plus(m)
	}
	r.add(where, fmt.Sprintf("insert, %d rows a call", smallBatch), small, float64(share), "rows/s")
	r.add(where, fmt.Sprintf("insert, %d rows a call", largeBatch), large, float64(o.rows-share), "rows/s")
	r.add(where, fmt.Sprintf("flush, %d times", segments), flushed, float64(o.rows), "rows/s")
	return nil
}

// queries are lookups by key, counts, a filter over all rows and exact searches.
func (s *server) queries(ctx context.Context, o *options, r *Results) error {
	random := rand.New(rand.NewPCG(1, 2))
	several := func(name string, n int, unit string, each float64, f func() error) error {
		if err := f(); err != nil { // caches are warm
			return err
		}
		m, err := s.timed(func() error {
			for range n {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		})
		r.add("local", name, m, float64(n)*each, unit)
		return err
	}
	lookup := func(keys int) func() error {
		return func() error {
			filter := ""
			for range keys {
				filter += fmt.Sprintf(",%d", random.IntN(o.rows))
			}
			out, err := s.query(ctx, collection, "id in ["+filter[1:]+"]", "id", "vec")
			if err == nil && len(out.FieldsData) != 2 {
				err = fmt.Errorf("a lookup returned %d fields", len(out.FieldsData))
			}
			return err
		}
	}
	counted := func(filter string, want int64) func() error {
		return func() error {
			n, err := s.count(ctx, collection, filter)
			if err == nil && n != want {
				err = fmt.Errorf("count(*) where %q is %d, not %d", filter, n, want)
			}
			return err
		}
	}
	if err := several("look up 1 key with its vector", lookups, "calls/s", 1, lookup(1)); err != nil {
		return err
	}
	if err := several("look up 100 keys with their vectors", lookups/10, "keys/s", 100, lookup(100)); err != nil {
		return err
	}
	if err := several("count(*)", lookups, "calls/s", 1, counted("", int64(o.rows))); err != nil {
		return err
	}
	if err := several("count(*) where id % 10 == 3", 10, "rows/s", float64(o.rows), counted("id % 10 == 3", int64((o.rows+6)/10))); err != nil {
		return err
	}
	if err := several("exact search, 1 vector, 10 hits", 5, "calls/s", 1, func() error { return s.search(ctx, collection, 1, 10) }); err != nil {
		return err
	}
	return several("exact search, 10 vectors, 10 hits", 2, "vectors/s", 10, func() error { return s.search(ctx, collection, 10, 10) })
}

// snapshots measures create_snapshot through the protocol.
func (s *server) snapshots(ctx context.Context, r *Results, where, name string) error {
	for i := range createds {
		m, err := s.timed(func() error {
			return s.client.CreateSnapshot(ctx, client.NewCreateSnapshotOption(fmt.Sprintf("bench_%d", i), name))
		})
		if err != nil {
			return err
		}
		r.add(where, "create_snapshot of "+name, m, 1, "calls/s")
	}
	return nil
}

// independence compares snapshots of as many segments with few and with many rows each, in a server of their own.
func independence(ctx context.Context, o *options, r *Results, data string) (err error) {
	s, err := startServer(ctx, o, data, nil)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.stop(), os.RemoveAll(data)) }()
	for _, rows := range []int{4, 40_000} {
		name := fmt.Sprintf("of_8_segments_of_%d_rows", rows)
		if err := s.create(ctx, name, 32); err != nil {
			return err
		}
		for i := range 8 {
			if err := firstError(s.insert(ctx, batch(name, i*rows, rows, 32)), s.flush(ctx, name)); err != nil {
				return err
			}
		}
	}
	time.Sleep(time.Second) // what inserts left to do
	for _, rows := range []int{4, 40_000} {
		if err := s.snapshots(ctx, r, "local", fmt.Sprintf("of_8_segments_of_%d_rows", rows)); err != nil {
			return err
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
