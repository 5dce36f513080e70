package metastore

import (
	"context"
	"slices"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
)

// Codes of Milvus that only aliases have.
const (
	aliasNameConflict status.Code = 1601
	aliasExists       status.Code = 1602
)

// CreateAlias gives a collection a further name. An alias that the collection has already is fine.
func (s *Store) CreateAlias(ctx context.Context, db, alias, collection string) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, holder, err := s.aliased(db, alias, collection)
		if err != nil {
			return err
		}
		if holder != nil && holder != sh {
			return status.New(aliasExists, "%s is alias to another collection: %s: alias already exist[database=%s][alias=%s]",
				alias, holder.value.Schema.Name, sh.value.Database, alias)
		}
		return s.point(ctx, "create-alias", sh, holder, alias)
	})
}

// AlterAlias lets an alias that exists name another collection of the same database.
func (s *Store) AlterAlias(ctx context.Context, db, alias, collection string) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, holder, err := s.aliased(db, alias, collection)
		if err != nil {
			return err
		}
		if holder == nil {
			return status.AliasNotFound(sh.value.Database, alias)
		}
		return s.point(ctx, "alter-alias", sh, holder, alias)
	})
}

// aliased returns the collection that an alias is to name and the one, if any, that it names.
func (s *Store) aliased(db, alias, collection string) (sh, holder *shelf, err error) {
	s.see(func(v *view) {
		var c *Collection
		if c, err = v.find(db, collection); err != nil {
			return
		}
		sh = v.shelves[c.ID]
		holder = v.shelves[v.aliases[name{c.DatabaseID, alias}]]
		if _, taken := v.names[name{c.DatabaseID, alias}]; taken {
			err = status.New(aliasNameConflict, "alias and collection name conflict[database=%s][alias=%s]", c.Database, alias)
		}
	})
	return sh, holder, err
}

// point makes the alias name a collection instead of its holder.
func (s *Store) point(ctx context.Context, action string, sh, holder *shelf, alias string) error {
	if holder == sh {
		return nil
	}
	next, err := sh.with(func(_ *shelf, aliases *[]string) { *aliases = append(*aliases, alias) })
	if err != nil {
		return err
	}
	created, err := s.Timestamp()
	if err != nil {
		return err
	}
	var b batch
	b.put(etcdmeta.AliasRow(s.keys, &pb.AliasInfo{
		AliasName: alias, CollectionId: int64(sh.value.ID), CreatedTime: uint64(created), DbId: int64(sh.value.DatabaseID),
	}))
	if holder == nil {
		return s.showAlias(ctx, action, &b, next)
	}
	rest, err := holder.without(alias)
	if err != nil {
		return err
	}
	return s.showAlias(ctx, action, &b, rest, next)
}

func (sh *shelf) without(alias string) (*shelf, error) {
	return sh.with(func(_ *shelf, aliases *[]string) {
		*aliases = slices.DeleteFunc(*aliases, func(a string) bool { return a == alias })
	})
}

func (s *Store) showAlias(ctx context.Context, action string, b *batch, next ...*shelf) error {
	if err := s.commit(ctx, action+":commit", b); err != nil {
		return err
	}
	s.show(func(v *view) {
		for _, sh := range next {
			v.setShelf(sh)
		}
	})
	return nil
}

// DropAlias removes an alias; one that is not there is an error.
func (s *Store) DropAlias(ctx context.Context, db, alias string) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		d, err := s.Database(db)
		if err != nil {
			return err
		}
		var holder *shelf
		s.see(func(v *view) { holder = v.shelves[v.aliases[name{d.ID, alias}]] })
		if holder == nil {
			return status.AliasNotFound(d.Name, alias)
		}
		next, err := holder.without(alias)
		if err != nil {
			return err
		}
		var b batch
		b.remove(s.keys.Alias(d.ID, alias))
		return s.showAlias(ctx, "drop-alias", &b, next)
	})
}
