package restore

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

const op = "restore"

// plan says what a snapshot's segments become.
type plan struct {
	root       string
	source     *snapfile.Metadata
	target     *metastore.Collection
	partitions map[milvus.PartitionID]milvus.PartitionID
	channels   map[string]string
	builds     map[milvus.BuildID]milvus.BuildID
	indexes    map[milvus.IndexID]milvus.IndexID
	segments   map[milvus.SegmentID]*move // by the source's id
}

// move is a segment with what must be copied for it.
type move struct {
	from, to milvus.Segment
	files    []file
	tree     *tree // V3
}

// file is an object to be copied.
type file struct {
	from, to string
	size     int64 // as recorded; 0: not known
	maybe    bool  // metadata may name it although it is not there
}

// tree is the folder of a V3 segment.
type tree struct {
	from, to string
	version  int64
}

// newPlan plans the whole job. The target may be the one that is to be made.
func newPlan(root string, m *snapfile.Metadata, c *metastore.Collection, job *pb.CopySegmentJob, tasks []*pb.CopySegmentTask, segments []milvus.Segment) (*plan, error) {
	p := &plan{
		root: root, source: m, target: c,
		partitions: partitionMap(m.Collection.Partitions, c.Partitions), channels: channelMap(m.Collection.Channels, c.Channels),
		builds: map[milvus.BuildID]milvus.BuildID{}, indexes: map[milvus.IndexID]milvus.IndexID{},
		segments: make(map[milvus.SegmentID]*move, len(segments)),
	}
	if len(m.Collection.Channels) != len(c.Channels) {
		return nil, fault.Corrupt(op, "the target has %d channels, the source %d", len(c.Channels), len(m.Collection.Channels))
	}
	skipIndex := option(job, optCopyIndex) == "false"
	first, err := strconv.ParseInt(option(job, optFirstBuild), 10, 64)
	if err != nil {
		return nil, fault.Corrupt(op, "the job has the option %s=%q", optFirstBuild, option(job, optFirstBuild))
	}
	for i, b := range buildsOf(segments, skipIndex) {
		p.builds[b] = milvus.BuildID(first + int64(i))
	}
	for _, x := range m.Indexes {
		for _, t := range c.Indexes {
			if t.Name == x.Name && t.Field == x.Field {
				p.indexes[x.ID] = t.ID
			}
		}
	}
	targets := map[milvus.SegmentID]milvus.SegmentID{}
	for _, t := range tasks {
		for _, pair := range t.IdMappings {
			targets[milvus.SegmentID(pair.SourceSegmentId)] = milvus.SegmentID(pair.TargetSegmentId)
		}
	}
	for i := range segments {
		id, ok := targets[segments[i].ID]
		if !ok {
			return nil, fault.Corrupt(op, "no task of job %d has segment %d of the snapshot", job.JobId, segments[i].ID)
		}
		mv, err := p.move(&segments[i], id)
		if err != nil {
			return nil, err
		}
		p.segments[segments[i].ID] = mv
	}
	return p, nil
}

func option(job *pb.CopySegmentJob, key string) string {
	v, _ := milvus.Lookup(pb.ToKeyValues(job.Options), key)
	return v
}

// move plans one segment.
func (p *plan) move(from *milvus.Segment, id milvus.SegmentID) (*move, error) {
	m := &move{from: *from, to: *from}
	to := &m.to
	var known bool
	to.ID, to.Collection = id, p.target.ID
	if to.Partition, known = p.partitions[from.Partition]; !known {
		return nil, fault.Corrupt(op, "segment %d is of partition %d, which the snapshot does not have", from.ID, from.Partition)
	}
	if to.Channel, known = p.channels[from.Channel]; !known && from.Channel != "" {
		return nil, fault.Corrupt(op, "segment %d is of channel %q, which the snapshot does not have", from.ID, from.Channel)
	}
	to.Start, to.DML = p.position(from.Start), p.position(from.DML)
	for _, step := range []func(*move) error{p.manifest, p.logs, p.indexFiles, p.stats} {
		if err := step(m); err != nil {
			return nil, fault.Place(err, "segment "+strconv.FormatInt(int64(from.ID), 10))
		}
	}
	return m, nil
}

// position has another channel; physical ones are the same.
func (p *plan) position(from milvus.Position) milvus.Position {
	if to, ok := p.channels[from.Channel]; ok {
		from.Channel = to
	}
	return from
}

// manifest plans the folder of a segment that has one. The plain manifest path of V2 goes: its metadata lists the same files.
func (p *plan) manifest(m *move) error {
	m.to.ManifestPath = ""
	if !strings.HasPrefix(m.from.ManifestPath, "{") {
		if m.from.StorageVersion == milvus.StorageV3 {
			return fault.Corrupt(op, "it has storage version 3 and the manifest path %q", m.from.ManifestPath)
		}
		return nil
	}
	var path struct {
		Version int64  `json:"ver"`
		Base    string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(m.from.ManifestPath), &path); err != nil || path.Version <= 0 {
		return fault.Corrupt(op, "its manifest path is %q", m.from.ManifestPath)
	}
	t := &tree{from: strings.TrimSuffix(path.Base, "/"), to: p.folder("insert_log", &m.to), version: path.Version}
	if !p.inRoot(t.from) {
		return fault.UnsafePath(op, "its base path %q is not below %q", path.Base, p.root)
	}
	path.Base = t.to
	text, err := json.Marshal(path)
	m.tree, m.to.ManifestPath = t, string(text)
	return err
}

