package metastore

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const (
	formatVersion = "1" // of what lies below Keys.Own
	maxRepairs    = 10  // rounds of recovery: what one does not see, the next one does
)

func (s *Store) formatKey() string { return s.keys.Own() + "format" }

// begin makes an empty root ours. A root with metadata that is not ours is refused.
func (s *Store) begin(ctx context.Context) error {
	key := s.formatKey()
	found, err := s.page(ctx, key, key+"\x00", 0)
	if err != nil {
		return err
	}
	if len(found.Kvs) > 0 {
		version, id, _ := strings.Cut(string(found.Kvs[0].Value), "/")
		if version != formatVersion || id == "" {
			return fault.Unsupported(op, "the metadata is of version %q, version %q is understood", version, formatVersion).On(key).
				WithHint("a newer snapexport wrote it")
		}
		s.id = id
		return nil
	}
	for _, prefix := range etcdmeta.Prefixes(s.keys.Root) {
		page, err := s.page(ctx, prefix, clientv3.GetPrefixRangeEnd(prefix), 0)
		if err != nil {
			return err
		}
		if len(page.Kvs) > 0 {
			return fault.Unsupported(op, "there is a Milvus's metadata, which is not taken over").On(string(page.Kvs[0].Key)).
				WithHint("choose another root")
		}
	}
	now := s.config.Now()
	s.id = strconv.FormatInt(now.UnixNano(), 10)
	d := Database{ID: defaultDatabase, Name: pb.DefaultDatabase, Created: milvus.NewTimestamp(now.UnixMilli(), 0)}
	var b batch
	b.put(etcdmeta.DatabaseRow(s.keys, d.message()))
	b.put(etcdmeta.KV{Key: key, Value: []byte(formatVersion + "/" + s.id)}, nil)
	return s.commit(ctx, "begin:commit", &b)
}

// stored is everything that etcd holds, at one revision.
type stored struct {
	catalog     *etcdmeta.Catalog
	collections map[milvus.CollectionID]*etcdmeta.Stored
	checkpoints map[string]milvus.Position
	jobs        []*pb.CopySegmentJob
	tasks       []*pb.CopySegmentTask
	records     map[string]record // by key
	first       bool              // the store is being opened: nothing is under way

	timestamps, ids time.Time // marks
}

// load reads everything, recovers until there is nothing to recover, and shows it. first says that the store is being opened.
func (s *Store) load(ctx context.Context, first bool) error {
	for range maxRepairs {
		st, err := s.read(ctx)
		if err != nil {
			return err
		}
		st.first = first
		s.resume(st.timestamps, st.ids)
		repairs, err := s.repairs(st)
		if err != nil {
			return err
		}
		if len(repairs.ops) == 0 {
			v, err := s.toView(st)
			if err == nil {
				s.show(func(*view) { s.view = v })
			}
			return err
		}
		s.config.Log.Info("clearing up after a change of metadata that was interrupted", "operations", len(repairs.ops))
		if err := s.spread(ctx, "recover:repair", repairs); err != nil {
			return err
		}
	}
	return fault.Corrupt(op, "the metadata needs repair again and again").On(s.keys.Root)
}

func (s *Store) read(ctx context.Context) (*stored, error) {
	st := &stored{
		collections: map[milvus.CollectionID]*etcdmeta.Stored{}, records: map[string]record{},
		timestamps: time.Unix(0, 0), ids: time.Unix(0, 0),
	}
	prefixes := append(etcdmeta.Prefixes(s.keys.Root), s.keys.Own(), s.keys.TimestampMark(), s.keys.IDMark())
	var err error
	rows := func(yield func(etcdmeta.KV, error) bool) {
		for kv, err := range s.scan(ctx, prefixes...) {
			ours := false
			if err == nil {
				ours, err = st.own(s, kv)
			}
			if !ours && !yield(kv, err) {
				return
			}
		}
	}
	if st.catalog, err = etcdmeta.Load(rows, etcdmeta.Options{Root: s.keys.Root, Storage: s.config.Storage}); err != nil {
		return nil, err
	}
	for _, id := range st.catalog.StoredCollections() {
		if st.collections[id], err = st.catalog.Stored(id); err != nil {
			return nil, err
		}
	}
	if st.checkpoints, err = st.catalog.Checkpoints(); err != nil {
		return nil, err
	}
	if st.jobs, err = st.catalog.CopyJobs(); err != nil {
		return nil, err
	}
	st.tasks, err = st.catalog.CopyTasks()
	return st, err
}

