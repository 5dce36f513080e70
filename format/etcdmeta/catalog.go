package etcdmeta

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const opRead = "read cluster metadata"

// defaultDatabase is the id of the database that always exists; 0 stands for it in older rows.
const defaultDatabase = 1

var tombstone = []byte{0xE2, 0x9B, 0xBC}

// Options say where a cluster's metadata and its files are.
type Options struct {
	Root    string // of the keys; "" is DefaultRoot
	Storage string // root path in the object storage ("files"); it is not in etcd
}

// Catalog is a cluster's metadata at one revision. Its methods may be called from several goroutines.
type Catalog struct {
	opts        Options
	databases   map[int64]*pb.DatabaseInfo
	collections map[milvus.CollectionID]*shelf
	checkpoints map[string][]byte
	jobs, tasks []row

	// Sessions tells that rows of running servers were among those read.
	Sessions bool
}

// row is a value that is not decoded yet.
type row struct {
	ids   [4]int64
	value []byte
}

// shelf holds the rows of one collection.
type shelf struct {
	info    *pb.CollectionInfo // nil: children without a collection
	db      int64
	legacy  bool
	aliases []string
	rows    map[kind][]row
}

// Load sorts a cluster's rows by collection. Rows outside the root are ignored; if there are none inside it, the error is
// fault.ErrMissing and its hint names the roots that were seen.
func Load(rows iter.Seq2[KV, error], opts Options) (*Catalog, error) {
	if opts.Root == "" {
		opts.Root = DefaultRoot
	}
	c := &Catalog{
		opts: opts, databases: map[int64]*pb.DatabaseInfo{},
		collections: map[milvus.CollectionID]*shelf{}, checkpoints: map[string][]byte{},
	}
	l := loader{catalog: c, others: map[string]bool{}}
	for kv, err := range rows {
		if err != nil {
			return nil, err
		}
		if err := l.add(kv); err != nil {
			return nil, fault.Place(err, kv.Key)
		}
	}
	return c, l.finish()
}

type loader struct {
	catalog   *Catalog
	others    map[string]bool // other roots
	rootCoord bool
	aliases   []alias
}

type alias struct {
	name       string
	db         int64
	collection milvus.CollectionID
}

func (l *loader) add(kv KV) error {
	if forbidden(kv.Key) {
		if strings.HasPrefix(kv.Key, l.catalog.opts.Root+"/session/") {
			l.catalog.Sessions = true
		}
		return nil
	}
	rel, ours := strings.CutPrefix(kv.Key, l.catalog.opts.Root+"/")
	if !ours {
		l.note(kv.Key)
		return nil
	}
	a, known, ok := parse(rel)
	if !known {
		l.note(kv.Key)
		return nil
	}
	if !ok {
		return fault.Corrupt(opRead, "the key does not have the form of its table")
	}
	if len(kv.Value) > MaxRowBytes {
		return fault.Limit(opRead, "the value has %d bytes, more than %d", len(kv.Value), MaxRowBytes)
	}
	if a.kind <= kindOldestAlias {
		l.rootCoord = true
		if bytes.Equal(kv.Value, tombstone) {
			return nil
		}
	}
	return l.store(a, kv.Value)
}

// note remembers what looks like another cluster's root.
func (l *loader) note(key string) {
	if root, _, ok := strings.Cut(key, "/root-coord/"); ok && len(l.others) < 16 {
		root = strings.TrimSuffix(root, "/snapshots")
		if root != l.catalog.opts.Root {
			l.others[root] = true
		}
	}
}

func (l *loader) store(a address, value []byte) error {
	c := l.catalog
	switch a.kind {
	case kindDatabase:
		info := &pb.DatabaseInfo{}
		c.databases[a.ids[0]] = info
		return unmarshal(value, info)
	case kindCollection:
		return c.putCollection(a.ids[1], a.ids[0], value, false)
	case kindLegacyCollection:
		return c.putCollection(a.ids[0], defaultDatabase, value, true)
	case kindAlias, kindLegacyAlias, kindOldestAlias:
		return l.putAlias(a, value)
	case kindCheckpoint:
		c.checkpoints[a.name] = value
	case kindCopyJob:
		c.jobs = append(c.jobs, row{a.ids, value})
	case kindCopyTask:
		c.tasks = append(c.tasks, row{a.ids, value})
	default:
		s := c.shelf(a.ids[0])
		s.rows[a.kind] = append(s.rows[a.kind], row{a.ids, value})
	}
	return nil
}

func unmarshal(value []byte, m proto.Message) error {
	if err := proto.Unmarshal(value, m); err != nil {
		return fault.Corrupt(opRead, "not a %s: %s", m.ProtoReflect().Descriptor().Name(), tidy(err))
	}
	return nil
}

// tidy makes protobuf's messages stable: they contain unbreakable spaces at random.
func tidy(err error) string {
	return strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
}

func (c *Catalog) shelf(id int64) *shelf {
	s := c.collections[milvus.CollectionID(id)]
	if s == nil {
		s = &shelf{rows: map[kind][]row{}}
		c.collections[milvus.CollectionID(id)] = s
	}
	return s
}

// putCollection takes a collection's row; one of the present form wins over one from before there were databases.
func (c *Catalog) putCollection(id, db int64, value []byte, legacy bool) error {
	info := &pb.CollectionInfo{}
	if err := unmarshal(value, info); err != nil {
		return err
	}
	if info.ID != id {
		return fault.Corrupt(opRead, "the row is of collection %d", info.ID)
	}
	if db == 0 {
		db = defaultDatabase
	}
	s := c.shelf(id)
	switch {
	case s.info != nil && !s.legacy && legacy:
		return nil
	case s.info != nil && s.legacy == legacy && s.db != db:
		return fault.Corrupt(opRead, "collection %d is in databases %d and %d: %w", id, s.db, db, ErrTorn).WithHint(tornHint)
	}
	s.info, s.db, s.legacy = info, db, legacy
	return nil
}

