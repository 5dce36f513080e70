package server

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
)

// CreateDatabase makes a database.
func (s *Server) CreateDatabase(ctx context.Context, r *milvuspb.CreateDatabaseRequest) (*commonpb.Status, error) {
	if err := checkName("database", r.GetDbName()); err != nil {
		return nil, err
	}
	_, err := s.config.Store.CreateDatabase(ctx, r.GetDbName(), toKeyValues(r.GetProperties()))
	return ok(err)
}

// DropDatabase removes a database without collections; one that is not there is no error.
func (s *Server) DropDatabase(ctx context.Context, r *milvuspb.DropDatabaseRequest) (*commonpb.Status, error) {
	if r.GetDbName() == "" || r.GetDbName() == defaultDatabase {
		return nil, status.Invalid("can not drop default database")
	}
	err := s.config.Store.DropDatabase(ctx, r.GetDbName())
	if status.Is(err, status.DatabaseMissing) {
		err = nil
	}
	return ok(err)
}

// ListDatabases lists all databases.
func (s *Server) ListDatabases(context.Context, *milvuspb.ListDatabasesRequest) (*milvuspb.ListDatabasesResponse, error) {
	out := &milvuspb.ListDatabasesResponse{}
	for _, db := range s.config.Store.Databases() {
		out.DbNames = append(out.DbNames, db.Name)
		out.DbIds = append(out.DbIds, int64(db.ID))
		out.CreatedTimestamp = append(out.CreatedTimestamp, uint64(db.Created))
	}
	return out, nil
}

// DescribeDatabase says everything of a database.
func (s *Server) DescribeDatabase(ctx context.Context, r *milvuspb.DescribeDatabaseRequest) (*milvuspb.DescribeDatabaseResponse, error) {
	db, err := s.config.Store.Database(database(ctx, r))
	if err != nil {
		return nil, err
	}
	return &milvuspb.DescribeDatabaseResponse{
		DbName: db.Name, DbID: int64(db.ID), CreatedTimestamp: uint64(db.Created), Properties: fromKeyValues(db.Properties),
	}, nil
}

// AlterDatabase sets and removes properties.
func (s *Server) AlterDatabase(ctx context.Context, r *milvuspb.AlterDatabaseRequest) (*commonpb.Status, error) {
	db, err := s.config.Store.Database(database(ctx, r))
	if err != nil {
		return nil, err
	}
	set := toKeyValues(r.GetProperties())
	if len(set) == 0 && len(r.GetDeleteKeys()) == 0 {
		return nil, status.Invalid("alter database requires either properties or deletekeys to modify or delete keys, both cannot be empty")
	}
	return ok(s.config.Store.AlterDatabase(ctx, db.Name, merged(db.Properties, set, r.GetDeleteKeys())))
}

// CreateAlias gives a collection another name.
func (s *Server) CreateAlias(ctx context.Context, r *milvuspb.CreateAliasRequest) (*commonpb.Status, error) {
	if err := checkName("alias", r.GetAlias()); err != nil {
		return nil, err
	}
	return ok(s.config.Store.CreateAlias(ctx, database(ctx, r), r.GetAlias(), r.GetCollectionName()))
}

// AlterAlias gives an alias to another collection.
func (s *Server) AlterAlias(ctx context.Context, r *milvuspb.AlterAliasRequest) (*commonpb.Status, error) {
	return ok(s.config.Store.AlterAlias(ctx, database(ctx, r), r.GetAlias(), r.GetCollectionName()))
}

// DropAlias removes an alias; one that is not there is no error.
func (s *Server) DropAlias(ctx context.Context, r *milvuspb.DropAliasRequest) (*commonpb.Status, error) {
	err := s.config.Store.DropAlias(ctx, database(ctx, r), r.GetAlias())
	if status.Is(err, status.AliasMissing) {
		err = nil
	}
	return ok(err)
}

// DescribeAlias says whose an alias is.
func (s *Server) DescribeAlias(ctx context.Context, r *milvuspb.DescribeAliasRequest) (*milvuspb.DescribeAliasResponse, error) {
	db := database(ctx, r)
	c, err := s.config.Store.Collection(db, r.GetAlias())
	if status.Is(err, status.CollectionMissing) || err == nil && c.Schema.Name == r.GetAlias() {
		return nil, status.AliasNotFound(db, r.GetAlias())
	}
	if err != nil {
		return nil, err
	}
	return &milvuspb.DescribeAliasResponse{DbName: db, Alias: r.GetAlias(), Collection: c.Schema.Name}, nil
}

// ListAliases lists the aliases of a collection, or of a database.
func (s *Server) ListAliases(ctx context.Context, r *milvuspb.ListAliasesRequest) (*milvuspb.ListAliasesResponse, error) {
	db := database(ctx, r)
	out := &milvuspb.ListAliasesResponse{DbName: db, CollectionName: r.GetCollectionName()}
	if r.GetCollectionName() != "" {
		c, err := s.config.Store.Collection(db, r.GetCollectionName())
		if err == nil {
			out.Aliases = c.Aliases
		}
		return out, err
	}
	all, err := s.config.Store.Collections(db)
	for _, c := range all {
		out.Aliases = append(out.Aliases, c.Aliases...)
	}
	return out, err
}

// checkLoaded refuses to read what is not loaded, as Milvus does.
func (s *Server) checkLoaded(c *metastore.Collection, partitions []string) error {
	ids, err := partitionIDs(c, partitions)
	if err != nil {
		return err
	}
	if !s.loaded.any(c.ID) {
		return status.New(notLoaded, "collection not loaded[collection=%s]", c.Schema.Name)
	}
	for i, id := range ids {
		if !s.loaded.partition(c.ID, id) {
			return status.New(partitionNotLoaded, "partition not loaded[partition=%s]", partitions[i])
		}
	}
	return nil
}

// Milvus's codes of what is not loaded.
const (
	notLoaded          status.Code = 101
	partitionNotLoaded status.Code = 201
)
