// Package server answers Milvus's public protocol (milvus.proto.milvus.MilvusService) for the core.
//
// Contract:
//   - What Milvus clients need to make, fill, query, snapshot and restore collections is answered; any other call is gRPC
//     UNIMPLEMENTED, which clients take as final.
//   - Errors travel in the reply's Status, with Milvus's code and its older error_code; gRPC errors are those of
//     authentication, of calls that are not there, and of contexts that ended. A panic is a Status, too.
//   - A call's database is that of its request, else the header "dbname", else "default". Aliases stand for their collections
//     everywhere.
//   - Both wire forms of snapshots are understood: that of Milvus 3.0, and the earlier one in which names of snapshots were
//     unique in a database (drop and describe without a collection, restore with the target in collection_name).
//   - Handlers return plain errors; [Server.answer] turns them into replies, in one place.
//
// The server listens where it is told; it prints nothing, and its clock and log are handed in.
package server
