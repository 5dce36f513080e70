//go:build !unix

package metastore

import "os"

// lockFile opens the file. Where there is no flock, etcd's own lock of its data has to do.
func lockFile(name string) (*os.File, error) { return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) }
