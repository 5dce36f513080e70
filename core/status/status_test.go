package status

import (
	"errors"
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   Code
		reason string
	}{
		{nil, Success, ""},
		{errors.New("disk full"), Unexpected, "disk full"},
		{fmt.Errorf("restore: %w", SnapshotNotFound(4660, "s1")), SnapshotMissing, "collection 4660: snapshot not found[snapshot=s1]"},
		{SnapshotExists(4660, "s1"), InvalidParameter, "snapshot name s1 already exists in collection 4660: invalid parameter"},
		{CollectionNotFound("", "nope"), CollectionMissing, "collection not found[database=default][collection=nope]"},
		{JobNotFound(123), ImportFailed, "restore job not found: jobID=123: importing data failed"},
	} {
		code, reason := Of(c.err)
		if code != c.code || reason != c.reason {
			t.Errorf("%v: %d %q, want %d %q", c.err, code, reason, c.code, c.reason)
		}
	}
}

func TestCause(t *testing.T) {
	cause := errors.New("io")
	if err := New(Unexpected, "copy: %w", cause); !errors.Is(err, cause) || err.Reason != "copy: io" {
		t.Errorf("%v", err)
	}
}
