package client

import (
	"context"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
)

// FlushOption says what to flush.
type FlushOption struct{ collection, database string }

// NewFlushOption names the collection.
func NewFlushOption(collection string) *FlushOption { return &FlushOption{collection: collection} }

// WithDatabase names the collection's database.
func (o *FlushOption) WithDatabase(name string) *FlushOption {
	o.database = name
	return o
}

// FlushTask is a flush that the server works on.
type FlushTask struct {
	client   *Client
	option   FlushOption
	segments []int64
	ts       uint64
}

const flushPoll = 100 * time.Millisecond

// Flush asks the server to write all rows of a collection to storage. A snapshot holds only what is flushed: wait with Await
// before one is made.
func (c *Client) Flush(ctx context.Context, o *FlushOption) (*FlushTask, error) {
	database := c.databaseOr(o.database)
	r, err := c.api.Flush(c.with(ctx), &milvuspb.FlushRequest{DbName: database, CollectionNames: []string{o.collection}})
	if err := failed("flush", r, err); err != nil {
		return nil, err
	}
	return &FlushTask{c, FlushOption{o.collection, database}, r.GetCollSegIDs()[o.collection].GetData(), r.GetCollFlushTs()[o.collection]}, nil
}

// Await returns when everything is in storage.
func (t *FlushTask) Await(ctx context.Context) error {
	for {
		r, err := t.client.api.GetFlushState(t.client.with(ctx), &milvuspb.GetFlushStateRequest{
			SegmentIDs: t.segments, FlushTs: t.ts, DbName: t.option.database, CollectionName: t.option.collection,
		})
		if err := failed("flush", r, err); err != nil {
			return err
		}
		if r.GetFlushed() {
			return nil
		}
		if err := sleep(ctx, flushPoll); err != nil {
			return err
		}
	}
}
