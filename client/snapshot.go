package client

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Snapshot is what a server says of a snapshot.
type Snapshot struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Collection  string           `json:"collection"`
	Partitions  []string         `json:"partitions"`
	CreateTS    milvus.Timestamp `json:"create_ts"`
	S3Location  string           `json:"s3_location"` // in the server's form: a key, a URI, or the root of a table
}

// CreateSnapshot makes a snapshot of what is flushed.
func (c *Client) CreateSnapshot(ctx context.Context, o *CreateSnapshotOption) error {
	const op = "create snapshot"
	s, err := c.api.CreateSnapshot(c.with(ctx), &milvuspb.CreateSnapshotRequest{
		Name: o.name, Description: o.description, DbName: c.databaseOr(o.database), CollectionName: o.collection,
		CompactionProtectionSeconds: wholeSeconds(o.protection),
	})
	if err != nil {
		return refused(op, err)
	}
	return check(op, s)
}

// DropSnapshot drops a snapshot; one that is not there is no error, if its collection was named.
func (c *Client) DropSnapshot(ctx context.Context, o *DropSnapshotOption) error {
	const op = "drop snapshot"
	of, err := c.locate(ctx, op, o.subject)
	if err != nil {
		return err
	}
	s, err := c.api.DropSnapshot(c.with(ctx), &milvuspb.DropSnapshotRequest{Name: of.name, DbName: of.database, CollectionName: of.collection})
	if err != nil {
		return refused(op, err)
	}
	return check(op, s)
}

// DescribeSnapshot says where a snapshot is.
func (c *Client) DescribeSnapshot(ctx context.Context, o *DescribeSnapshotOption) (*Snapshot, error) {
	const op = "describe snapshot"
	of, err := c.locate(ctx, op, o.subject)
	if err != nil {
		return nil, err
	}
	r, err := c.api.DescribeSnapshot(c.with(ctx), &milvuspb.DescribeSnapshotRequest{Name: of.name, DbName: of.database, CollectionName: of.collection})
	if err := failed(op, r, err); err != nil {
		return nil, err
	}
	return &Snapshot{
		Name: r.GetName(), Description: r.GetDescription(), Collection: cmp.Or(r.GetCollectionName(), of.collection), Partitions: r.GetPartitionNames(),
		CreateTS: milvus.Timestamp(r.GetCreateTs()), S3Location: r.GetS3Location(),
	}, nil
}

// Listed is a snapshot's name with that of its collection.
type Listed struct {
	Collection string `json:"collection"`
	Name       string `json:"name"`
}

// ListSnapshots lists snapshots by collection and name.
func (c *Client) ListSnapshots(ctx context.Context, o *ListSnapshotsOption) ([]Listed, error) {
	database := c.databaseOr(o.database)
	collections := []string{o.collection}
	if o.collection == "" {
		var err error
		if collections, err = c.collections(ctx, database); err != nil {
			return nil, err
		}
	}
	out := []Listed{}
	for _, name := range collections {
		names, err := c.names(ctx, database, name)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			out = append(out, Listed{name, n})
		}
	}
	return out, nil
}

// names lists one collection's snapshots.
func (c *Client) names(ctx context.Context, database, collection string) ([]string, error) {
	r, err := c.api.ListSnapshots(c.with(ctx), &milvuspb.ListSnapshotsRequest{DbName: database, CollectionName: collection})
	if err := failed("list snapshots", r, err); err != nil {
		return nil, err
	}
	names := slices.Clone(r.GetSnapshots())
	slices.Sort(names)
	return names, nil
}

// collections lists the collections of a database.
func (c *Client) collections(ctx context.Context, database string) ([]string, error) {
	r, err := c.api.ShowCollections(c.with(ctx), &milvuspb.ShowCollectionsRequest{DbName: database})
	if err := failed("list collections", r, err); err != nil {
		return nil, err
	}
	names := slices.Clone(r.GetCollectionNames())
	slices.Sort(names)
	return names, nil
}

// locate completes a subject that has no collection: Milvus 3.0 asks for it.
func (c *Client) locate(ctx context.Context, op string, s subject) (subject, error) {
	s.database = c.databaseOr(s.database)
	if s.collection != "" {
		return s, nil
	}
	all, err := c.ListSnapshots(ctx, NewListSnapshotsOption().WithDatabase(s.database))
	if err != nil {
		return s, err
	}
	var of []string
	for _, l := range all {
		if l.Name == s.name {
			of = append(of, l.Collection)
		}
	}
	switch len(of) {
	case 0:
		return s, fault.Missing(op, "no collection of the database has a snapshot %q", s.name)
	case 1:
		s.collection = of[0]
		return s, nil
	}
	return s, invalid(op, "several collections have a snapshot %q: %s; say which", s.name, strings.Join(of, ", "))
}

func (c *Client) databaseOr(name string) string { return cmp.Or(name, c.database) }

// wholeSeconds rounds up, so that a short time is not none.
func wholeSeconds(d time.Duration) int64 {
	if d <= 0 {
		return int64(d / time.Second)
	}
	return int64((d-1)/time.Second) + 1
}
