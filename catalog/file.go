package catalog

import (
	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/datafile"
	"github.com/snapexport/snapexport/fault"
)

// DataFile describes a finished Parquet file for [Commit]. The path is a URI as it will be written into metadata.
func DataFile(path string, s datafile.Stats) (iceberg.DataFile, error) {
	b, err := iceberg.NewDataFileBuilder(*iceberg.UnpartitionedSpec, iceberg.EntryContentData, path, iceberg.ParquetFile, nil, nil, nil, s.Rows, s.Bytes)
	if err != nil {
		return nil, fault.Corrupt("describe data file", "%w", err).On(path)
	}
	sizes, values, nulls, nans := map[int]int64{}, map[int]int64{}, map[int]int64{}, map[int]int64{}
	lower, upper := map[int][]byte{}, map[int][]byte{}
	for _, f := range s.Fields {
		sizes[f.ID] += f.Bytes // a variant is two Parquet columns
		count(values, f.ID, f.Values)
		count(nulls, f.ID, f.Nulls)
		count(nans, f.ID, f.NaNs)
		if f.Lower != nil {
			lower[f.ID] = f.Lower
		}
		if f.Upper != nil {
			upper[f.ID] = f.Upper
		}
	}
	b.ColumnSizes(sizes).ValueCounts(values).NullValueCounts(nulls).NaNValueCounts(nans)
	b.LowerBoundValues(lower).UpperBoundValues(upper)
	if len(s.SplitOffsets) > 0 {
		b.SplitOffsets(s.SplitOffsets)
	}
	return b.Build(), nil
}

func count(into map[int]int64, id int, n int64) {
	if n != datafile.NotCounted {
		into[id] = n
	}
}
