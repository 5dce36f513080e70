//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// CreateCollection makes a collection.
func (s *Server) CreateCollection(ctx context.Context, r *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
	properties := toKeyValues(r.GetProperties())
	zone, err := zoneOf(properties)
	if err != nil {
		return nil, err
	}
	schema, err := declared(r.GetSchema(), zone)
	if err != nil {
		return nil, err
	}
	schema.Name = r.GetCollectionName()
	_, err = s.config.Engine.CreateCollection(ctx, engine.Spec{
		Database: database(ctx, r), Schema: schema, Shards: int(r.GetShardsNum()), Partitions: int(r.GetNumPartitions()),
		ConsistencyLevel: int32(r.GetConsistencyLevel()), Properties: properties,
	})
	return ok(err)
}

// zoneProperty names the time zone of a collection's Timestamptz text.
const zoneProperty = "timezone"

func zoneOf(properties []milvus.KeyValue) (*time.Location, error) {
	name, _ := milvus.Lookup(properties, zoneProperty)
	return location(name)
}

func location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, status.Invalid("invalid timezone, should be a IANA timezone name: %s", name)
	}
	return zone, nil
}

// DropCollection removes a collection and its snapshots; one that is not there is no error. An alias can't be dropped so.
func (s *Server) DropCollection(ctx context.Context, r *milvuspb.DropCollectionRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	switch {
	case status.Is(err, status.CollectionMissing):
		return ok(nil)
	case err != nil:
		return nil, err
	case c.Schema.Name != r.GetCollectionName():
		return nil, status.New(status.Unexpected, "cannot drop the collection via alias = %s", r.GetCollectionName())
	case len(c.Aliases) > 0:
		return nil, status.New(status.Unexpected, "unable to drop the collection [%s] because it has associated aliases %v, please remove all aliases before dropping the collection",
			c.Schema.Name, c.Aliases)
	}
	if err := s.config.Engine.DropCollection(ctx, c); err != nil {
		return nil, err
	}
	if err := s.loaded.release(c.ID, nil); err != nil {
		return nil, err
	}
	return ok(s.config.Snapshots.DropAll(ctx, c.ID))
}

// HasCollection looks for a name.
func (s *Server) HasCollection(ctx context.Context, r *milvuspb.HasCollectionRequest) (*milvuspb.BoolResponse, error) {
	_, err := s.collection(ctx, r)
	if status.Is(err, status.CollectionMissing) {
		return &milvuspb.BoolResponse{}, nil
	}
	return &milvuspb.BoolResponse{Value: err == nil}, err
}

// DescribeCollection says everything of a collection. It is also how clients ask whether there is one.
func (s *Server) DescribeCollection(ctx context.Context, r *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
	c, err := s.described(ctx, r)
	if err != nil {
		return nil, err
	}
	zone, err := zoneOf(c.Properties)
	if err != nil {
		return nil, err
	}
	schema, err := public(&c.Schema, zone)
	if err != nil {
		return nil, err
	}
	schema.DbName = "" // not part of what users declared
	return &milvuspb.DescribeCollectionResponse{
		Schema: schema, CollectionID: int64(c.ID), CollectionName: c.Schema.Name, DbName: c.Database, DbId: int64(c.DatabaseID),
		VirtualChannelNames: c.Channels, PhysicalChannelNames: c.PhysicalChannels, ShardsNum: int32(c.Shards),
		CreatedTimestamp: uint64(c.Created), CreatedUtcTimestamp: uint64(c.Created.UnixMilli()), Aliases: c.Aliases,
		ConsistencyLevel: commonpb.ConsistencyLevel(c.ConsistencyLevel), Properties: fromKeyValues(c.Properties),
		NumPartitions: int64(len(c.Partitions)), UpdateTimestamp: uint64(c.Updated), UpdateTimestampStr: strconv.FormatUint(uint64(c.Updated), 10),
	}, nil
}

func (s *Server) described(ctx context.Context, r *milvuspb.DescribeCollectionRequest) (*metastore.Collection, error) {
	if r.GetCollectionName() != "" || r.GetCollectionID() == 0 {
		return s.collection(ctx, r)
	}
	c, found := s.config.Store.CollectionByID(milvus.CollectionID(r.GetCollectionID()))
	if !found || c.Database != database(ctx, r) {
		return nil, status.CollectionNotFound(database(ctx, r), strconv.FormatInt(r.GetCollectionID(), 10))
	}
	return s.config.Store.Collection(c.Database, c.Schema.Name)
}

