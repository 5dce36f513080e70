// Package describe finds a snapshot from any source and says what is in it, from metadata alone.
//
// [Resolve] turns a SOURCE (see [Parse]) into a [Snapshot]: the collection, its segments, and every file of every segment
// as a store and a key. [Describe] sums it up, [Check] asks the store for every file, [List] says what there is.
//
// Contract:
//   - Resolve issues one request for the metadata file, one for each segment manifest, and one more for the manifest of a V3
//     segment: no question about a data file. It lists nowhere, but for sources of the form ROOT#collection/snapshot
//     (directories of metadata, as [List] does) and for V3 manifests of which metadata names no version.
//   - Paths in metadata are untrusted. They are reduced to bucket and key; the bucket must be the snapshot's own, mapped
//     or allowed, the key must lie below the snapshot's root or an allowed prefix. Where a path's host points never
//     decides where we connect. See [Resolver].
//   - Whatever metadata contradicts is an error of package fault; what is only odd is a [Warning].
//
// Glossary:
//
//	source    what the user names: a file, a bucket and a name, a backup, a cluster's metadata
//	root      the key prefix below which a cluster keeps its files ("files"); of a bundle, the bundle's own place
//	bundle    a self-contained export: metadata, manifests and data below one directory that may have been moved
//	map       where the operator says that a bucket's objects are found now
package describe