// own takes rows that are not Milvus's, or not below the root.
func (st *stored) own(s *Store, kv etcdmeta.KV) (ours bool, err error) {
	switch {
	case kv.Key == s.keys.TimestampMark():
		st.timestamps, err = etcdmeta.ReadMark(kv)
	case kv.Key == s.keys.IDMark():
		st.ids, err = etcdmeta.ReadMark(kv)
	case strings.HasPrefix(kv.Key, s.records()):
		var r record
		if err = json.Unmarshal(kv.Value, &r); err != nil {
			err = fault.Corrupt(op, "record of a change: %w", err).On(kv.Key)
		}
		st.records[kv.Key] = r
	default:
		return strings.HasPrefix(kv.Key, s.keys.Own()), nil
	}
	return err == nil, err
}

// toView makes the view of rows that need no repair.
func (s *Store) toView(st *stored) (*view, error) {
	v := newView()
	names := map[milvus.DatabaseID]string{}
	for _, d := range st.catalog.Databases() {
		v.databases[d.Name] = toDatabase(d)
		names[milvus.DatabaseID(d.Id)] = d.Name
	}
	for _, id := range slices.Sorted(maps.Keys(st.collections)) {
		if err := s.addStored(v, names, st.collections[id]); err != nil {
			return nil, fault.Place(err, s.keys.Collection(st.collections[id].DatabaseID, id))
		}
	}
	for channel, p := range st.checkpoints {
		v.checkpoints[channel] = p
	}
	for _, j := range st.jobs {
		v.jobs[j.JobId] = j
	}
	v.setTasks(st.tasks...)
	return v, nil
}

func (s *Store) addStored(v *view, names map[milvus.DatabaseID]string, c *etcdmeta.Stored) error {
	var sh *shelf
	if c.Info != nil {
		db, ok := names[c.DatabaseID]
		if !ok || c.Legacy {
			return fault.Corrupt(op, "the collection is of database %d, which is not there", c.DatabaseID)
		}
		var live []*pb.FieldIndex
		for _, x := range c.Indexes {
			if !x.Deleted {
				live = append(live, x)
			}
		}
		var err error
		if sh, err = newShelf(c.Info, db, c.Aliases, c.Partitions, live); err != nil {
			return err
		}
		v.setShelf(sh)
	}
	segments, err := s.storedSegments(c)
	if err != nil {
		return err
	}
	s.addIndexes(v, sh, segments, c.SegmentIndexes)
	if sh != nil && sh.value.State == pb.CollectionState_CollectionCreating {
		for i, seg := range segments {
			if seg.State == pb.SegmentState_Flushed { // a restore that was about to publish it; it will do so again
				segments[i] = seg.in(pb.SegmentState_Importing)
			}
		}
	}
	v.setSegments(segments...)
	for _, snap := range c.Snapshots {
		v.setSnapshot(snap)
	}
	return nil
}

func (s *Store) storedSegments(c *etcdmeta.Stored) ([]*Segment, error) {
	var out []*Segment
	for _, info := range c.Segments {
		seg, err := toSegment(s.config.Storage, info)
		if err != nil {
			return nil, err
		}
		out = append(out, seg)
	}
	return out, nil
}

// addIndexes gives segments their indexes: dropped ones all that they ever had, so that the files go with them.
func (s *Store) addIndexes(v *view, sh *shelf, segments []*Segment, rows []*pb.SegmentIndex) {
	byID := make(map[int64]*Segment, len(segments))
	for _, seg := range segments {
		byID[int64(seg.ID)] = seg
	}
	now := s.instant()
	for _, x := range rows {
		seg := byID[x.SegmentID]
		if seg == nil {
			continue
		}
		var info *pb.IndexInfo
		if sh != nil {
			info = sh.index(milvus.IndexID(x.IndexID))
		}
		files := etcdmeta.ToIndexFiles(s.config.Storage, x, info)
		if info == nil && seg.State != pb.SegmentState_Dropped {
			v.builds[seg.ID] = append(v.builds[seg.ID], DroppedBuild{seg.Collection, seg.Partition, seg.ID, files, now})
			continue
		}
		seg.Indexes = append(seg.Indexes, files) // rows are in order of builds
	}
}
