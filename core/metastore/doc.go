// Package metastore keeps the core's metadata in etcd, in Milvus's own keys and messages, with a copy in memory.
package metastore
