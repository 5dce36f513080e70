package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAcceptanceHoldsEveryCase(t *testing.T) {
	dir := Acceptance(t)
	cases := Cases(t, "")
	if len(cases) != 235 {
		t.Errorf("%d cases, want 235", len(cases))
	}
	for _, c := range cases {
		if _, err := os.Stat(filepath.Join(dir, c.BucketDir)); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if (c.Truth == "") == (c.Refuse == "") {
			t.Errorf("%s has both or neither of truth and refuse", c.Name)
		}
		if c.Truth == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, c.Truth)); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}
