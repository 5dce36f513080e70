package lint

// module is the path of this module.
const module = "github.com/snapexport/snapexport"

// base may be imported by every package above it.
var base = []string{"buffer", "fault", "milvus"}

// exporter is what the packages of the export side have in common below them.
var exporter = append([]string{
	"format/backupmeta", "format/binlog", "format/cell", "format/deltalog", "format/etcdmeta", "format/flush", "format/loon", "format/packed",
	"format/pages", "format/pb", "format/snapfile", "format/variant", "objstore", "filter",
}, base...)

// arrows is the one table of allowed imports: a package of ours may import the packages of ours that stand beside it, and
// no others. Names are relative to the module; "x/*" are the packages below x. A package that is not in the table fails the
// test: give it a line here, and ARCHITECTURE.md a sentence.
var arrows = []arrow{
	{"buffer", nil},
	{"fault", nil},
	{"milvus", []string{"fault"}},

	// Codecs: bytes in and values out, no I/O.
	{"format/pb", base},
	{"format/pages", base},
	{"format/variant", nil},
	{"format/cell", allow(base, "format/pb", "format/variant")},
	{"format/binlog", allow(base, "format/pages")},
	{"format/deltalog", allow(base, "format/binlog", "format/pages")},
	{"format/flush", allow(base, "format/binlog", "format/cell", "format/deltalog", "format/loon", "format/packed")},
	{"format/packed", allow(base, "format/pages")},
	{"format/loon", base},
	{"format/snapfile", allow(base, "format/pb")},
	{"format/etcdmeta", allow(base, "format/pb")},
	{"format/backupmeta", allow(base, "format/pb")},

	// Storage and the filter language.
	{"objstore", allow(base, "objstore/*")},
	{"objstore/*", allow(base, "objstore", "objstore/*")},
	{"filter", base},

	// From bytes to rows.
	{"client", exporter},
	{"describe", exporter},
	{"page", allow(exporter, "describe")},
	{"deltamerge", exporter},
	{"spill", base},
	{"datafile", exporter},
	{"vortex", allow(base, "objstore")},
	{"reader", allow(exporter, "describe", "deltamerge", "spill")},

	// From rows to tables.
	{"form", exporter},
	{"catalog", allow(exporter, "datafile", "describe")},
	{"catalog/*", allow(exporter, "catalog", "catalog/config", "datafile")},
	{"verify", allow(exporter, "catalog", "datafile", "deltamerge", "describe", "form", "reader")},
	{"export", allow(exporter, "catalog", "datafile", "deltamerge", "describe", "form", "reader", "verify")},

	// The core makes snapshots; the exporter never imports it.
	{"core/status", base},
	{"core/metastore", allow(exporter, "core/status")},
	{"core/fielddata", allow(base, "core/status", "format/cell", "format/pb")},
	{"core/engine", allow(exporter, "core/metastore", "core/status", "deltamerge", "describe", "reader")},
	{"core/snapshot", allow(exporter, "core/metastore", "core/status")},
	{"core/restore", allow(exporter, "core/metastore", "core/status")},
	{"core/gc", allow(exporter, "core/metastore", "core/status")},
	{"core/server", allow(exporter, "core/*")},

	// The command may import everything; tests and tools of ours only what is not a command.
	{"cmd/snapexport", []string{"*"}},
	{"internal/testkit", nil}, // so that the tests of every package can import it
	{"internal/testkit/*", allow(exporter, "internal/testkit")},
	{"internal/clock", base},
	{"internal/demo", nil},
	{"internal/lint", nil},
	{"internal/quickstart/substrait", nil}, // a module of its own (docs/adr/0008-quick-start.md)
	{"format/pb/internal/protogen", nil},
	{"bench", []string{"*"}},
	{"bench/*", []string{"*"}},
}

// arrow says what a package may import. Only tests may import internal/testkit, which is why no line of a library names it.
type arrow struct {
	from string
	to   []string
}

func allow(below []string, more ...string) []string {
	return append(append([]string(nil), below...), more...)
}

// impure are the calls that give a library a clock, chance, an environment, an output or the end of the process. They belong
// to cmd, which hands their results in.
var impure = map[string][]string{
	"time":         {"Now", "Since", "Until"},
	"os":           {"Exit", "Getenv", "LookupEnv", "Environ", "Stdout", "Stderr", "Stdin", "Args"},
	"fmt":          {"Print", "Printf", "Println"},
	"log":          {"*"},
	"log/slog":     {"Debug", "Info", "Warn", "Error", "Default", "SetDefault"},
	"flag":         {"*"},
	"math/rand":    {"*"},
	"math/rand/v2": {"*"},
	"crypto/rand":  {"*"},
}

// listed are the exceptions: package, call, and why. A line that no code needs any more fails the test.
var listed = []exception{}

type exception struct{ pkg, call, why string }

// pureless are the folders where the calls above belong, besides programs (package main).
var pureless = []string{"cmd/", "internal/", "bench", "objstore/storetest", "objstore/faultstore"}

// vague are names that say nothing about what a package holds.
var vague = map[string]bool{
	"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "misc": true, "shared": true, "manager": true, "lib": true,
}

// maxLines is the length beyond which a reader no longer finds things in a file.
const maxLines = 600