// ShowCollections lists the collections of a database, or those that are loaded.
func (s *Server) ShowCollections(ctx context.Context, r *milvuspb.ShowCollectionsRequest) (*milvuspb.ShowCollectionsResponse, error) {
	all, err := s.config.Store.Collections(database(ctx, r))
	if err != nil {
		return nil, err
	}
	out := &milvuspb.ShowCollectionsResponse{}
	for _, c := range all {
		loaded := s.loaded.any(c.ID)
		if r.GetType() == milvuspb.ShowType_InMemory && !loaded || len(r.GetCollectionNames()) > 0 && !slices.Contains(r.GetCollectionNames(), c.Schema.Name) {
			continue
		}
		out.CollectionNames = append(out.CollectionNames, c.Schema.Name)
		out.CollectionIds = append(out.CollectionIds, int64(c.ID))
		out.CreatedTimestamps = append(out.CreatedTimestamps, uint64(c.Created))
		out.CreatedUtcTimestamps = append(out.CreatedUtcTimestamps, uint64(c.Created.UnixMilli()))
		out.ShardsNum = append(out.ShardsNum, int32(c.Shards))
		if r.GetType() == milvuspb.ShowType_InMemory {
			out.InMemoryPercentages = append(out.InMemoryPercentages, 100)
			out.QueryServiceAvailable = append(out.QueryServiceAvailable, true)
		}
	}
	return out, nil
}

// GetCollectionStatistics says how many rows are stored, deleted ones that are not yet gone included.
func (s *Server) GetCollectionStatistics(ctx context.Context, r *milvuspb.GetCollectionStatisticsRequest) (*milvuspb.GetCollectionStatisticsResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	return &milvuspb.GetCollectionStatisticsResponse{Stats: rowCount(s.config.Engine.Stats(c))}, nil
}

func rowCount(n int64) []*commonpb.KeyValuePair {
	return []*commonpb.KeyValuePair{{Key: "row_count", Value: strconv.FormatInt(n, 10)}}
}

// AlterCollection sets and removes properties.
func (s *Server) AlterCollection(ctx context.Context, r *milvuspb.AlterCollectionRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	set := toKeyValues(r.GetProperties())
	if len(set) == 0 && len(r.GetDeleteKeys()) == 0 {
		return nil, status.Invalid("The collection properties to alter and keys to delete must not be empty at the same time")
	}
	if _, err := zoneOf(set); err != nil {
		return nil, err
	}
	return ok(s.config.Store.AlterCollection(ctx, c.ID, func(c *metastore.Collection) error {
		c.Properties = merged(c.Properties, set, r.GetDeleteKeys())
		return engine.CheckTTL(c)
	}))
}

// AddCollectionField adds a field, which must be nullable: rows that are there have its default, or NULL.
func (s *Server) AddCollectionField(ctx context.Context, r *milvuspb.AddCollectionFieldRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	zone, err := zoneOf(c.Properties)
	if err != nil {
		return nil, err
	}
	f, err := declaredField(r.GetSchema(), zone)
	if err != nil {
		return nil, err
	}
	return ok(s.config.Engine.AddField(ctx, c, f))
}

// RenameCollection gives a collection another name, also in another database.
func (s *Server) RenameCollection(ctx context.Context, r *milvuspb.RenameCollectionRequest) (*commonpb.Status, error) {
	if err := checkName("collection", r.GetNewName()); err != nil {
		return nil, err
	}
	from := database(ctx, r)
	c, err := s.config.Store.Collection(from, r.GetOldName())
	if err != nil {
		return nil, err
	}
	if c.Schema.Name != r.GetOldName() {
		return nil, status.New(status.Unexpected, "unsupported use an alias to rename collection, alias:%s", r.GetOldName())
	}
	to := from
	if r.GetNewDBName() != "" {
		to = r.GetNewDBName()
	}
	db, err := s.config.Store.Database(to)
	if err != nil {
		return nil, err
	}
	return ok(s.config.Store.AlterCollection(ctx, c.ID, func(c *metastore.Collection) error {
		c.Schema.Name, c.Schema.Database, c.Database, c.DatabaseID = r.GetNewName(), db.Name, db.Name, db.ID
		return nil
	}))
}
