package metastore

import (
	"cmp"
	"context"
	"slices"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const defaultDatabase = 1 // id of the database that always exists

// Database is a namespace of collections. "default" always exists.
type Database struct {
	ID         milvus.DatabaseID
	Name       string
	Created    milvus.Timestamp // to the millisecond
	Properties []milvus.KeyValue
}

// message is the database's row, whose time is in Unix nanoseconds (docs/format/etcd.md 3).
func (d Database) message() *pb.DatabaseInfo {
	return &pb.DatabaseInfo{
		Id: int64(d.ID), Name: d.Name, State: pb.DatabaseState_DatabaseCreated,
		CreatedTime: uint64(d.Created.UnixMilli()) * 1e6, Properties: pb.FromKeyValues(d.Properties),
	}
}

func toDatabase(m *pb.DatabaseInfo) Database {
	return Database{
		ID: milvus.DatabaseID(m.Id), Name: m.Name, Created: milvus.NewTimestamp(int64(m.CreatedTime/1e6), 0), Properties: pb.ToKeyValues(m.Properties),
	}
}

// Databases returns all databases by name.
func (s *Store) Databases() (out []Database) {
	s.see(func(v *view) {
		for _, d := range v.databases {
			out = append(out, d)
		}
	})
	slices.SortFunc(out, func(a, b Database) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Database returns the database with the name; "" is the default one.
func (s *Store) Database(name string) (d Database, err error) {
	s.see(func(v *view) { d, err = v.database(name) })
	return d, err
}

func (v *view) database(name string) (Database, error) {
	d, ok := v.databases[cmp.Or(name, pb.DefaultDatabase)]
	if !ok {
		return Database{}, status.DatabaseNotFound(name)
	}
	return d, nil
}

// CreateDatabase makes a database; its name must be free.
func (s *Store) CreateDatabase(ctx context.Context, name string, props []milvus.KeyValue) (d Database, err error) {
	err = s.mutate(ctx, func(ctx context.Context) error {
		if _, err := s.Database(name); err == nil {
			return status.New(status.Unexpected, "database already exist: %s", cmp.Or(name, pb.DefaultDatabase))
		}
		id, err := s.IDs(1)
		if err != nil {
			return err
		}
		d = Database{ID: milvus.DatabaseID(id), Name: name, Created: milvus.NewTimestamp(s.config.Now().UnixMilli(), 0), Properties: slices.Clone(props)}
		return s.putDatabase(ctx, "create-database", d)
	})
	return d, err
}

func (s *Store) putDatabase(ctx context.Context, action string, d Database) error {
	var b batch
	b.put(etcdmeta.DatabaseRow(s.keys, d.message()))
	if err := s.commit(ctx, action+":commit", &b); err != nil {
		return err
	}
	s.show(func(v *view) { v.databases[d.Name] = d })
	return nil
}

// AlterDatabase replaces the database's properties.
func (s *Store) AlterDatabase(ctx context.Context, name string, props []milvus.KeyValue) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		d, err := s.Database(name)
		if err != nil {
			return err
		}
		d.Properties = slices.Clone(props)
		return s.putDatabase(ctx, "alter-database", d)
	})
}

// DropDatabase removes an empty database; not the default one.
func (s *Store) DropDatabase(ctx context.Context, name string) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		d, err := s.Database(name)
		if err != nil {
			return err
		}
		if d.ID == defaultDatabase {
			return status.New(status.Unexpected, "can not drop default database")
		}
		empty := true
		s.see(func(v *view) {
			for _, sh := range v.shelves {
				empty = empty && sh.value.DatabaseID != d.ID
			}
		})
		if !empty {
			return status.New(status.DatabaseNotEmpty, "database:%s not empty, must drop all collections before drop database", d.Name)
		}
		var b batch
		b.remove(s.keys.Database(d.ID))
		if err := s.commit(ctx, "drop-database:commit", &b); err != nil {
			return err
		}
		s.show(func(v *view) { delete(v.databases, d.Name) })
		return nil
	})
}
