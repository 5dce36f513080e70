package metastore

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Config says where the metadata is.
type Config struct {
	Dir       string                   // of the embedded etcd's data
	Endpoints []string                 // or a cluster's host:port
	Root      string                   // of the keys; "" is etcdmeta.DefaultRoot
	Storage   string                   // root path of the files in the object storage ("files")
	NoFsync   bool                     // embedded: a crash of the machine may lose changes
	Now       func() time.Time         // the clock
	Log       *slog.Logger             // nil: silent
	Fault     func(point string) error // for crash tests, around each transaction; nil: none
}

// Store is the metadata.
type Store struct{}

var errSoon = errors.New("not there yet")

func Open(ctx context.Context, c Config) (*Store, error) { return nil, errSoon }
func (s *Store) Close() error                            { return nil }
func (s *Store) Timestamp() (milvus.Timestamp, error)    { return 0, errSoon }
func (s *Store) IDs(n int) (first int64, err error)      { return 0, errSoon }
func (s *Store) Databases() []Database                   { return nil }
func (s *Store) Database(name string) (Database, error)  { return Database{}, errSoon }
func (s *Store) CreateDatabase(ctx context.Context, name string, props []milvus.KeyValue) (Database, error) {
	return Database{}, errSoon
}
func (s *Store) DropDatabase(ctx context.Context, name string) error { return errSoon }
func (s *Store) AlterDatabase(ctx context.Context, name string, props []milvus.KeyValue) error {
	return errSoon
}
func (s *Store) Collection(db, nameOrAlias string) (*Collection, error)    { return nil, errSoon }
func (s *Store) CollectionByID(id milvus.CollectionID) (*Collection, bool) { return nil, false }
func (s *Store) Collections(db string) ([]*Collection, error)              { return nil, errSoon }
func (s *Store) CreateCollection(ctx context.Context, c *Collection) error { return errSoon }
func (s *Store) AlterCollection(ctx context.Context, id milvus.CollectionID, change func(*Collection) error) error {
	return errSoon
}
func (s *Store) DropCollection(ctx context.Context, id milvus.CollectionID) error { return errSoon }
func (s *Store) CreatePartition(ctx context.Context, id milvus.CollectionID, name string) (milvus.Partition, error) {
	return milvus.Partition{}, errSoon
}
func (s *Store) DropPartition(ctx context.Context, id milvus.CollectionID, name string) error {
	return errSoon
}
func (s *Store) CreateAlias(ctx context.Context, db, alias, collection string) error { return errSoon }
func (s *Store) AlterAlias(ctx context.Context, db, alias, collection string) error  { return errSoon }
func (s *Store) DropAlias(ctx context.Context, db, alias string) error               { return errSoon }
func (s *Store) SetIndex(ctx context.Context, c milvus.CollectionID, x milvus.Index) error {
	return errSoon
}
func (s *Store) DropIndex(ctx context.Context, c milvus.CollectionID, id milvus.IndexID) error {
	return errSoon
}
func (s *Store) Segments(c milvus.CollectionID) []*Segment                         { return nil }
func (s *Store) Segment(id milvus.SegmentID) (*Segment, bool)                      { return nil, false }
func (s *Store) DroppedSegments() []*Segment                                       { return nil }
func (s *Store) ForgetSegments(ctx context.Context, ids ...milvus.SegmentID) error { return errSoon }
func (s *Store) Checkpoint(channel string) milvus.Position                         { return milvus.Position{} }
func (s *Store) Commit(ctx context.Context, c Change) error                        { return errSoon }
func (s *Store) Snapshots(c milvus.CollectionID) []*pb.SnapshotInfo                { return nil }
func (s *Store) AllSnapshots() []*pb.SnapshotInfo                                  { return nil }
func (s *Store) PutSnapshot(ctx context.Context, snap *pb.SnapshotInfo) error      { return errSoon }
func (s *Store) DeleteSnapshot(ctx context.Context, c milvus.CollectionID, id milvus.SnapshotID) error {
	return errSoon
}
func (s *Store) CopyJobs() []*pb.CopySegmentJob                                       { return nil }
func (s *Store) CopyTasks(job int64) []*pb.CopySegmentTask                            { return nil }
func (s *Store) PutCopyJob(ctx context.Context, job *pb.CopySegmentJob) error         { return errSoon }
func (s *Store) PutCopyTasks(ctx context.Context, tasks ...*pb.CopySegmentTask) error { return errSoon }
func (s *Store) DeleteCopyJob(ctx context.Context, id int64) error                    { return errSoon }
func (s *Store) StageSegments(ctx context.Context, segs []*Segment) error             { return errSoon }
func (s *Store) PublishRestore(ctx context.Context, job *pb.CopySegmentJob, target milvus.CollectionID, segs []*Segment) error {
	return errSoon
}
func (s *Store) AbandonCollection(ctx context.Context, id milvus.CollectionID) error { return errSoon }
