// Command tombstones makes a collection with very many deletes in L0 segments, and the dump of its etcd, for measuring what
// exports need for them:
//
//	go run ./bench/tombstones -out /tmp/tombstones -tombstones 100000000 -rows 10000000
//	/usr/bin/time -v bin/snapexport export 'etcd+file:/tmp/tombstones/etcd.json?storage=/tmp/tombstones#tombstones' \
//	    --to /tmp/tombstones/table --memory 1GiB --temp-dir /tmp --replace
//
// Of the rows, the second half is deleted, by the first deletes; all other deletes are of keys that no row has.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const (
	collectionID                 = 100
	partitionID                  = 200
	channel                      = "by-dev-rootcoord-dml_0_100v0"
	storageRoot                  = "files"
	keyField, sizeField          = milvus.FieldID(100), milvus.FieldID(101)
	rowsPerFile, rowsPerSegment  = 250_000, 1_000_000
	firstSegment, firstL0Segment = 1000, 1_000_000
)

var beginning = milvus.NewTimestamp(1_700_000_000_000, 0)

type params struct {
	out        string
	tombstones int
	rows       int
	perFile    int
	form       string
	text       bool
	v2         bool
}

func main() {
	var p params
	flag.StringVar(&p.out, "out", "bench/data/tombstones", "`folder` to write to")
	flag.IntVar(&p.tombstones, "tombstones", 100_000_000, "deletes")
	flag.IntVar(&p.rows, "rows", 10_000_000, "rows")
	flag.IntVar(&p.perFile, "per-file", 1_000_000, "deletes of one L0 segment")
	flag.StringVar(&p.form, "form", "json", "of delta logs: json, or parquet for two columns")
	flag.BoolVar(&p.text, "text", false, "keys are VarChar")
	flag.BoolVar(&p.v2, "v2", false, "rows are of storage V2, not V1")
	flag.Parse()
	if err := run(p); err != nil {
		fmt.Fprintln(os.Stderr, "tombstones:", err)
		os.Exit(1)
	}
}