// inRoot tells keys below the root from those that lead elsewhere; what is not a key at all the store refuses.
func (p *plan) inRoot(key string) bool {
	return p.root == "" && !strings.Contains(key, "://") || strings.HasPrefix(key, p.root+"/")
}

// folder is where a segment's logs of one kind are.
func (p *plan) folder(kind string, s *milvus.Segment) string {
	ids := kind + "/" + decimal(s.Collection) + "/" + decimal(s.Partition) + "/" + decimal(s.ID)
	if p.root == "" {
		return ids
	}
	return p.root + "/" + ids
}

func decimal[T ~int64](id T) string { return strconv.FormatInt(int64(id), 10) }

// logs plans the logs. With a manifest, those that lie below its folder are copied with it: rows, statistics and deletes.
func (p *plan) logs(m *move) error {
	for _, l := range []struct {
		kind string
		list *[]milvus.FieldBinlog
		size func(*milvus.Binlog) int64
	}{
		{"insert_log", &m.to.Binlogs, insertSize}, {"delta_log", &m.to.Deltalogs, recordedSize},
		{"stats_log", &m.to.Statslogs, recordedSize}, {"bm25_stats", &m.to.BM25logs, recordedSize},
	} {
		out := make([]milvus.FieldBinlog, 0, len(*l.list))
		for _, f := range *l.list {
			logs := make([]milvus.Binlog, len(f.Binlogs))
			for i, b := range f.Binlogs {
				key, err := p.log(m, l.kind, b.File.Key)
				if err != nil {
					return err
				}
				if key != "" {
					m.files = append(m.files, file{from: b.File.Key, to: key, size: l.size(&b)})
				}
				b.File.Key = key
				logs[i] = b
			}
			f.Binlogs = logs
			out = append(out, f)
		}
		*l.list = out
	}
	return nil
}

func recordedSize(b *milvus.Binlog) int64 { return b.Size }

// insertSize is the file's size, 0 where the recorded one may be the size in memory (docs/format/etcd.md 5.1).
func insertSize(b *milvus.Binlog) int64 {
	if b.MemorySize == 0 || b.MemorySize == b.Size {
		return 0
	}
	return b.Size
}

// log returns a log's new key: .../{kind}/C/P/S/tail keeps its tail. It is "" for one that the manifest lists.
func (p *plan) log(m *move, kind, key string) (string, error) {
	if m.tree != nil {
		switch {
		case kind != "delta_log" && m.from.StorageVersion == milvus.StorageV3, key == "", strings.HasPrefix(key, m.tree.from+"/"):
			return "", nil
		case kind == "delta_log":
			return "", fault.Unsupported(op, "it has a manifest, and the deltalog %q beside it", key)
		}
	}
	at := strings.LastIndex("/"+key, "/"+kind+"/")
	if at < 0 || !p.inRoot(key) {
		return "", fault.Corrupt(op, "the log %q is not below %s/%s", key, p.root, kind)
	}
	parts := strings.SplitN(key[at+len(kind)+1:], "/", 4) // collection, partition, segment, tail
	if len(parts) < 4 || parts[3] == "" {
		return "", fault.Corrupt(op, "the log %q has no collection, partition and segment", key)
	}
	return p.folder(kind, &m.to) + "/" + parts[3], nil
}

// indexFiles plans the files of indexes that the target has.
func (p *plan) indexFiles(m *move) error {
	m.to.Indexes = nil
	for _, x := range m.from.Indexes {
		id, ok := p.indexes[x.Index]
		if !ok { // not to be copied, or an index that was dropped before
			continue
		}
		from := etcdmeta.IndexDir(p.root, &m.from, &x)
		source := x.Files
		x.Index, x.Build, x.Files = id, p.builds[x.Build], nil
		to := etcdmeta.IndexDir(p.root, &m.to, &x)
		if err := p.dir(m, from, to, source, &x.Files, false); err != nil {
			return err
		}
		m.to.Indexes = append(m.to.Indexes, x)
	}
	return nil
}

// stats plans text indexes and JSON key statistics. What V3 says of them may be placeholders.
func (p *plan) stats(m *move) error {
	for _, l := range []struct {
		list *[]milvus.FieldStats
		json bool
	}{{&m.to.TextIndexes, false}, {&m.to.JSONStats, true}} {
		var out []milvus.FieldStats
		for _, f := range *l.list {
			from := etcdmeta.StatsDir(p.root, &m.from, &f, l.json)
			source := f.Files
			f.Build, f.Files = p.builds[f.Build], nil
			to := etcdmeta.StatsDir(p.root, &m.to, &f, l.json)
			if err := p.dir(m, from, to, source, &f.Files, m.tree != nil); err != nil {
				return err
			}
			out = append(out, f)
		}
		*l.list = out
	}
	return nil
}

// dir plans the files of a folder. Those below a V3 segment's own folder are copied with it.
func (p *plan) dir(m *move, from, to string, files []milvus.FileRef, out *[]milvus.FileRef, maybe bool) error {
	for _, f := range files {
		if m.tree != nil && strings.HasPrefix(f.Key, m.tree.from+"/") {
			continue
		}
		tail, ok := strings.CutPrefix(f.Key, from+"/")
		if !ok {
			return fault.Corrupt(op, "the file %q is not below %s", f.Key, from)
		}
		m.files = append(m.files, file{from: f.Key, to: to + "/" + tail, maybe: maybe})
		*out = append(*out, milvus.FileRef{Key: to + "/" + tail})
	}
	return nil
}
