package server

import (
	"context"
	"slices"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Load is a collection that is loaded: Partitions of it, or all (nil), also those that come later.
type Load struct {
	Collection milvus.CollectionID  `json:"collection"`
	Partitions []milvus.PartitionID `json:"partitions,omitempty"`
}

// Loads keeps what is loaded beyond the end of the server.
type Loads interface {
	Read() ([]Load, error)
	Write([]Load) error
}

// loaded is what may be queried. Nothing is read for it: rows are read when they are asked for.
type loaded struct {
	mu   sync.Mutex
	keep Loads
	all  map[milvus.CollectionID]Load
}

func newLoaded(keep Loads) (*loaded, error) {
	l := &loaded{keep: keep, all: map[milvus.CollectionID]Load{}}
	if keep == nil {
		return l, nil
	}
	old, err := keep.Read()
	for _, x := range old {
		l.all[x.Collection] = x
	}
	return l, err
}

// any reports whether anything of the collection is loaded.
func (l *loaded) any(c milvus.CollectionID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, there := l.all[c]
	return there
}

func (l *loaded) partition(c milvus.CollectionID, p milvus.PartitionID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, there := l.all[c]
	return there && (x.Partitions == nil || slices.Contains(x.Partitions, p))
}

// only returns the loaded partitions if not all are.
func (l *loaded) only(c milvus.CollectionID) []milvus.PartitionID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[c].Partitions
}

// load loads the partitions, or all (nil).
func (l *loaded) load(c milvus.CollectionID, partitions []milvus.PartitionID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, there := l.all[c]
	switch {
	case partitions == nil:
		x.Partitions = nil
	case !there || x.Partitions != nil:
		x.Partitions = append(slices.Clone(x.Partitions), partitions...)
		slices.Sort(x.Partitions)
		x.Partitions = slices.Compact(x.Partitions)
	}
	x.Collection = c
	l.all[c] = x
	return l.write()
}

// release releases the partitions, or all (nil). Of a collection that is loaded as a whole, the rest must be named.
func (l *loaded) release(c milvus.CollectionID, rest []milvus.PartitionID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.all[c]; !there {
		return nil
	}
	if len(rest) == 0 {
		delete(l.all, c)
	} else {
		l.all[c] = Load{Collection: c, Partitions: rest}
	}
	return l.write()
}

func (l *loaded) write() error {
	if l.keep == nil {
		return nil
	}
	var all []Load
	for _, x := range l.all {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b Load) int { return int(a.Collection - b.Collection) })
	return l.keep.Write(all)
}

// LoadCollection makes a collection answer queries.
func (s *Server) LoadCollection(ctx context.Context, r *milvuspb.LoadCollectionRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(s.loaded.load(c.ID, nil))
}

// ReleaseCollection ends that.
func (s *Server) ReleaseCollection(ctx context.Context, r *milvuspb.ReleaseCollectionRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(s.loaded.release(c.ID, nil))
}

// LoadPartitions makes partitions answer queries.
func (s *Server) LoadPartitions(ctx context.Context, r *milvuspb.LoadPartitionsRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	ids, err := partitionIDs(c, r.GetPartitionNames())
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, status.Invalid("due to no partition specified")
	}
	return ok(s.loaded.load(c.ID, ids))
}

// ReleasePartitions ends that.
func (s *Server) ReleasePartitions(ctx context.Context, r *milvuspb.ReleasePartitionsRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	gone, err := partitionIDs(c, r.GetPartitionNames())
	if err != nil {
		return nil, err
	}
	var rest []milvus.PartitionID
	for _, p := range c.Partitions {
		if s.loaded.partition(c.ID, p.ID) && !slices.Contains(gone, p.ID) {
			rest = append(rest, p.ID)
		}
	}
	return ok(s.loaded.release(c.ID, rest))
}

// isLoaded reports whether the partitions, or (none named) anything of the collection, is loaded.
func (s *Server) isLoaded(c *metastore.Collection, partitions []string) (bool, error) {
	ids, err := partitionIDs(c, partitions)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if !s.loaded.partition(c.ID, id) {
			return false, nil
		}
	}
	return s.loaded.any(c.ID), nil
}

// GetLoadingProgress is 100 for what is loaded.
func (s *Server) GetLoadingProgress(ctx context.Context, r *milvuspb.GetLoadingProgressRequest) (*milvuspb.GetLoadingProgressResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	loaded, err := s.isLoaded(c, r.GetPartitionNames())
	if err != nil {
		return nil, err
	}
	if !loaded {
		return nil, status.New(notLoaded, "collection not loaded[collection=%s]", c.Schema.Name)
	}
	return &milvuspb.GetLoadingProgressResponse{Progress: 100, RefreshProgress: 100}, nil
}

// GetLoadState says whether a collection is there and loaded.
func (s *Server) GetLoadState(ctx context.Context, r *milvuspb.GetLoadStateRequest) (*milvuspb.GetLoadStateResponse, error) {
	c, err := s.collection(ctx, r)
	if status.Is(err, status.CollectionMissing) {
		return &milvuspb.GetLoadStateResponse{State: commonpb.LoadState_LoadStateNotExist}, nil
	}
	if err != nil {
		return nil, err
	}
	loaded, err := s.isLoaded(c, r.GetPartitionNames())
	if err != nil {
		return nil, err
	}
	state := commonpb.LoadState_LoadStateNotLoad
	if loaded {
		state = commonpb.LoadState_LoadStateLoaded
	}
	return &milvuspb.GetLoadStateResponse{State: state}, nil
}
