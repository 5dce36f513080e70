package reader

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/milvus"
)

// system makes the values of a system column for the n rows in the runs.
func (b *batcher) system(c *column, rows map[milvus.FieldID]arrow.Array, runs []run, n int) (arrow.Array, error) {
	switch c.system {
	case SystemRowID:
		return b.lent.compact(rows[milvus.RowIDField], runs)
	case SystemPartition:
		return repeatString(b.partitionName(), n), nil
	case SystemSegment:
		return b.longs(runs, n, func(int) int64 { return int64(b.segment.ID) }), nil
	case SystemTS:
		return b.longs(runs, n, func(r int) int64 { return int64(b.eff[r]) }), nil
	}
	builder := array.NewTimestampBuilder(memory.DefaultAllocator, timeType)
	builder.Reserve(n)
	for _, run := range runs {
		for r := run.start; r < run.end; r++ {
			builder.UnsafeAppend(arrow.Timestamp(milvus.Timestamp(b.eff[r]).UnixMilli() * 1000))
		}
	}
	return builder.NewArray(), nil
}

func (b *batcher) longs(runs []run, n int, value func(row int) int64) arrow.Array {
	builder := array.NewInt64Builder(memory.DefaultAllocator)
	builder.Reserve(n)
	for _, run := range runs {
		for r := run.start; r < run.end; r++ {
			builder.UnsafeAppend(value(r))
		}
	}
	return builder.NewArray()
}

// partitionName falls back to the id where metadata has no name.
func (b *batcher) partitionName() string {
	if name := b.scan.snap.Collection.PartitionName(b.segment.Partition); name != "" {
		return name
	}
	return strconv.FormatInt(int64(b.segment.Partition), 10)
}

func repeatString(s string, n int) arrow.Array {
	builder := array.NewStringBuilder(memory.DefaultAllocator)
	builder.Reserve(n)
	builder.ReserveData(n * len(s))
	for range n {
		builder.Append(s)
	}
	return builder.NewArray()
}
