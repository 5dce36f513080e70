package reader

import (
	"context"

	"github.com/snapexport/snapexport/milvus"
)

const (
	// filesAtOnce bounds the requests that one segment has under way.
	filesAtOnce = 8
	// Recorded sizes are untrusted, and in older releases those of memory: a file may be this much larger before it is refused.
	sizeSlack = 4
	sizeFloor = 4 << 20
)

// fetch reads a whole file.
func (s *Scan) fetch(ctx context.Context, b milvus.Binlog) ([]byte, error) {
	store, err := s.opts.Opener.Open(ctx, b.File.Bucket)
	if err != nil {
		return nil, err
	}
	limit := min(max(b.Size*sizeSlack, sizeFloor), s.opts.Budget.Total())
	body, _, err := store.ReadAll(ctx, b.File.Key, limit)
	return body, err
}
