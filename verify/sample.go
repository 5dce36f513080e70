package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go/table"
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Sample says which part of the data was compared. Metadata was compared in full: which files there are, which segments they
// hold, how many rows.
type Sample struct {
	Percent    float64 `json:"percent"`
	Segments   int     `json:"segments"`
	OfSegments int     `json:"of_segments"`
	Files      int     `json:"files"`
	OfFiles    int     `json:"of_files"`
}

// mapping is what of an export's mapping says which files hold the rows of which segments.
type mapping struct {
	Units []mappedUnit `json:"units"`
}

type mappedUnit struct {
	Files []struct {
		Key  string `json:"key"` // below the table's root
		Rows int64  `json:"rows"`
	} `json:"files"`
	Segments []struct {
		ID milvus.SegmentID `json:"id,string"`
	} `json:"segments"`
}

const (
	summaryMappingHash = "snapexport.mapping-sha256"
	mappingLimit       = 256 << 20 // bytes
)

// sample chooses units of the export, the same ones each time, and leaves their segments and files to be compared.
func (c *comparison) sample(ctx context.Context) error {
	m, err := c.readMapping(ctx)
	if err != nil {
		return err
	}
	files, err := c.dataFiles(ctx)
	if err != nil {
		return err
	}
	c.checkFiles(m, files)
	c.checkSegments(m)
	chosen := choose(m.Units, c.opts.Percent)
	c.files = map[string]bool{}
	segments := map[milvus.SegmentID]bool{}
	for _, u := range chosen {
		for _, f := range u.Files {
			c.files[files.path(f.Key)] = true
		}
		for _, s := range u.Segments {
			segments[s.ID] = true
		}
	}
	s := &Sample{Percent: c.opts.Percent, OfSegments: len(c.segments), Files: len(c.files), OfFiles: len(files.rows)}
	c.segments = slices.DeleteFunc(slices.Clone(c.segments), func(seg *milvus.Segment) bool { return !segments[seg.ID] })
	s.Segments = len(c.segments)
	c.report.Sample = s
	return nil
}

// choose takes a share of the units, at least one, in the order of a hash, so that neighbours are not taken together.
func choose(units []mappedUnit, percent float64) []mappedUnit {
	order := func(u mappedUnit) uint64 {
		text := ""
		for _, s := range u.Segments {
			text += strconv.FormatInt(int64(s.ID), 10) + " "
		}
		return xxh3.HashString(text)
	}
	sorted := slices.SortedFunc(slices.Values(units), func(a, b mappedUnit) int { return cmp.Compare(order(a), order(b)) })
	return sorted[:min(len(sorted), int(math.Ceil(float64(len(sorted))*percent/100)))]
}

// readMapping reads what the export wrote beside its snapshot.
func (c *comparison) readMapping(ctx context.Context) (*mapping, error) {
	const op = "read mapping"
	where := c.at.Summary[catalog.MappingProperty]
	if where == "" {
		return nil, fault.Unsupported("verify a part", "the table does not say which segments its files hold").On(c.report.Table).
			WithHint("verify all of it, or export the snapshot anew")
	}
	files, err := c.table.FS(ctx)
	if err != nil {
		return nil, err
	}
	f, err := files.Open(where)
	if err != nil {
		return nil, fault.Missing(op, "%w", err).On(where)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, mappingLimit))
	if err != nil {
		return nil, fault.Corrupt(op, "%w", err).On(where)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != c.at.Summary[summaryMappingHash] {
		return nil, fault.Corrupt(op, "it is not what the export wrote").On(where)
	}
	m := &mapping{}
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fault.Corrupt(op, "%w", err).On(where)
	}
	return m, nil
}

// liveFiles are the data files of the table: rows by path.
type liveFiles struct {
	root string
	rows map[string]int64
}

func (l liveFiles) path(key string) string { return l.root + "/" + path.Clean(key) }

func (c *comparison) dataFiles(ctx context.Context) (liveFiles, error) {
	out := liveFiles{strings.TrimRight(c.report.Table, "/"), map[string]int64{}}
	tasks, err := c.table.Scan(table.WithSnapshotID(c.at.ID)).PlanFiles(ctx)
	if err != nil {
		return out, c.unreadable(err)
	}
	for _, t := range tasks {
		out.rows[t.File.FilePath()] = t.File.Count()
	}
	return out, nil
}

// checkFiles compares the files of the mapping with those of the table.
func (c *comparison) checkFiles(m *mapping, files liveFiles) {
	mapped := map[string]bool{}
	for _, u := range m.Units {
		for _, f := range u.Files {
			name := files.path(f.Key)
			mapped[name] = true
			if rows, ok := files.rows[name]; !ok {
				c.report.differ("the table does not have the export's file %s", f.Key)
			} else if rows != f.Rows {
				c.report.differ("file %s has %d rows in the table, %d in the export's mapping", f.Key, rows, f.Rows)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files.rows)) {
		if !mapped[name] {
			c.report.differ("the table has a file that no export wrote: %s", path.Base(name))
		}
	}
}

// checkSegments makes sure that every segment of the snapshot is in one unit.
func (c *comparison) checkSegments(m *mapping) {
	times := map[milvus.SegmentID]int{}
	for _, u := range m.Units {
		for _, s := range u.Segments {
			times[s.ID]++
		}
	}
	for _, seg := range c.segments {
		if n := times[seg.ID]; n != 1 {
			c.report.differ("segment %d is %d times in the table", seg.ID, n)
		}
		delete(times, seg.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(times)) {
		c.report.differ("segment %d is in the table and not in the snapshot", id)
	}
}
