package gc

import (
	"maps"
	"slices"

	"github.com/snapexport/snapexport/milvus"
)

// maxKeys bounds the keys that a report lists.
const maxKeys = 1000

// Report says what a sweep removed, or would remove.
type Report struct {
	DryRun    bool                  `json:"dry_run"`
	Segments  int                   `json:"segments"`          // dropped ones whose files went
	Builds    int                   `json:"builds"`            // of dropped indexes, whose files went
	Snapshots int                   `json:"snapshots"`         // abandoned ones; their files are not counted
	Orphans   int                   `json:"orphans"`           // files that no metadata named, among Files
	Files     int                   `json:"files"`             //
	Bytes     int64                 `json:"bytes"`             // as recorded, or as the store says
	Keys      []string              `json:"keys,omitempty"`    // 1000 of the files at most
	Kept      int                   `json:"kept"`              // dropped segments, builds and orphans that snapshots need
	Waiting   int                   `json:"waiting"`           // of whatever kind, within their grace time
	Ignored   int                   `json:"ignored"`           // files with names that are not Milvus's
	Owned     bool                  `json:"owned"`             // false: orphans are not looked for, the root is not this metadata's
	Blocked   []milvus.CollectionID `json:"blocked,omitempty"` // of which nothing went, since what their snapshots need is not known yet
	blocked   map[milvus.CollectionID]bool
}

func (r *Report) add(list []object) {
	for _, o := range list {
		r.Files++
		r.Bytes += o.size
		if len(r.Keys) < maxKeys {
			r.Keys = append(r.Keys, o.key)
		}
	}
}

func (r *Report) finish() {
	slices.Sort(r.Keys)
	r.Blocked = slices.Sorted(maps.Keys(r.blocked))
	r.blocked = nil
}
