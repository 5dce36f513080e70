package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file.
type source struct {
	name  string // relative to the module's root, with slashes
	pkg   string // its folder, relative to the module's root
	test  bool
	text  []byte
	file  *ast.File
	files *token.FileSet
}

// sources parses the module's Go files.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	var out []source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") && base != ".." || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := parse(root, name)
		out = append(out, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d Go files found", len(out))
	}
	return out
}

func parse(root, name string) (source, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return source{}, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	s := source{name: filepath.ToSlash(rel), text: text, files: token.NewFileSet(), test: strings.HasSuffix(name, "_test.go")}
	s.pkg = path.Dir(s.name)
	s.file, err = parser.ParseFile(s.files, rel, text, parser.SkipObjectResolution)
	return s, err
}

// imports returns the import paths of the file by the names they have in it.
func (s source) imports(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p))
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		out[name] = p
	}
	return out
}

// matches reports whether a package is what a pattern of the table means.
func matches(pattern, pkg string) bool {
	if below, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(pkg, below)
	}
	return pattern == pkg
}

// rule returns the line of a package: the exact one, else the longest pattern.
func rule(pkg string) (arrow, bool) {
	best, found := arrow{}, false
	for _, a := range arrows {
		if a.from == pkg {
			return a, true
		}
		if matches(a.from, pkg) && len(a.from) > len(best.from) {
			best, found = a, true
		}
	}
	return best, found
}

// offence says what is wrong with an import of pkg's, or "".
func offence(pkg, imported string, test bool) string {
	isCore := func(p string) bool { return p == "core" || strings.HasPrefix(p, "core/") }
	if imported == "cmd" || strings.HasPrefix(imported, "cmd/") {
		return "nothing imports a command"
	}
	if test {
		return "" // a test may look across; go itself refuses cycles
	}
	if isCore(imported) && !isCore(pkg) && !strings.HasPrefix(pkg, "cmd/") && !strings.HasPrefix(pkg, "bench") {
		return "the exporter never imports the core"
	}
	line, ok := rule(pkg)
	if !ok {
		return "the package has no line in layers.go"
	}
	if !slices.ContainsFunc(line.to, func(p string) bool { return matches(p, imported) }) {
		return "the table has no such arrow"
	}
	return ""
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, s := range sources(t) {
		if _, ok := rule(s.pkg); !ok {
			t.Errorf("%s: package %s has no line in layers.go", s.name, s.pkg)
		}
		for _, p := range s.imports(t) {
			imported, ours := strings.CutPrefix(p, module+"/")
			if !ours {
				continue
			}
			if why := offence(s.pkg, imported, s.test); why != "" {
				t.Errorf("%s imports %s: %s", s.name, imported, why)
			}
		}
	}
}

func TestTableSaysNo(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		allowed       bool
	}{
		{"format/deltalog", "format/binlog", true},
		{"format/binlog", "format/deltalog", false},
		{"milvus", "fault", true},
		{"fault", "milvus", false},
		{"format/snapfile", "objstore", false},
		{"reader", "deltamerge", true},
		{"deltamerge", "reader", false},
		{"export", "core/engine", false},
		{"describe", "internal/testkit", false},
		{"export", "cmd/snapexport", false},
		{"cmd/snapexport", "export", true},
		{"core/server", "core/engine", true},
		{"nowhere", "milvus", false},
	} {
		if got := offence(c.pkg, c.imported, false) == ""; got != c.allowed {
			t.Errorf("%s -> %s: allowed %v, want %v", c.pkg, c.imported, got, c.allowed)
		}
	}
}

func TestPackageNamesSaySomething(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range append(strings.Split(s.pkg, "/"), strings.TrimSuffix(s.file.Name.Name, "_test")) {
			if vague[name] {
				t.Errorf("%s: a package called %s", s.name, name)
			}
		}
		if strings.Contains(s.file.Name.Name, "_") && !s.test {
			t.Errorf("%s: package %s is not a single noun", s.name, s.file.Name.Name)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if n := bytes.Count(s.text, []byte("\n")); n > maxLines && !strings.HasSuffix(s.name, ".pb.go") {
			t.Errorf("%s has %d lines, more than %d", s.name, n, maxLines)
		}
	}
}

// isLibrary reports whether the package must leave clock, chance, environment and output to others.
func isLibrary(pkg string) bool {
	return !slices.ContainsFunc(pureless, func(p string) bool { return strings.HasPrefix(pkg+"/", p) })
}

func TestLibrariesArePure(t *testing.T) {
	used := map[exception]bool{}
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" || !isLibrary(s.pkg) {
			continue
		}
		for _, call := range impurities(s.file, s.imports(t)) {
			i := slices.IndexFunc(listed, func(e exception) bool { return e.pkg == s.pkg && strings.HasPrefix(call.what, e.call) })
			if i < 0 {
				t.Errorf("%s: %s in a library: take it as a parameter, or list it in layers.go", s.files.Position(call.at), call.what)
				continue
			}
			used[listed[i]] = true
		}
	}
	for _, e := range listed {
		if !used[e] {
			t.Errorf("layers.go lists %s in %s (%s), which is not there", e.call, e.pkg, e.why)
		}
	}
}

// impurity is a use of one of the calls in impure.
type impurity struct {
	what string // "time.Now"
	at   token.Pos
}

// impurities returns them in a file, given the file's imports by name.
func impurities(file *ast.File, imports map[string]string) []impurity {
	var out []impurity
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		id, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		p, ok := imports[id.Name]
		if names := impure[p]; ok && (slices.Contains(names, sel.Sel.Name) || slices.Contains(names, "*")) {
			out = append(out, impurity{p + "." + sel.Sel.Name, sel.Pos()})
		}
		return true
	})
	return out
}

func TestImpuritiesAreFound(t *testing.T) {
	const text = `package p
import ("fmt"; "math/rand/v2"; "os"; clock "time")
func f() { fmt.Println(clock.Now(), rand.Int(), os.Getenv("X")); fmt.Sprint(os.ErrExist); os.Exit(1) }`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := impurities(file, source{file: file}.imports(t))
	var names []string
	for _, g := range got {
		names = append(names, g.what)
	}
	const want = "[fmt.Println time.Now math/rand/v2.Int os.Getenv os.Exit]"
	if fmt.Sprint(names) != want {
		t.Errorf("found %v, want %v", names, want)
	}
}
