package client

import "time"

// CreateSnapshotOption says what to take a snapshot of.
type CreateSnapshotOption struct {
	name, collection, database, description string
	protection                              time.Duration
}

// NewCreateSnapshotOption names the snapshot and the collection (or an alias of it).
func NewCreateSnapshotOption(name, collection string) *CreateSnapshotOption {
	return &CreateSnapshotOption{name: name, collection: collection}
}

// WithDescription adds a text.
func (o *CreateSnapshotOption) WithDescription(text string) *CreateSnapshotOption {
	o.description = text
	return o
}

// WithDatabase names the collection's database.
func (o *CreateSnapshotOption) WithDatabase(name string) *CreateSnapshotOption {
	o.database = name
	return o
}

// WithCompactionProtection keeps the server from compacting the snapshot's segments for a while, at most 7 days.
func (o *CreateSnapshotOption) WithCompactionProtection(d time.Duration) *CreateSnapshotOption {
	o.protection = d
	return o
}

// subject is a snapshot as options name it.
type subject struct{ name, collection, database string }

// DropSnapshotOption says which snapshot to drop.
type DropSnapshotOption struct{ subject }

// NewDropSnapshotOption names the snapshot.
func NewDropSnapshotOption(name string) *DropSnapshotOption {
	return &DropSnapshotOption{subject{name: name}}
}

// WithCollection names the snapshot's collection; without it the server is searched.
func (o *DropSnapshotOption) WithCollection(name string) *DropSnapshotOption {
	o.collection = name
	return o
}

// WithDatabase names the collection's database.
func (o *DropSnapshotOption) WithDatabase(name string) *DropSnapshotOption {
	o.database = name
	return o
}

// DescribeSnapshotOption says which snapshot to describe.
type DescribeSnapshotOption struct{ subject }

// NewDescribeSnapshotOption names the snapshot.
func NewDescribeSnapshotOption(name string) *DescribeSnapshotOption {
	return &DescribeSnapshotOption{subject{name: name}}
}

// WithCollection names the snapshot's collection; without it the server is searched.
func (o *DescribeSnapshotOption) WithCollection(name string) *DescribeSnapshotOption {
	o.collection = name
	return o
}

// WithDatabase names the collection's database.
func (o *DescribeSnapshotOption) WithDatabase(name string) *DescribeSnapshotOption {
	o.database = name
	return o
}

// ListSnapshotsOption says whose snapshots to list.
type ListSnapshotsOption struct{ collection, database string }

// NewListSnapshotsOption lists those of every collection of the database.
func NewListSnapshotsOption() *ListSnapshotsOption { return &ListSnapshotsOption{} }

// WithCollection lists those of one collection.
func (o *ListSnapshotsOption) WithCollection(name string) *ListSnapshotsOption {
	o.collection = name
	return o
}

// WithDatabase names the database.
func (o *ListSnapshotsOption) WithDatabase(name string) *ListSnapshotsOption {
	o.database = name
	return o
}

// RestoreSnapshotOption says what to restore as what.
type RestoreSnapshotOption struct {
	subject
	target, targetDatabase string
}

// NewRestoreSnapshotOption names the snapshot and the collection to make, which must not exist.
func NewRestoreSnapshotOption(name, target string) *RestoreSnapshotOption {
	return &RestoreSnapshotOption{subject: subject{name: name}, target: target}
}

// WithSource names the snapshot's collection; without it the server is searched.
func (o *RestoreSnapshotOption) WithSource(collection string) *RestoreSnapshotOption {
	o.collection = collection
	return o
}

// WithDatabase names the source's database.
func (o *RestoreSnapshotOption) WithDatabase(name string) *RestoreSnapshotOption {
	o.database = name
	return o
}

// WithTargetDatabase names the target's database, which is the source's otherwise.
func (o *RestoreSnapshotOption) WithTargetDatabase(name string) *RestoreSnapshotOption {
	o.targetDatabase = name
	return o
}

// PinSnapshotOption says which snapshot to pin, and for how long.
type PinSnapshotOption struct {
	subject
	ttl time.Duration
}

// NewPinSnapshotOption names the snapshot. The pin ends after ttl; 0 is never, which is seldom wise: a program that dies leaves
// a snapshot that can't be dropped.
func NewPinSnapshotOption(name string, ttl time.Duration) *PinSnapshotOption {
	return &PinSnapshotOption{subject: subject{name: name}, ttl: ttl}
}

// WithCollection names the snapshot's collection; without it the server is searched.
func (o *PinSnapshotOption) WithCollection(name string) *PinSnapshotOption {
	o.collection = name
	return o
}

// WithDatabase names the collection's database.
func (o *PinSnapshotOption) WithDatabase(name string) *PinSnapshotOption {
	o.database = name
	return o
}
