//go:build !slim

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestServerGuideSettings: the tables of docs/guide/server.md have every flag of serve, snapshot and gc with its default, and no other.
func TestServerGuideSettings(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guide/server.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{} // defaults by flag
	row := regexp.MustCompile("(?m)^\\| `(?:[a-z, ]+ )?--([a-z0-9-]+)[^`]*` \\| (?:`([^`]*)` )?\\|")
	for _, m := range row.FindAllStringSubmatch(string(guide), -1) {
		documented[m[1]] = m[2]
	}
	a := newApp()
	root := a.root()
	there := map[string]bool{}
	note := func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		there[f.Name] = true
		value, has := documented[f.Name]
		if want := f.DefValue; !has || value != want && (value != "" || want != "[]") {
			t.Errorf("--%s: the guide says %q, the program %q", f.Name, value, want)
		}
	}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.LocalNonPersistentFlags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	for _, c := range root.Commands() {
		if c.Name() == "serve" || c.Name() == "snapshot" || c.Name() == "gc" {
			visit(c)
		}
	}
	shared := root.PersistentFlags()
	for name := range documented {
		if !there[name] && shared.Lookup(name) == nil {
			t.Errorf("--%s is in the guide alone", name)
		}
	}
	if len(there) < 30 {
		t.Errorf("%d flags", len(there))
	}
	if text := string(guide); !strings.Contains(text, "## Settings") {
		t.Error("no settings")
	}
}
