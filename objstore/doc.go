// Package objstore reads and writes objects in S3 buckets and local directories.
//
// A [Store] is one bucket or one directory. Its interface comes in slices, so that code which only reads takes a [Reader]
// or a [Lister] and cannot write.
//
// # Glossary
//
//   - Key: the name of an object within its store: UTF-8, parts separated by single slashes, no leading or trailing slash, no part
//     "." or "..", no control characters, at most 1024 bytes. Anything else is fault.ErrUnsafePath before a request is made.
//   - Prefix: the beginning of keys; "" is every key. A prefix need not end at a slash, except for Dirs.
//   - ETag: an opaque tag of an object's content, without the quotes that S3 puts around it. Two reads that give the same
//     tag saw the same bytes. Locally it is made of inode, size and modification time.
//   - Create-once: a write that succeeds only for the first of any number of concurrent writers of a key.
//   - Location: what a user typed, split into store and key, with the scheme as typed (see [Parse]).
//
// # Errors
//
// Every error is a *fault.Error naming the operation and the object. Besides fault's classes there are three:
//
//   - [ErrTransient]: the same call may succeed later (a throttled or failing server, a broken connection, a body shorter than
//     announced). [WithRetry] repeats calls that fail so.
//   - [ErrUnknownOutcome]: only from Create: the object may or may not have been written. The caller reads the key and compares.
//   - [ErrFailed]: refused or failed for a reason that has no class of its own (a full disk, a bad request).
//
// A cancelled context gives an error that is the context's.
//
// # What may be retried
//
// Everything but Create: Put replaces, Delete ignores absent keys, Copy replaces, and an Upload shows nothing before Commit.
// A repeated Create that fails with ErrConflict can not tell its own first attempt from another writer, so neither the AWS
// SDK's retries (they are off) nor [WithRetry] repeat it.
//
// # Trust
//
// What is in a bucket is not trusted: sizes are checked before memory is allocated, listed keys must lie below the prefix and
// ascend, symbolic links must stay in the directory. Endpoints and credentials come from [Config] (or the AWS SDK's standard
// chain) only; redirects to another origin are not followed, link-local addresses are refused unless the endpoint names one,
// and http is used only where the endpoint says http.
//
// # Reading from S3
//
// Objects are read by requests of our own, which the SDK's client gives their place, credentials and signature but not its chain
// of middleware: of small objects that would be most of the work. What it can't say beforehand (access points, directory buckets,
// other signatures) it reads itself. Everything else goes through it.
//
// All stores may be used by several goroutines. Nothing here prints or reads flags.
package objstore
