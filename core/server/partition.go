//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// CreatePartition makes a partition; one that is there is no error.
func (s *Server) CreatePartition(ctx context.Context, r *milvuspb.CreatePartitionRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = s.config.Engine.CreatePartition(ctx, c, r.GetPartitionName())
	return ok(err)
}

func partition(c *metastore.Collection, name string) (milvus.Partition, bool) {
	for _, p := range c.Partitions {
		if p.Name == name {
			return p, true
		}
	}
	return milvus.Partition{}, false
}

// partitionIDs are the ids of the names.
func partitionIDs(c *metastore.Collection, names []string) ([]milvus.PartitionID, error) {
	var out []milvus.PartitionID
	for _, name := range names {
		p, there := partition(c, name)
		if !there {
			return nil, status.PartitionNotFound(name)
		}
		out = append(out, p.ID)
	}
	return out, nil
}

// checkName applies Milvus's rule for names of databases, aliases and collections.
func checkName(what, name string) error {
	if name == "" {
		return status.Invalid("%s name should be not empty", what)
	}
	if len(name) > 255 {
		return status.Invalid("the length of %s name must be not greater than limit: 255", what)
	}
	for i, b := range []byte(name) {
		letter := b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		if !letter && (i == 0 || b < '0' || b > '9') && (i == 0 || b != '$') {
			return status.Invalid("invalid %s name %q: the first character must be an underscore or letter, the others numbers, letters, underscores or $", what, name)
		}
	}
	return nil
}

// DropPartition removes a partition that is not loaded; one that is not there is no error.
func (s *Server) DropPartition(ctx context.Context, r *milvuspb.DropPartitionRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	p, there := partition(c, r.GetPartitionName())
	if !there {
		return ok(nil)
	}
	if s.loaded.partition(c.ID, p.ID) {
		return nil, status.New(status.Unexpected, "partition cannot be dropped, partition is loaded, please release it first")
	}
	return ok(s.config.Engine.DropPartition(ctx, c, p.Name))
}

// HasPartition looks for a name.
func (s *Server) HasPartition(ctx context.Context, r *milvuspb.HasPartitionRequest) (*milvuspb.BoolResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	_, there := partition(c, r.GetPartitionName())
	return &milvuspb.BoolResponse{Value: there}, nil
}

// ShowPartitions lists partitions: all, or those that are loaded.
func (s *Server) ShowPartitions(ctx context.Context, r *milvuspb.ShowPartitionsRequest) (*milvuspb.ShowPartitionsResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &milvuspb.ShowPartitionsResponse{}
	for _, p := range c.Partitions {
		loaded := s.loaded.partition(c.ID, p.ID)
		if r.GetType() == milvuspb.ShowType_InMemory && !loaded {
			continue
		}
		percent := int64(0)
		if loaded {
			percent = 100
		}
		out.PartitionNames = append(out.PartitionNames, p.Name)
		out.PartitionIDs = append(out.PartitionIDs, int64(p.ID))
		out.CreatedTimestamps = append(out.CreatedTimestamps, uint64(c.Created))
		out.CreatedUtcTimestamps = append(out.CreatedUtcTimestamps, uint64(c.Created.UnixMilli()))
		out.InMemoryPercentages = append(out.InMemoryPercentages, percent)
	}
	return out, nil
}

// GetPartitionStatistics says how many live rows a partition has.
func (s *Server) GetPartitionStatistics(ctx context.Context, r *milvuspb.GetPartitionStatisticsRequest) (*milvuspb.GetPartitionStatisticsResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := s.config.Engine.Query(ctx, c, engine.Query{Partitions: []string{r.GetPartitionName()}, Count: true})
	if err != nil {
		return nil, err
	}
	return &milvuspb.GetPartitionStatisticsResponse{Stats: rowCount(int64(rows.Count))}, nil
}
