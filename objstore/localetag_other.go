//go:build !unix

package objstore

import (
	"fmt"
	"io/fs"
)

// fileTag is the ETag of a local file.
func fileTag(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x", info.Size(), info.ModTime().UnixNano())
}
