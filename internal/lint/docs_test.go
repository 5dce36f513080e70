package lint

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	docPath  = regexp.MustCompile(`\bdocs/(?:format|guide|adr)/[A-Za-z0-9_./-]*[A-Za-z0-9]`) // docs/format/etcd.md
	chapters = regexp.MustCompile(`([a-z0-9-]+\.md) ([0-9]+(?:\.[0-9]+)*)\b`)                // etcd.md 5.1
	heading  = regexp.MustCompile(`(?m)^#+ ([0-9]+(?:\.[0-9]+)*)\.? `)                       // ### 5.1 Log rows
	linked   = regexp.MustCompile(`\]\(([^)\s#]+)(?:#[^)\s]*)?\)`)                           // [text](etcd.md#anchor)
	texts    = []string{".go", ".md", ".py", ".ipynb", ".yaml", ".yml", ".sh", ".xml"}       // and files without an extension
)

// documents returns the text files of the module by name relative to its root, with slashes.
func documents(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	out := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") && base != ".ci" || base == "testdata" || base == "bin" || base == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if ext := path.Ext(d.Name()); !d.Type().IsRegular() || ext != "" && !slices.Contains(texts, ext) {
			return nil
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		out[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWhatTextsNameIsThere: pages of docs/ that any text names, targets of links, and chapters by their numbers.
func TestWhatTextsNameIsThere(t *testing.T) {
	all := documents(t)
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(name)))
		return err == nil
	}
	pages := map[string][]string{} // chapters by the page's file name
	for name, text := range all {
		if dir, page := path.Split(name); strings.HasPrefix(dir, "docs/") && path.Ext(page) == ".md" {
			for _, h := range heading.FindAllStringSubmatch(text, -1) {
				pages[page] = append(pages[page], h[1])
			}
		}
	}
	named := 0
	for name, text := range all {
		for _, p := range docPath.FindAllString(text, -1) {
			if named++; !there(p) {
				t.Errorf("%s names %s, which is not there", name, p)
			}
		}
		for _, m := range chapters.FindAllStringSubmatch(text, -1) {
			if have := pages[m[1]]; have != nil && !slices.Contains(have, m[2]) {
				t.Errorf("%s names chapter %s of %s, which has no such chapter", name, m[2], m[1])
			}
		}
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") && !there(path.Join(path.Dir(name), m[1])) {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
	if named < 50 || len(pages) < 4 {
		t.Errorf("found %d names of pages and %d pages with chapters", named, len(pages))
	}
}
