package engine

import (
	"strings"

	"github.com/snapexport/snapexport/core/status"
)

// Bounds of a collection, Milvus's defaults.
const (
	maxName         = 255
	maxFields       = 64
	maxVectorFields = 10
	maxShards       = 16
	maxPartitions   = 1024
	maxVarChar      = 65535 // bytes
	maxCapacity     = 4096
	minDim          = 2
	maxDim          = 32768
	maxBinaryDim    = 8 * maxDim
	maxJSON         = 65536 // bytes

	// maxInlineText bounds texts of V3: longer ones lie in Vortex files (docs/format/storage-v2-v3.md 2.6), which are not written.
	maxInlineText = 65535 // bytes

	keyPartitions = 16 // of a collection with a partition key, unless the user says how many
)

// maxVectors bounds the vectors of one search, Milvus's default.
const maxVectors = 16384

const (
	defaultPartition = "_default"
	dynamicField     = "$meta"
)

// checkName checks the name of a collection, a partition or a field. Only names of collections and partitions may have a $.
func checkName(what, name string) error {
	bad := func(why string) error { return status.Invalid("Invalid %s name: %s. %s", what, name, why) }
	switch {
	case strings.TrimSpace(name) == "":
		return status.Invalid("%s name should not be empty", what)
	case len(name) > maxName:
		return bad("the length of a name must be at most 255 characters")
	}
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		switch {
		case letter:
		case i == 0:
			return bad("the first character of a name must be an underscore or letter")
		case '0' <= c && c <= '9' || c == '$' && what != "field":
		default:
			return bad("a name can only contain numbers, letters and underscores")
		}
	}
	return nil
}

// reserved are words that filters have for themselves.
var reserved = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "like": true, "exists": true, "true": true, "false": true, "null": true, "is": true,
	"json_contains": true, "json_contains_all": true, "json_contains_any": true, "array_contains": true, "array_contains_all": true,
	"array_contains_any": true, "array_length": true, "text_match": true,
}
