package catalog

import "strings"

// Tag gives the tag of a Milvus snapshot: its name, but for names that would not be found again. "main" is Iceberg's branch,
// and Spark takes VERSION AS OF '123' for the snapshot with that number; both get the prefix "milvus-".
func Tag(name string) string {
	if name == "main" || name != "" && strings.Trim(name, "0123456789") == "" {
		return "milvus-" + name
	}
	return name
}
