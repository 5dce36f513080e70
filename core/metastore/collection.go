package metastore

import (
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Database is a namespace of collections. "default" always exists.
type Database struct {
	ID         milvus.DatabaseID
	Name       string
	Created    milvus.Timestamp
	Properties []milvus.KeyValue
}

// Collection is a collection with all that is not its rows. Values that the store handed out are never changed.
type Collection struct {
	milvus.Collection
	DatabaseID       milvus.DatabaseID
	Aliases          []string // sorted
	Created, Updated milvus.Timestamp
	PhysicalChannels []string
	State            pb.CollectionState // Created, or Creating: its name is taken, but no lookup by name sees it
	Indexes          []milvus.Index     // by id
}
