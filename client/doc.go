// Package client makes the snapshot calls of a Milvus over gRPC: of our own server, or of any Milvus 3.0.
//
//	c, err := client.New(ctx, client.Config{Address: "localhost:19530", Token: "root:Milvus"})
//	defer c.Close()
//	err = c.CreateSnapshot(ctx, client.NewCreateSnapshotOption("backup_20240101", "my_collection").WithDescription("January 1st"))
//	job, err := c.RestoreSnapshot(ctx, client.NewRestoreSnapshotOption("backup_20240101", "restored_collection"))
//	_, err = c.WaitRestore(ctx, job, nil)
//	err = c.DropSnapshot(ctx, client.NewDropSnapshotOption("backup_20240101"))
//
// Contract:
//   - Names of snapshots are unique within a collection only. Where an option names no collection, the client asks the server
//     for the one that has such a snapshot; several are an error that names them.
//   - Errors are of package fault where Milvus's answer fits one of its classes: fault.ErrMissing (collection, database,
//     snapshot or job), fault.ErrConflict (a name that is taken, a snapshot that is pinned), fault.ErrAuth, fault.ErrUnsupported
//     (a server without the call). [ErrInvalid] is a parameter that the server refuses, [ErrUnavailable] a server that does not
//     answer. Each wraps an *[Error] with Milvus's code and reason, if the server answered at all.
//   - Calls may be made from several goroutines. Close ends the connection, not the restores that the server works on.
//
// Glossary:
//
//	snapshot  a collection at a time: metadata that names immutable files
//	job       a restore under way, on the server
//	pin       a promise of the server not to drop a snapshot before a time
package client
