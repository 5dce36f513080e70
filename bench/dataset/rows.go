package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const (
	collectionName = "bench"
	collectionID   = 100
	partitionID    = 200
	firstSegment   = 1000
	channel        = "by-dev-rootcoord-dml_0_100v0"
	storageRoot    = "files"
)

// beginning is the timestamp of the first row; each later row and delete has the next one.
var beginning = milvus.NewTimestamp(1_700_000_000_000, 0)

// maker writes the collection segment by segment.
type maker struct {
	dir     string
	p       Params
	work    workload
	schema  milvus.Schema
	files   flush.Writer
	clock   int64 // timestamp of the next row or delete
	sum     hash.Hash
	told    *Description
	keys    etcdmeta.Keys
	rows    []etcdmeta.KV
	segment milvus.SegmentID // the next one's
}

// writeRows writes insert logs, delta logs, statistics and the dump.
func writeRows(dir string, p Params, told *Description) error {
	w, next := workloads[p.Workload], milvus.LogID(1_000_000)
	m := &maker{dir: dir, p: p, work: w, schema: schema(w, p), clock: int64(beginning), sum: sha256.New(), told: told, segment: firstSegment}
	m.keys = etcdmeta.Keys{Root: etcdmeta.DefaultRoot}
	m.files = flush.Writer{
		Root: storageRoot, Schema: &m.schema, Version: versions[p.Storage].version, PlainVectors: versions[p.Storage].plain, Filter: binlog.FilterBlocked,
		NextLogID: func() milvus.LogID { next++; return next },
	}
	told.Text = w.text
	info := &pb.CollectionInfo{ID: collectionID, DbId: 1, ShardsNum: 1, VirtualChannelNames: []string{channel}, CreateTime: uint64(beginning), Schema: pb.FromSchema(&m.schema)}
	var err error
	if m.rows, err = etcdmeta.CollectionRows(m.keys, info, []*pb.PartitionInfo{{PartitionID: partitionID, PartitionName: "_default", CollectionId: collectionID}}); err != nil {
		return err
	}
	if err := m.history(); err != nil {
		return err
	}
	told.SHA256 = hex.EncodeToString(m.sum.Sum(nil))
	return writeDump(filepath.Join(dir, "etcd.json"), m.rows)
}

// history writes what happened to the collection, in order: rows, deletes of some, and rows with the keys of some of those.
func (m *maker) history() error {
	fresh := m.p.Rows * 100 / (100 + m.work.again)
	fates := m.fates(fresh)
	again := len(fates.again)
	segments := max(1, m.p.Segments*fresh/(fresh+again))
	var sealed []*milvus.Segment
	for i := range segments {
		seg := m.next(milvus.LevelL1)
		sealed = append(sealed, seg)
		if err := m.insert(seg, numbers(fresh*i/segments, fresh*(i+1)/segments)); err != nil {
			return err
		}
	}
	for i, seg := range sealed { // later than every row so far
		gone := fates.deltas.within(fresh*i/segments, fresh*(i+1)/segments)
		for _, half := range [][]int{gone[:len(gone)/2], gone[len(gone)/2:]} {
			if err := m.remove(seg, half); err != nil {
				return err
			}
		}
		if err := m.publish(seg); err != nil {
			return err
		}
	}
	if err := m.levelZero(fates.l0); err != nil {
		return err
	}
	rest := m.p.Segments - segments
	for i := range rest {
		seg := m.next(milvus.LevelL1)
		if err := m.insert(seg, fates.again[again*i/rest:again*(i+1)/rest]); err != nil {
			return err
		}
		if err := m.publish(seg); err != nil {
			return err
		}
	}
	m.told.Live = fresh - len(fates.deltas) - len(fates.l0) + again
	return nil
}

// list holds numbers of rows, ascending.
type list []int

// within returns those from one number up to another.
func (l list) within(from, to int) (out []int) {
	for _, n := range l {
		if n >= from && n < to {
			out = append(out, n)
		}
	}
	return out
}

func numbers(from, to int) []int {
	out := make([]int, to-from)
	for i := range out {
		out[i] = from + i
	}
	return out
}

// fates says which rows are deleted, in which way, and which of their keys come again.
type fates struct{ deltas, l0, again list }

