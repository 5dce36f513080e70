package reader

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/snapexport/snapexport/describe"
)

// ErrSelect is the class of an unknown column or partition in [Options]: the caller's mistake, not the snapshot's.
var ErrSelect = errors.New("unknown name")

// Warnings returns the snapshot's warnings, and those of reading it: what the rules left out, and what was not as usual.
func (s *Scan) Warnings(c Counts) []describe.Warning {
	out := append([]describe.Warning{}, s.snap.Warnings...)
	_, deletesAfter := s.Deletes()
	for _, w := range []struct {
		n          int64
		kind, text string
	}{
		{c.AfterCut, "rows after the cut", "%d rows are newer than the snapshot's timestamp and were left out"},
		{deletesAfter, "deletes after the cut", "%d deletes are newer than the snapshot's timestamp and were not applied"},
		{c.Expired, "expired", "%d rows are past the collection's TTL and were left out (--ttl off keeps them)"},
		{c.SeveralEvents, "several events", "%d binlogs hold more than one event; their rows were concatenated"},
		{c.BadSkipped, "rows skipped", "%d rows with values that do not fit their fields were left out"},
		{c.BadNulls, "values made NULL", "%d values that do not fit their fields were made NULL"},
	} {
		if w.n > 0 {
			out = append(out, describe.Warning{Kind: w.kind, Message: fmt.Sprintf(w.text, w.n)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.UnreadableText)) {
		out = append(out, describe.Warning{Kind: "unreadable text",
			Message: fmt.Sprintf("%d texts of field %s are in LOB files (Vortex), which are not read, and were made NULL", c.UnreadableText[name], name)})
	}
	return out
}