func (l *loader) putAlias(a address, value []byte) error {
	out := alias{name: a.name, db: max(a.ids[0], defaultDatabase)}
	if a.kind == kindOldestAlias {
		info := &pb.CollectionInfo{}
		if err := unmarshal(value, info); err != nil {
			return err
		}
		out.collection = milvus.CollectionID(info.ID)
	} else {
		info := &pb.AliasInfo{}
		if err := unmarshal(value, info); err != nil {
			return err
		}
		if info.State != pb.AliasState_AliasCreated {
			return nil
		}
		out.collection = milvus.CollectionID(info.CollectionId)
	}
	l.aliases = append(l.aliases, out)
	return nil
}

func (l *loader) finish() error {
	c := l.catalog
	for _, a := range l.aliases {
		s := c.collections[a.collection]
		if s != nil && s.db == a.db && !slices.Contains(s.aliases, a.name) {
			s.aliases = append(s.aliases, a.name)
		}
	}
	for _, s := range c.collections {
		slices.Sort(s.aliases)
	}
	if l.rootCoord {
		return nil
	}
	if c.Sessions {
		return fault.Unsupported(opRead, "below %q are sessions of servers but no collections", c.opts.Root).
			WithHint("the cluster keeps its metadata in TiKV (metastore.type), which is not read")
	}
	e := fault.Missing(opRead, "there is no metadata below %q", c.opts.Root)
	if len(l.others) > 0 {
		return e.WithHint("there is some below %s", strings.Join(slices.Sorted(maps.Keys(l.others)), ", "))
	}
	return e.WithHint("the root is etcd.rootPath and etcd.metaSubPath of the cluster's settings, joined by a slash")
}

// Summary names a live collection.
type Summary struct {
	ID         milvus.CollectionID
	Database   string
	DatabaseID milvus.DatabaseID
	Name       string
	Aliases    []string
	Created    milvus.Timestamp
}

// Databases returns the rows of databases, by id, in any state. Clusters from before there were databases have none.
func (c *Catalog) Databases() []*pb.DatabaseInfo {
	var out []*pb.DatabaseInfo
	for _, id := range slices.Sorted(maps.Keys(c.databases)) {
		out = append(out, c.databases[id])
	}
	return out
}

// database returns a database's name and whether it is in use.
func (c *Catalog) database(id int64) (string, bool) {
	info := c.databases[id]
	switch {
	case info != nil:
		return info.Name, info.State == pb.DatabaseState_DatabaseCreated
	case id == defaultDatabase:
		return pb.DefaultDatabase, true // clusters from before there were databases have no row for it
	}
	return "", false
}

// Collections lists the live collections, by database and name.
func (c *Catalog) Collections() []Summary {
	var out []Summary
	for id, s := range c.collections {
		if sum, live := c.summary(id, s); live {
			out = append(out, sum)
		}
	}
	slices.SortFunc(out, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (c *Catalog) summary(id milvus.CollectionID, s *shelf) (Summary, bool) {
	if s.info == nil || s.info.State != pb.CollectionState_CollectionCreated {
		return Summary{}, false
	}
	db, live := c.database(s.db)
	return Summary{
		ID: id, Database: db, DatabaseID: milvus.DatabaseID(s.db), Name: s.info.GetSchema().GetName(),
		Aliases: s.aliases, Created: milvus.Timestamp(s.info.CreateTime),
	}, live
}

// Find returns the live collection with the name or alias; database "" is the default one. If there is none the error is
// fault.ErrMissing and its hint says which there are.
func (c *Catalog) Find(database, name string) (Summary, error) {
	database = cmp.Or(database, pb.DefaultDatabase)
	var names []string
	for _, s := range c.Collections() {
		if s.Database == database && (s.Name == name || slices.Contains(s.Aliases, name)) {
			return s, nil
		}
		if len(names) < 20 {
			names = append(names, s.Database+"."+s.Name)
		}
	}
	return Summary{}, fault.Missing(opRead, "there is no collection %q in database %q", name, database).
		WithHint("there are: %s", strings.Join(names, ", "))
}

// CopyJobs returns the jobs that copy segments for a restore, by id. Their external_spec may hold credentials.
func (c *Catalog) CopyJobs() ([]*pb.CopySegmentJob, error) {
	return decodeAll(c.jobs, func() *pb.CopySegmentJob { return &pb.CopySegmentJob{} })
}

// CopyTasks returns the tasks of all such jobs, by id.
func (c *Catalog) CopyTasks() ([]*pb.CopySegmentTask, error) {
	return decodeAll(c.tasks, func() *pb.CopySegmentTask { return &pb.CopySegmentTask{} })
}

// decodeAll decodes rows in order of their ids.
func decodeAll[M proto.Message](rows []row, fresh func() M) ([]M, error) {
	sorted, err := byID(rows)
	if err != nil {
		return nil, err
	}
	var out []M
	for _, r := range sorted {
		m := fresh()
		if err := unmarshal(r.value, m); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// byID returns the rows sorted. A key that came twice is an error: its values would count twice.
func byID(rows []row) ([]row, error) {
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b row) int { return slices.Compare(a.ids[:], b.ids[:]) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].ids == sorted[i-1].ids {
			return nil, fault.Corrupt(opRead, "the row with the ids %v came twice", sorted[i].ids)
		}
	}
	return sorted, nil
}
