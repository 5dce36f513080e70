package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

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

	pkField, titleField, docField, vectorField milvus.FieldID = 100, 101, 102, 103
)

var beginning = milvus.NewTimestamp(1_700_000_000_000, 0)

func schema(dim int) milvus.Schema {
	return milvus.Schema{Name: collectionName, Fields: []milvus.Field{
		{ID: pkField, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{ID: titleField, Name: "title", Type: milvus.TypeVarChar, MaxLength: 200, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "200"}}},
		{ID: docField, Name: "doc", Type: milvus.TypeJSON},
		{ID: vectorField, Name: "vec", Type: milvus.TypeFloatVector, Dim: dim, TypeParams: []milvus.KeyValue{{Key: "dim", Value: strconv.Itoa(dim)}}},
	}}
}

// maker writes the collection segment by segment.
type maker struct {
	dir     string
	p       Params
	schema  milvus.Schema
	files   flush.Writer
	rand    *rand.Rand
	row     int // of the collection
	sum     hash.Hash
	told    *Description
	rows    []etcdmeta.KV
	deleted []int64 // keys of the segment at hand
}

// writeRows writes insert logs, delta logs, statistics and the dump.
func writeRows(dir string, p Params, told *Description) error {
	next := milvus.LogID(1_000_000)
	m := &maker{dir: dir, p: p, schema: schema(p.Dim), rand: rand.New(rand.NewPCG(p.Seed, 0)), sum: sha256.New(), told: told}
	m.files = flush.Writer{Root: storageRoot, Schema: &m.schema, Filter: binlog.FilterBlocked, NextLogID: func() milvus.LogID { next++; return next }}
	keys := etcdmeta.Keys{Root: etcdmeta.DefaultRoot}
	info := &pb.CollectionInfo{ID: collectionID, DbId: 1, ShardsNum: 1, VirtualChannelNames: []string{channel}, CreateTime: uint64(beginning), Schema: pb.FromSchema(&m.schema)}
	var err error
	if m.rows, err = etcdmeta.CollectionRows(keys, info, []*pb.PartitionInfo{{PartitionID: partitionID, PartitionName: "_default", CollectionId: collectionID}}); err != nil {
		return err
	}
	for i := range p.Segments {
		n := p.Rows*(i+1)/p.Segments - p.Rows*i/p.Segments
		seg, err := m.segment(milvus.SegmentID(firstSegment+i), n)
		if err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
		rows, err := etcdmeta.SegmentRows(keys, storageRoot, pb.FromSegment(seg))
		if err != nil {
			return err
		}
		m.rows = append(m.rows, rows...)
	}
	told.SHA256 = hex.EncodeToString(m.sum.Sum(nil))
	return writeDump(filepath.Join(dir, "etcd.json"), m.rows)
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

// segment writes the files of a sealed segment of n rows.
func (m *maker) segment(id milvus.SegmentID, n int) (*milvus.Segment, error) {
	seg := &milvus.Segment{ID: id, Collection: collectionID, Partition: partitionID, Level: milvus.LevelL1, Channel: channel, StorageVersion: milvus.StorageV1}
	m.deleted = nil
	var chunks []flush.Chunk
	for done := 0; done < n; done += m.p.ChunkRows {
		chunk := m.chunk(min(m.p.ChunkRows, n-done))
		objects, err := m.files.Insert(seg, beginning, chunk)
		if err != nil {
			return nil, err
		}
		if err := m.store(objects...); err != nil {
			return nil, err
		}
		chunks = append(chunks, flush.Chunk{pkField: chunk[pkField]}) // what statistics need
	}
	stats, err := m.files.Seal(seg, chunks...)
	if err != nil {
		return nil, err
	}
	if err := m.store(stats); err != nil {
		return nil, err
	}
	m.told.Live += n - len(m.deleted)
	return seg, m.deletes(seg)
}

// deletes writes two delta logs, both later than every row.
func (m *maker) deletes(seg *milvus.Segment) error {
	half := len(m.deleted) / 2
	for i, keys := range [][]int64{m.deleted[:half], m.deleted[half:]} {
		if len(keys) == 0 {
			continue
		}
		times := make([]uint64, len(keys))
		for k := range times {
			times[k] = uint64(beginning) + uint64(m.p.Rows+i*len(keys)+k+1)
		}
		objects, err := m.files.Delete(seg, beginning, &deltalog.Deletes{PKType: milvus.TypeInt64, Int64: keys, TS: times})
		if err != nil {
			return err
		}
		if err := m.store(objects...); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) store(objects ...flush.Object) error {
	for _, o := range objects {
		if !strings.Contains(o.Key, "/stats_log/") { // exports do not read statistics
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

// chunk makes the next n rows and picks those that are deleted.
func (m *maker) chunk(n int) flush.Chunk {
	alloc := memory.DefaultAllocator
	ids, times, keys := make([]int64, n), make([]int64, n), make([]int64, n)
	titles, docs := array.NewStringBuilder(alloc), array.NewStringBuilder(alloc)
	vectors := make([]float32, n*m.p.Dim)
	for i := range n {
		ids[i], times[i] = int64(m.row), int64(beginning)+int64(m.row)
		keys[i] = int64(uint64(m.row+1) * 0x9E3779B97F5 % (1 << 40)) // an odd factor: no two are equal
		titles.Append(m.title())
		docs.Append(m.doc())
		if m.rand.IntN(100) < m.p.Deleted {
			m.deleted = append(m.deleted, keys[i])
		}
		m.row++
	}
	for i := range vectors {
		vectors[i] = float32(m.rand.NormFloat64())
	}
	values := array.NewData(arrow.PrimitiveTypes.Float32, len(vectors), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(vectors))}, nil, 0, 0)
	list := arrow.FixedSizeListOfField(int32(m.p.Dim), arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Float32})
	return flush.Chunk{
		milvus.RowIDField: longs(ids), milvus.TimestampField: longs(times), pkField: longs(keys), titleField: titles.NewArray(), docField: docs.NewArray(),
		vectorField: array.MakeFromData(array.NewData(list, n, []*memory.Buffer{nil}, []arrow.ArrayData{values}, 0, 0)),
	}
}

var words = strings.Fields("amber birch cobalt delta ember fjord granite harbour indigo juniper kelp lagoon meadow nickel opal prairie quartz river saffron tundra umber valley willow xenon yarrow zephyr")

// title has 20 to 60 bytes.
func (m *maker) title() string {
	text := fmt.Sprintf("%08x", m.rand.Uint32())
	for most := 20 + m.rand.IntN(35); len(text) < most; {
		text += " " + words[m.rand.IntN(len(words))]
	}
	return text[:min(len(text), 60)]
}

// doc is a small object.
func (m *maker) doc() string {
	return fmt.Sprintf(`{"lang":%q,"year":%d,"score":%.4f,"tags":[%q,%q]}`, words[m.rand.IntN(8)], 1990+m.rand.IntN(36), m.rand.Float64(),
		words[m.rand.IntN(len(words))], words[m.rand.IntN(len(words))])
}

func longs(v []int64) arrow.Array {
	data := array.NewData(arrow.PrimitiveTypes.Int64, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(v))}, nil, 0, 0)
	return array.NewInt64Data(data)
}
