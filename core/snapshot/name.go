package snapshot

import (
	"strings"

	"github.com/snapexport/snapexport/core/status"
)

// maxName is the longest name, in bytes.
const maxName = 255

// allowed are the characters of names beside ASCII letters, digits and "_". Milvus allows "$" alone, but its guide uses names
// with "." and people use "-".
const allowed = "$.-"

// CheckName returns a snapshot's name without the spaces around it. Names that break a rule are status.InvalidParameter.
func CheckName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", status.New(status.InvalidParameter, "snapshot name should be not empty: invalid parameter[expected=not empty][actual=]")
	case len(name) > maxName:
		return "", status.New(status.InvalidParameter, "the length of snapshot name must be not greater than limit: invalid parameter[%d out of range 0 <= value <= %d]", len(name), maxName)
	case name[0] != '_' && !letter(rune(name[0])):
		return "", status.New(status.InvalidParameter, "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=%d][actual=%d]", '_', name[0])
	}
	for i, r := range name {
		if r != '_' && !letter(r) && (r < '0' || r > '9') && !strings.ContainsRune(allowed, r) {
			return "", status.Invalid("snapshot name can only contain numbers, letters, underscores, and allowed characters (%s), found %c at %d", allowed, r, i)
		}
	}
	return name, nil
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
