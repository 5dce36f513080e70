// Package substrait stands in for the module of its name in builds by `make` (docs/adr/0008-quick-start.md): the same functions, no
// definitions. iceberg-go parses all definitions before main begins, for filters of scans, which snapexport does not use.
package substrait

import "embed"

//go:embed extensions
var files embed.FS

// GetSubstraitFS returns a file system with a folder of definitions, "extensions".
func GetSubstraitFS() embed.FS { return files }

// GetSubstraitExtensionsFS returns the same file system.
func GetSubstraitExtensionsFS() embed.FS { return files }

// GetSubstraitTestsFS returns a file system without tests.
func GetSubstraitTestsFS() embed.FS { return embed.FS{} }
