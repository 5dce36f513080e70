package objstore

import (
	"context"
	"iter"
	"sync/atomic"
)

// kinds of calls that Metrics counts.
const (
	kindList = iota
	kindDirs
	kindStat
	kindReadAll
	kindReadRange
	kindPut
	kindCreate
	kindUpload
	kindDelete
	kindCopy
	kindCount
)

var kindNames = [kindCount]string{"list", "dirs", "stat", "read_all", "read_range", "put", "create", "upload", "delete", "copy"}

// Metrics counts calls of stores, repeated attempts included, and the bytes of bodies. The zero value is ready; one Metrics
// may serve many stores and goroutines.
type Metrics struct {
	calls    [kindCount]atomic.Int64
	errors   atomic.Int64
	bytesIn  atomic.Int64
	bytesOut atomic.Int64
}

// Counts is the state of a Metrics at one time.
type Counts struct {
	Calls    map[string]int64 `json:"calls"`     // by kind, kinds without calls left out: list, dirs, stat, read_all, read_range, put, create, upload, delete, copy
	Errors   int64            `json:"errors"`    // calls that failed
	BytesIn  int64            `json:"bytes_in"`  // bytes of bodies read; a server-side copy moves none
	BytesOut int64            `json:"bytes_out"` // bytes of bodies written
}

// Counts returns what was counted so far.
func (m *Metrics) Counts() Counts {
	c := Counts{Calls: map[string]int64{}, Errors: m.errors.Load(), BytesIn: m.bytesIn.Load(), BytesOut: m.bytesOut.Load()}
	for kind := range m.calls {
		if n := m.calls[kind].Load(); n > 0 {
			c.Calls[kindNames[kind]] = n
		}
	}
	return c
}

// Total returns the number of calls of all kinds.
func (c Counts) Total() (n int64) {
	for _, calls := range c.Calls {
		n += calls
	}
	return n
}

// count records a call and its bytes.
func (m *Metrics) count(kind int, in, out int, err error) {
	m.calls[kind].Add(1)
	m.bytesIn.Add(int64(in))
	m.bytesOut.Add(int64(out))
	m.failed(err)
}

func (m *Metrics) failed(err error) {
	if err != nil {
		m.errors.Add(1)
	}
}

// WithMetrics returns s with its calls counted in m. Put it below WithRetry, so that it sees every attempt.
func WithMetrics(s Store, m *Metrics) Store { return &metricStore{Store: s, m: m} }

type metricStore struct {
	Store
	m *Metrics
}

func (s *metricStore) Unwrap() Store { return s.Store }

func (s *metricStore) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return counted(s.m, kindList, s.Store.List(ctx, prefix))
}

func (s *metricStore) Dirs(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return counted(s.m, kindDirs, s.Store.Dirs(ctx, prefix))
}

func counted[T any](m *Metrics, kind int, list iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		m.count(kind, 0, 0, nil)
		for item, err := range list {
			m.failed(err)
			if !yield(item, err) {
				return
			}
		}
	}
}

func (s *metricStore) Stat(ctx context.Context, key string) (Object, error) {
	o, err := s.Store.Stat(ctx, key)
	s.m.count(kindStat, 0, 0, err)
	return o, err
}

func (s *metricStore) ReadAll(ctx context.Context, key string, limit int64) ([]byte, Object, error) {
	b, o, err := s.Store.ReadAll(ctx, key, limit)
	s.m.count(kindReadAll, len(b), 0, err)
	return b, o, err
}

func (s *metricStore) ReadRange(ctx context.Context, key string, off, n int64, etag string) ([]byte, error) {
	b, err := s.Store.ReadRange(ctx, key, off, n, etag)
	s.m.count(kindReadRange, len(b), 0, err)
	return b, err
}

func (s *metricStore) Put(ctx context.Context, key string, body []byte) error {
	err := s.Store.Put(ctx, key, body)
	s.m.count(kindPut, 0, len(body), err)
	return err
}

func (s *metricStore) Create(ctx context.Context, key string, body []byte) error {
	err := s.Store.Create(ctx, key, body)
	s.m.count(kindCreate, 0, len(body), err)
	return err
}

func (s *metricStore) Upload(ctx context.Context, key string) (Upload, error) {
	u, err := s.Store.Upload(ctx, key)
	s.m.count(kindUpload, 0, 0, err)
	if err != nil {
		return nil, err
	}
	return &metricUpload{Upload: u, m: s.m}, nil
}

func (s *metricStore) Delete(ctx context.Context, keys ...string) error {
	err := s.Store.Delete(ctx, keys...)
	s.m.count(kindDelete, 0, 0, err)
	return err
}

func (s *metricStore) Copy(ctx context.Context, src Store, srcKey, dstKey string) (Object, error) {
	o, err := s.Store.Copy(ctx, src, srcKey, dstKey)
	s.m.count(kindCopy, 0, 0, err)
	return o, err
}

type metricUpload struct {
	Upload
	m *Metrics
}

func (u *metricUpload) Write(p []byte) (int, error) {
	n, err := u.Upload.Write(p)
	u.m.bytesOut.Add(int64(n))
	u.m.failed(err)
	return n, err
}

func (u *metricUpload) Commit() (Object, error) {
	o, err := u.Upload.Commit()
	u.m.failed(err)
	return o, err
}
