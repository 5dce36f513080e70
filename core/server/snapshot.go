package server

import (
	"context"
	"math"
	"path"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/snapshot"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// CreateSnapshot makes a snapshot of a collection.
func (s *Server) CreateSnapshot(ctx context.Context, r *milvuspb.CreateSnapshotRequest) (*commonpb.Status, error) {
	if r.GetCollectionName() == "" {
		return nil, status.Invalid("collection_name is required for create snapshot")
	}
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = s.config.Snapshots.Create(ctx, c, snapshot.Request{
		Name: r.GetName(), Description: r.GetDescription(), Protection: seconds(r.GetCompactionProtectionSeconds()),
	})
	return ok(err)
}

// seconds is a duration; what does not fit is the longest or the shortest, which no rule allows.
func seconds(n int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Second)
	return time.Duration(max(-most, min(n, most))) * time.Second
}

// named finds the collection and the name of a snapshot. Without a collection the name is looked up in the whole database, as
// clients of the earlier protocol expect; several of one name are an error.
func (s *Server) named(ctx context.Context, r interface {
	GetDbName() string
	GetCollectionName() string
	GetName() string
}) (*metastore.Collection, *pb.SnapshotInfo, error) {
	if r.GetCollectionName() == "" {
		return s.config.Snapshots.FindByName(database(ctx, r), r.GetName())
	}
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	info, err := s.config.Snapshots.Find(c.ID, r.GetName())
	return c, info, err
}

// DropSnapshot removes a snapshot; one that is not there is no error, as long as its collection is.
func (s *Server) DropSnapshot(ctx context.Context, r *milvuspb.DropSnapshotRequest) (*commonpb.Status, error) {
	c, info, err := s.named(ctx, r)
	if status.Is(err, status.SnapshotMissing) {
		return ok(nil)
	}
	if err != nil {
		return nil, err
	}
	return ok(s.config.Snapshots.Drop(ctx, c.ID, info.GetName()))
}

// ListSnapshots returns the names of a collection's snapshots, or of all in the database.
func (s *Server) ListSnapshots(ctx context.Context, r *milvuspb.ListSnapshotsRequest) (*milvuspb.ListSnapshotsResponse, error) {
	var of []*metastore.Collection
	if r.GetCollectionName() == "" {
		all, err := s.config.Store.Collections(database(ctx, r))
		if err != nil {
			return nil, err
		}
		of = all
	} else {
		c, err := s.collection(ctx, r)
		if err != nil {
			return nil, err
		}
		of = append(of, c)
	}
	out := &milvuspb.ListSnapshotsResponse{}
	for _, c := range of {
		for _, info := range s.config.Snapshots.List(c.ID) {
			out.Snapshots = append(out.Snapshots, info.GetName())
		}
	}
	return out, nil
}

// DescribeSnapshot says where a snapshot is and what it holds.
func (s *Server) DescribeSnapshot(ctx context.Context, r *milvuspb.DescribeSnapshotRequest) (*milvuspb.DescribeSnapshotResponse, error) {
	c, info, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	names, err := s.partitionNames(ctx, c, info)
	if err != nil {
		return nil, err
	}
	return &milvuspb.DescribeSnapshotResponse{
		Name: info.GetName(), Description: info.GetDescription(), CollectionName: c.Schema.Name, PartitionNames: names,
		CreateTs: info.GetCreateTs(), S3Location: s.location(info),
	}, nil
}

// location is the root of the snapshot's table, or (Config.MetadataLocation) the key of its metadata JSON.
func (s *Server) location(info *pb.SnapshotInfo) string {
	if s.config.MetadataLocation {
		return info.GetS3Location()
	}
	return path.Join(s.config.Bucket, snapshot.TablePrefix(s.config.Root, milvus.CollectionID(info.GetCollectionId()), milvus.SnapshotID(info.GetId())))
}

// partitionNames are those of the snapshot's partitions; of partitions that were dropped since, the snapshot itself knows them.
func (s *Server) partitionNames(ctx context.Context, c *metastore.Collection, info *pb.SnapshotInfo) ([]string, error) {
	out := make([]string, 0, len(info.GetPartitionIds()))
	for _, id := range info.GetPartitionIds() {
		out = append(out, c.PartitionName(milvus.PartitionID(id)))
	}
	if !slices.Contains(out, "") {
		return out, nil
	}
	m, _, err := s.config.Snapshots.Load(ctx, info)
	if err != nil {
		return nil, err
	}
	for i, id := range info.GetPartitionIds() {
		if out[i] == "" {
			out[i] = m.Collection.PartitionName(milvus.PartitionID(id))
		}
	}
	return out, nil
}

// PinSnapshotData keeps a snapshot from being dropped.
func (s *Server) PinSnapshotData(ctx context.Context, r *milvuspb.PinSnapshotDataRequest) (*milvuspb.PinSnapshotDataResponse, error) {
	c, info, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	id, err := s.config.Snapshots.Pin(ctx, c.ID, info.GetName(), seconds(r.GetTtlSeconds()))
	return &milvuspb.PinSnapshotDataResponse{PinId: id}, err
}

// UnpinSnapshotData ends a pin; one that is not there is no error.
func (s *Server) UnpinSnapshotData(ctx context.Context, r *milvuspb.UnpinSnapshotDataRequest) (*commonpb.Status, error) {
	return ok(s.config.Snapshots.Unpin(ctx, r.GetPinId()))
}
