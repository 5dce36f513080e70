//go:build unix

package objstore

import (
	"fmt"
	"io/fs"
	"syscall"
)

// fileTag is the ETag of a local file. Writers replace files by renaming, which changes the inode.
func fileTag(info fs.FileInfo) string {
	inode := uint64(0)
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = uint64(s.Ino)
	}
	return fmt.Sprintf("%x-%x-%x", inode, info.Size(), info.ModTime().UnixNano())
}