func (m *maker) fates(rows int) (f fates) {
	r := rand.New(rand.NewPCG(m.p.Seed, 0))
	comeBack := 0.0
	if m.work.again > 0 {
		comeBack = float64(m.work.again) / float64(m.work.deltas+m.work.l0)
	}
	for n := range rows {
		switch fate, back := r.IntN(100), r.Float64() < comeBack; {
		case fate < m.work.deltas:
			f.deltas = append(f.deltas, n)
			if back {
				f.again = append(f.again, n)
			}
		case fate < m.work.deltas+m.work.l0:
			f.l0 = append(f.l0, n)
			if back {
				f.again = append(f.again, n)
			}
		}
	}
	return f
}

func (m *maker) next(level milvus.SegmentLevel) *milvus.Segment {
	seg := &milvus.Segment{ID: m.segment, Collection: collectionID, Partition: partitionID, Level: level, Channel: channel}
	m.segment++
	return seg
}

// insert writes rows of a sealed segment, chunk by chunk.
func (m *maker) insert(seg *milvus.Segment, rows []int) error {
	pk := m.schema.Fields[0].ID
	var chunks []flush.Chunk
	for len(rows) > 0 {
		n := min(m.p.ChunkRows, len(rows))
		chunk, err := m.chunk(rows[:n])
		if err != nil {
			return err
		}
		objects, err := m.files.Insert(seg, beginning, chunk)
		if err != nil {
			return err
		}
		if err := m.store(objects...); err != nil {
			return err
		}
		chunks = append(chunks, flush.Chunk{pk: chunk[pk]}) // what statistics need
		rows = rows[n:]
	}
	stats, err := m.files.Seal(seg, chunks...)
	if err != nil {
		return err
	}
	return m.store(stats)
}

// remove writes one delta log.
func (m *maker) remove(seg *milvus.Segment, rows []int) error {
	if len(rows) == 0 {
		return nil
	}
	d := &deltalog.Deletes{PKType: milvus.TypeInt64}
	for _, n := range rows {
		d.Int64, d.TS = append(d.Int64, key(n)), append(d.TS, uint64(m.clock))
		m.clock++
	}
	objects, err := m.files.Delete(seg, beginning, d)
	if err != nil {
		return err
	}
	return m.store(objects...)
}

// levelZero writes L0 segments of up to 100,000 deletes.
func (m *maker) levelZero(rows []int) error {
	for len(rows) > 0 {
		n := min(100_000, len(rows))
		seg := m.next(milvus.LevelL0)
		if err := m.remove(seg, rows[:n]); err != nil {
			return err
		}
		if err := m.publish(seg); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// publish records the finished segment.
func (m *maker) publish(seg *milvus.Segment) error {
	rows, err := etcdmeta.SegmentRows(m.keys, storageRoot, pb.FromSegment(seg))
	m.rows = append(m.rows, rows...)
	return err
}

func (m *maker) store(objects ...flush.Object) error {
	for _, o := range objects {
		if !strings.Contains(o.Key, "stats") { // exports do not read statistics
			m.sum.Write([]byte(o.Key))
			m.sum.Write(o.Body)
			m.told.Files++
			m.told.Bytes += int64(len(o.Body))
		}
		if err := writeFile(filepath.Join(m.dir, filepath.FromSlash(o.Key)), o.Body); err != nil {
			return err
		}
	}
	return nil
}

// key of row n: an odd factor, so no two are equal.
func key(n int) int64 { return int64(uint64(n+1) * 0x9E3779B97F5 % (1 << 40)) }

// chunk makes rows with the keys of the numbers.
func (m *maker) chunk(rows []int) (flush.Chunk, error) {
	n, at := len(rows), int(m.clock-int64(beginning)) // where no other chunk begins
	ids, times, keys := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, number := range rows {
		ids[i], times[i], keys[i] = int64(at+i), m.clock, key(number)
		m.clock++
	}
	out := flush.Chunk{milvus.RowIDField: longs(ids), milvus.TimestampField: longs(times), m.schema.Fields[0].ID: longs(keys)}
	for _, f := range m.schema.Fields[1:] {
		values, err := column(f, m.p.Seed, at, n)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if out[f.ID] = values; f.Type.IsDenseVector() {
			m.told.VectorBytes += int64(n * f.Type.DenseVectorWidth(f.Dim))
		}
	}
	return out, nil
}

// writeDump writes rows as `etcdctl get --prefix by-dev/meta -w json` prints them.
func writeDump(name string, rows []etcdmeta.KV) error {
	type kv struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	}
	out := struct {
		KVs   []kv `json:"kvs"`
		Count int  `json:"count"`
	}{Count: len(rows)}
	for _, r := range rows {
		out.KVs = append(out.KVs, kv{[]byte(r.Key), r.Value})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return writeFile(name, b)
}