func run(p params) error {
	schema := milvus.Schema{Name: "tombstones", Fields: []milvus.Field{
		{ID: keyField, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}, {ID: sizeField, Name: "size", Type: milvus.TypeInt64},
	}}
	if p.text {
		schema.Fields[0].Type, schema.Fields[0].MaxLength = milvus.TypeVarChar, 64
		schema.Fields[0].TypeParams = []milvus.KeyValue{{Key: "max_length", Value: "64"}}
	}
	if err := os.RemoveAll(filepath.Join(p.out, storageRoot)); err != nil {
		return err
	}
	var segments []*milvus.Segment
	for first := 0; first < p.rows; first += rowsPerSegment {
		segments = append(segments, &milvus.Segment{ID: milvus.SegmentID(firstSegment + len(segments)), Collection: collectionID, Partition: partitionID, Level: milvus.LevelL1, Channel: channel})
	}
	data := len(segments)
	for first := 0; first < p.tombstones; first += p.perFile {
		segments = append(segments, &milvus.Segment{ID: milvus.SegmentID(firstL0Segment + len(segments)), Collection: collectionID, Partition: milvus.AllPartitions, Level: milvus.LevelL0, Channel: channel})
	}
	g := errgroup.Group{}
	g.SetLimit(runtime.NumCPU())
	for i, seg := range segments {
		g.Go(func() error {
			w := p.writer(&schema, i)
			if i < data {
				return p.writeRows(w, seg, i*rowsPerSegment, min(p.rows, (i+1)*rowsPerSegment))
			}
			first := (i - data) * p.perFile
			return p.writeDeletes(w, seg, first, min(p.tombstones, first+p.perFile))
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return p.writeDump(&schema, segments)
}

// writer returns one for the files of a segment.
func (p params) writer(schema *milvus.Schema, segment int) *flush.Writer {
	next := milvus.LogID(segment)*1000 + 1_000_000
	w := &flush.Writer{Root: storageRoot, Schema: schema, Version: milvus.StorageV1, Filter: binlog.FilterBlocked, NextLogID: func() milvus.LogID { next++; return next }}
	if p.v2 {
		w.Version = milvus.StorageV2
	}
	if p.form == "parquet" {
		w.Deltalogs = deltalog.Writer{Form: deltalog.MultiField, Dialect: binlog.Stream}
	}
	return w
}

// key is the key of a row's number: no two are equal, and their order is not that of the numbers.
func key(i int) int64 { return int64(uint64(i+1) * 0x9E3779B97F5 % (1 << 58)) }

func (p params) keys(from, to int) (ints []int64, texts *array.String) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for i := from; i < to; i++ {
		ints = append(ints, key(i))
		if p.text {
			b.Append("document-" + strconv.FormatInt(key(i), 36))
		}
	}
	return ints, b.NewStringArray()
}

func (p params) writeRows(w *flush.Writer, seg *milvus.Segment, from, to int) error {
	for at := from; at < to; at += rowsPerFile {
		end := min(to, at+rowsPerFile)
		ids, texts := p.keys(at, end)
		times := make([]int64, len(ids))
		for i := range times {
			times[i] = int64(beginning) + int64(at+i)
		}
		chunk := flush.Chunk{milvus.RowIDField: longs(times), milvus.TimestampField: longs(times), keyField: longs(ids), sizeField: longs(times)}
		if p.text {
			chunk[keyField] = texts
		}
		objects, err := w.Insert(seg, beginning, chunk)
		if err != nil {
			return err
		}
		if err := p.store(objects); err != nil {
			return err
		}
	}
	return nil
}

func (p params) writeDeletes(w *flush.Writer, seg *milvus.Segment, from, to int) error {
	d := &deltalog.Deletes{PKType: milvus.TypeInt64}
	ints, texts := p.keys(p.rows/2+from, p.rows/2+to)
	if d.Int64 = ints; p.text {
		d.PKType, d.Int64, d.Strings = milvus.TypeVarChar, nil, texts
	}
	for i := range ints {
		d.TS = append(d.TS, uint64(beginning)+1<<40+uint64((from+i)/100)) // a hundred deletes in one request
	}
	objects, err := w.Delete(seg, beginning, d)
	if err != nil {
		return err
	}
	return p.store(objects)
}

func (p params) store(objects []flush.Object) error {
	for _, o := range objects {
		name := filepath.Join(p.out, filepath.FromSlash(o.Key))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, o.Body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeDump writes metadata as `etcdctl get --prefix by-dev/meta -w json` prints them.
func (p params) writeDump(schema *milvus.Schema, segments []*milvus.Segment) error {
	keys := etcdmeta.Keys{Root: etcdmeta.DefaultRoot}
	info := &pb.CollectionInfo{ID: collectionID, DbId: 1, ShardsNum: 1, VirtualChannelNames: []string{channel}, CreateTime: uint64(beginning), Schema: pb.FromSchema(schema)}
	rows, err := etcdmeta.CollectionRows(keys, info, []*pb.PartitionInfo{{PartitionID: partitionID, PartitionName: "_default", CollectionId: collectionID}})
	if err != nil {
		return err
	}
	for _, seg := range segments {
		more, err := etcdmeta.SegmentRows(keys, storageRoot, pb.FromSegment(seg))
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	type kv struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	}
	var out struct {
		KVs []kv `json:"kvs"`
	}
	for _, r := range rows {
		out.KVs = append(out.KVs, kv{[]byte(r.Key), r.Value})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.out, "etcd.json"), b, 0o644)
}

func longs(v []int64) arrow.Array {
	data := array.NewData(arrow.PrimitiveTypes.Int64, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(v))}, nil, 0, 0)
	return array.NewInt64Data(data)
}
