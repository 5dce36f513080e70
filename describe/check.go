package describe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Finding is a file that is not as metadata says.
type Finding struct {
	Kind    FileKind         `json:"kind"`
	Segment milvus.SegmentID `json:"segment"`
	URI     string           `json:"uri"`
	Want    int64            `json:"want,omitempty"` // bytes as recorded
	Got     int64            `json:"got,omitempty"`  // bytes of the object
}

// Integrity is the result of [Check].
type Integrity struct {
	Files      int       `json:"files"`      // looked for
	Bytes      int64     `json:"bytes"`      // of the objects that are there
	SizesKnown int       `json:"sizes"`      // files whose size was compared; of the rest, presence
	Missing    []Finding `json:"missing"`    // by URI
	Mismatched []Finding `json:"mismatched"` // by URI
}

// OK reports whether nothing was found, also if nothing was looked for.
func (i *Integrity) OK() bool { return i == nil || len(i.Missing) == 0 && len(i.Mismatched) == 0 }

// CheckOptions are the settings of [Check].
type CheckOptions struct {
	Options
	// Progress, if not nil, is called after every file, from one goroutine at a time.
	Progress func(done, total int)
}

// listed is a file with the size that it must have, or 0 where that is not known.
type listed struct {
	Finding
	file milvus.FileRef
}

// Check asks the store for every file that the snapshot lists, once: is it there, and is its size the recorded one. Sizes
// of insert logs are compared only where metadata records the size in memory apart from the file's (Milvus since
// May 2024); index files have no sizes of their own. Of a V3 segment, whose files only its manifest lists, the manifest is
// looked for. Findings are not an error; the error is for stores that don't answer.
func Check(ctx context.Context, s *Snapshot, opts CheckOptions) (*Integrity, error) {
	files := s.listFiles()
	out := &Integrity{Files: len(files), Missing: []Finding{}, Mismatched: []Finding{}}
	var mu sync.Mutex
	done := 0
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(opts.workers())
	for _, f := range files {
		if each.Err() != nil {
			break
		}
		g.Go(func() error {
			size, found, err := statFile(each, f.file, opts.Options)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			out.note(f, size, found)
			if done++; opts.Progress != nil {
				opts.Progress(done, len(files))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	byURI := func(a, b Finding) int { return cmp.Compare(a.URI, b.URI) }
	slices.SortFunc(out.Missing, byURI)
	slices.SortFunc(out.Mismatched, byURI)
	return out, ctx.Err()
}

func statFile(ctx context.Context, file milvus.FileRef, opts Options) (size int64, found bool, err error) {
	store, err := opts.Opener.Open(ctx, file.Bucket)
	if err != nil {
		return 0, false, err
	}
	obj, err := store.Stat(ctx, file.Key)
	if errors.Is(err, fault.ErrMissing) {
		return 0, false, nil
	}
	return obj.Size, err == nil, err
}

func (i *Integrity) note(f listed, size int64, found bool) {
	if !found {
		i.Missing = append(i.Missing, f.Finding)
		return
	}
	i.Bytes += size
	if f.Want == 0 {
		return
	}
	i.SizesKnown++
	if f.Want != size {
		f.Got = size
		i.Mismatched = append(i.Mismatched, f.Finding)
	}
}

// listFiles returns every file of every segment once. Recorded sizes of one file that contradict each other are not compared.
func (s *Snapshot) listFiles() []listed {
	var out []listed
	at := map[milvus.FileRef]int{}
	add := func(kind FileKind, seg milvus.SegmentID, file milvus.FileRef, size int64) {
		if file.Bucket == "" {
			return // a placeholder
		}
		if i, again := at[file]; again {
			if out[i].Want != size {
				out[i].Want = 0
			}
			return
		}
		at[file] = len(out)
		out = append(out, listed{file: file, Finding: Finding{Kind: kind, Segment: seg, URI: file.String(), Want: size}})
	}
	for i := range s.Segments {
		s.listSegment(&s.Segments[i], add)
	}
	return out
}

func (s *Snapshot) listSegment(seg *milvus.Segment, add func(FileKind, milvus.SegmentID, milvus.FileRef, int64)) {
	addLogs := func(kind FileKind, logs []milvus.FieldBinlog, size func(*milvus.Binlog) int64) {
		for i := range logs {
			for j := range logs[i].Binlogs {
				add(kind, seg.ID, logs[i].Binlogs[j].File, size(&logs[i].Binlogs[j]))
			}
		}
	}
	recorded := func(b *milvus.Binlog) int64 { return b.Size }
	addLogs(FileInsert, seg.Binlogs, insertSize)
	addLogs(FileDelete, seg.Deltalogs, recorded)
	addLogs(FileStats, seg.Statslogs, recorded)
	addLogs(FileStats, seg.BM25logs, recorded)
	for i := range seg.Indexes {
		for _, f := range seg.Indexes[i].Files {
			add(FileIndex, seg.ID, f, 0)
		}
	}
	for _, stats := range [][]milvus.FieldStats{seg.TextIndexes, seg.JSONStats} {
		for i := range stats {
			for _, f := range stats[i].Files {
				add(FileIndex, seg.ID, f, 0)
			}
		}
	}
	if seg.StorageVersion == milvus.StorageV3 {
		if m, err := s.Manifest(seg); err == nil && m.Version > 0 {
			file := milvus.FileRef{Bucket: m.Base.Bucket, Key: fmt.Sprintf("%s/_metadata/manifest-%d.avro", m.Base.Key, m.Version)}
			add(FileManifest, seg.ID, file, 0)
		}
	}
}

// insertSize returns the file's size, or 0 where the recorded one may be the size in memory (docs/format/etcd.md 5.1).
func insertSize(b *milvus.Binlog) int64 {
	if b.MemorySize == 0 || b.MemorySize == b.Size {
		return 0
	}
	return b.Size
}
