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

// withRowIDs gives the files their first row ids, which tables of format version 3 need: from first on, one after the other.
// A file that has one keeps it.
func withRowIDs(files []iceberg.DataFile, first int64) ([]iceberg.DataFile, error) {
	out := make([]iceberg.DataFile, len(files))
	for i, f := range files {
		if f.FirstRowID() != nil {
			out[i] = f
			continue
		}
		b, err := iceberg.NewDataFileBuilder(*iceberg.UnpartitionedSpec, f.ContentType(), f.FilePath(), f.FileFormat(), nil, nil, nil, f.Count(), f.FileSizeBytes())
		if err != nil {
			return nil, fault.Corrupt("describe data file", "%w", err).On(f.FilePath())
		}
		b.ColumnSizes(f.ColumnSizes()).ValueCounts(f.ValueCounts()).NullValueCounts(f.NullValueCounts()).NaNValueCounts(f.NaNValueCounts())
		b.LowerBoundValues(f.LowerBoundValues()).UpperBoundValues(f.UpperBoundValues())
		if offsets := f.SplitOffsets(); len(offsets) > 0 {
			b.SplitOffsets(offsets)
		}
		out[i] = b.FirstRowID(first).Build()
		first += f.Count()
	}
	return out, nil
}

func count(into map[int]int64, id int, n int64) {
	if n != datafile.NotCounted {
		into[id] = n
	}
}
