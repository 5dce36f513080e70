// Package pb holds Milvus's metadata messages, and turns them into the types of package milvus and back.
//
// The messages are compiled from proto/: our own descriptions with Milvus's public names and numbers, so that bytes and
// JSON are interchangeable. Their protobuf package is snapexport.milvus.*, not milvus.proto.*: a program may link this
// package and Milvus's own API at once.
//
// Contract:
//   - Unmarshal keeps fields that are not described here and Marshal writes them again. A row of a cluster is changed by
//     changing its message, never by building it from the types of package milvus, which hold less.
//   - The To functions check what they convert: an unknown data type is fault.ErrUnsupported, a contradiction
//     fault.ErrCorrupt. Both name the field.
//   - Data types that are known but can't be read (Mol, Decimal, UUID) convert; readers refuse them when they plan.
//   - [UnmarshalJSON] reads protobuf JSON from an untrusted source within given bounds.
//
// Sources of the facts: docs/format/snapshot.md 2, docs/format/etcd.md 3 to 8, docs/format/binlog-v1.md 7.1.
package pb

//go:generate go run -C internal/protogen .
