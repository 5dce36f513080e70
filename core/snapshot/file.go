package snapshot

import (
	"context"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// manifestBatch is how many manifests are encoded at once. While they are written, the next ones are encoded.
const manifestBatch = 512

// writeFiles writes the manifests and then the metadata. All of it is durable when it returns.
func (s *Service) writeFiles(ctx context.Context, d *draft) error {
	if err := s.writeManifests(ctx, d); err != nil {
		return err
	}
	body, err := snapfile.EncodeMetadata(d.meta)
	if err != nil {
		return err
	}
	key := snapfile.MetadataKey(s.config.Root, int64(d.meta.Info.Collection), int64(d.meta.Info.ID))
	if err := objstore.PutAll(ctx, s.files, []objstore.Body{{Key: key, Bytes: body}}, objstore.Batch{NoFsync: s.config.NoFsync}); err != nil {
		return err
	}
	return s.fault("snapshot create: metadata")
}

// writeManifests writes the manifests under their names at once: nobody looks for them without the metadata.
func (s *Service) writeManifests(ctx context.Context, d *draft) error {
	t, err := objstore.NewTransfer(s.files, objstore.MeansCopy, !s.config.NoFsync)
	if err != nil {
		return err
	}
	defer t.Close()
	g, each := errgroup.WithContext(ctx)
	batches := make(chan []objstore.Body)
	g.Go(func() error {
		defer close(batches)
		for first := 0; first < len(d.segments); first += manifestBatch {
			last := min(first+manifestBatch, len(d.segments))
			bodies, err := encode(d.segments[first:last], d.meta.ManifestList[first:last])
			if err != nil {
				return err
			}
			select {
			case batches <- bodies:
			case <-each.Done():
				return each.Err()
			}
		}
		return nil
	})
	g.Go(func() error {
		for bodies := range batches {
			if err := t.PutAll(each, bodies, objstore.Batch{Workers: fileWorkers, Fresh: true}); err != nil {
				return err
			}
			if err := s.fault("snapshot create: manifests"); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return t.Flush(ctx)
}

// encode encodes the manifests of segments, on all cores.
func encode(segments []*metastore.Segment, keys []string) ([]objstore.Body, error) {
	out := make([]objstore.Body, len(segments))
	var g errgroup.Group
	share := (len(segments) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for first := 0; first < len(segments); first += share {
		g.Go(func() error {
			for i := first; i < min(first+share, len(segments)); i++ {
				b, err := snapfile.EncodeSegment(&segments[i].Segment, snapfile.NewestVersion)
				if err != nil {
					return err
				}
				out[i] = objstore.Body{Key: keys[i], Bytes: b}
			}
			return nil
		})
	}
	return out, g.Wait()
}

// fileWorkers is how many files of a snapshot are read or written at once.
const fileWorkers = 32

// metadata reads a snapshot's JSON.
func (s *Service) metadata(ctx context.Context, info *pb.SnapshotInfo) (*snapfile.Metadata, error) {
	key := s.metadataKey(info)
	b, _, err := s.files.ReadAll(ctx, key, snapfile.MaxMetadataBytes)
	if err != nil {
		return nil, err
	}
	m, err := snapfile.DecodeMetadata(b)
	if err == nil && (int64(m.Info.ID) != info.Id || int64(m.Info.Collection) != info.CollectionId) {
		err = fault.Corrupt("read snapshot", "it is of snapshot %d of collection %d, not %d of %d", m.Info.ID, m.Info.Collection, info.Id, info.CollectionId)
	}
	return m, fault.Place(err, key)
}

// Load reads a snapshot's files back: its metadata and its segments, by id, with paths as recorded.
func (s *Service) Load(ctx context.Context, info *pb.SnapshotInfo) (*snapfile.Metadata, []milvus.Segment, error) {
	m, err := s.metadata(ctx, info)
	if err != nil {
		return nil, nil, err
	}
	segments := make([]milvus.Segment, len(m.ManifestList))
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(fileWorkers)
	for i, key := range m.ManifestList {
		g.Go(func() error {
			if !strings.HasPrefix(key, s.manifestsPrefix(info)) {
				return fault.UnsafePath("read snapshot", "the manifest %q is not below %s", key, s.manifestsPrefix(info))
			}
			b, _, err := s.files.ReadAll(each, key, snapfile.MaxManifestBytes)
			if err != nil {
				return err
			}
			seg, err := snapfile.DecodeSegment(b, m.FormatVersion)
			if err != nil {
				return fault.Place(err, key)
			}
			segments[i] = *seg
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	if err := snapfile.Assemble(m, segments); err != nil {
		return nil, nil, fault.Place(err, s.metadataKey(info))
	}
	pb.SortSegments(segments)
	return m, segments, nil
}
