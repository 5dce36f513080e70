package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
)

// together runs the changes at once, each as a process of its own would, and returns their results.
func together(t *testing.T, p place, name string, changes ...Change) []Result {
	t.Helper()
	results, failures := make([]Result, len(changes)), make([]error, len(changes))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, c := range changes {
		done.Go(func() {
			start.Wait()
			results[i], failures[i] = Commit(t.Context(), p.path(), Ident(p.table(name)), c)
		})
	}
	start.Done()
	done.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	return results
}

func TestRaces(t *testing.T) {
	for _, p := range []place{inMemory(t), local(t), versitygw(t)} {
		t.Run(p.name, func(t *testing.T) {
			s := schemaOf(t, ids(), SchemaOptions{})
			for round := range 50 {
				name := "t" + strconv.Itoa(round)
				file := func(n string) []iceberg.DataFile { return []iceberg.DataFile{p.write(t, p.table(name), n, s, row(n))} }
				a := Change{ExportID: "a", Schema: s, Tag: "a", Files: file("1")}
				b := Change{ExportID: "b", Schema: s, Tag: "b", Files: file("2")}
				// a by two processes at once, b by another: none lost, none twice.
				got := together(t, p, name, a, b, a)
				if got[0].SnapshotID != got[2].SnapshotID || got[0].AlreadyCommitted == got[2].AlreadyCommitted || got[1].AlreadyCommitted {
					t.Fatalf("round %d: %+v", round, got)
				}
				tbl := load(t, p, name)
				if len(tbl.Snapshots) != 2 || !slices.Equal(paths(t, tbl, tbl.Current.ID), []string{"1", "2"}) {
					t.Fatalf("round %d: %d snapshots, files %v", round, len(tbl.Snapshots), paths(t, tbl, tbl.Current.ID))
				}
				for _, tag := range []string{"a", "b"} {
					if s, ok := tbl.Tagged(tag); !ok || s.Summary[ExportIDProperty] != tag {
						t.Fatalf("round %d: tag %s is %+v", round, tag, s)
					}
				}
				leftovers(t, p, name, 2)
			}
		})
	}
}

// leftovers fails unless the table's metadata folder holds exactly the versions, a list and a manifest per snapshot, and the
// hint at the last of them.
func leftovers(t *testing.T, p place, name string, versions int) {
	t.Helper()
	var kinds [3]int
	for _, n := range p.names(t, p.table(name)+"/metadata") {
		switch v, ok := versionOf(n); {
		case ok && v <= versions:
			kinds[0]++
		case n != "version-hint.text" && n[:4] == "snap":
			kinds[1]++
		case n != "version-hint.text":
			kinds[2]++
		}
	}
	if want := [3]int{versions, versions, versions}; kinds != want {
		t.Fatalf("%s: versions, manifest lists and manifests are %v, want %v: %v", name, kinds, want, p.names(t, p.table(name)+"/metadata"))
	}
	if got := p.get(t, p.table(name)+"/metadata/version-hint.text"); got != strconv.Itoa(versions) {
		t.Fatalf("%s: hint %s, want %d", name, got, versions)
	}
}

// TestReplaceRaces has a replacement and an append race: whichever is first, the end is one of the two orders.
func TestReplaceRaces(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	for round := range 50 {
		name := "t" + strconv.Itoa(round)
		file := func(n string) []iceberg.DataFile { return []iceberg.DataFile{p.write(t, p.table(name), n, s, row(n))} }
		commit(t, p, name, Change{ExportID: "0", Schema: s, Files: file("0")})
		together(t, p, name, Change{ExportID: "a", Schema: s, Files: file("1"), Replace: true}, Change{ExportID: "b", Schema: s, Files: file("2")})
		tbl := load(t, p, name)
		got := paths(t, tbl, tbl.Current.ID)
		if want := map[string][]string{"a": {"1"}, "b": {"1", "2"}}[tbl.Current.Summary[ExportIDProperty]]; !slices.Equal(got, want) {
			t.Fatalf("round %d: %v after %s", round, got, tbl.Current.Summary[ExportIDProperty])
		}
	}
}

// faulty is a place whose store misbehaves by the rules, with the store below it.
func faulty(rules ...faultstore.Rule) (place, place) {
	b := newMemory()
	p := over(faultstore.New(b, rules...))
	return p, over(b)
}

func onCreate(n int, e faultstore.Effect) faultstore.Rule {
	return faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Create), faultstore.First(n)), Do: e}
}

func TestUnknownOutcomes(t *testing.T) {
	unread := faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.ReadAll), faultstore.Suffix("v2.metadata.json"), faultstore.First(2)), Do: faultstore.Fail(objstore.ErrTransient)}
	for _, c := range []struct {
		name  string
		rules []faultstore.Rule
		class error // nil: the commit succeeds
	}{
		{"the answer is lost", []faultstore.Rule{onCreate(1, faultstore.LoseAnswer(objstore.ErrUnknownOutcome))}, nil},
		{"lost as a conflict, as by a proxy that tries twice", []faultstore.Rule{onCreate(1, faultstore.LoseAnswer(fault.ErrConflict))}, nil},
		{"the request is lost", []faultstore.Rule{onCreate(2, faultstore.Fail(objstore.ErrUnknownOutcome))}, nil},
		{"throttled", []faultstore.Rule{onCreate(1, faultstore.Fail(objstore.ErrTransient))}, nil},
		{"the answer is lost, and then the look", []faultstore.Rule{onCreate(1, faultstore.LoseAnswer(objstore.ErrUnknownOutcome)), unread}, nil},
		{"requests are lost for good", []faultstore.Rule{onCreate(1000, faultstore.Fail(objstore.ErrUnknownOutcome))}, objstore.ErrUnknownOutcome},
		{"refused", []faultstore.Rule{onCreate(1, faultstore.Fail(fault.ErrAuth))}, fault.ErrAuth},
		{"manifests cannot be written", []faultstore.Rule{{When: faultstore.All(faultstore.On(faultstore.Put), faultstore.Suffix(".avro")), Do: faultstore.Fail(fault.ErrAuth)}}, fault.ErrAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, below := faulty()
			s := schemaOf(t, ids(), SchemaOptions{})
			commit(t, p, "t", Change{ExportID: "0", Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), "0", s, row("0"))}})
			change := Change{ExportID: "a", Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), "1", s, row("1"))}}

			bad := place{base: p.base, open: func(ctx context.Context, uri string) (objstore.Store, error) {
				inner, err := below.open(ctx, uri)
				return faultstore.New(inner, c.rules...), err
			}}
			cat := NewPath(oneStore(t, bad), PathOptions{Sleep: func(context.Context, time.Duration) error { return nil }})
			got, err := Commit(t.Context(), cat, Ident(p.table("t")), change)
			if !errors.Is(err, c.class) || errors.Is(err, table.ErrCommitFailed) {
				t.Fatalf("got %v, want %v", err, c.class)
			}
			if err == nil && got.SnapshotID == 0 {
				t.Errorf("got %+v", got)
			}
			// Whatever came of it: doing it again ends well, and once.
			commit(t, below, "t", change)
			tbl := load(t, below, "t")
			if len(tbl.Snapshots) != 2 || !slices.Equal(paths(t, tbl, tbl.Current.ID), []string{"0", "1"}) {
				t.Errorf("%d snapshots, files %v", len(tbl.Snapshots), paths(t, tbl, tbl.Current.ID))
			}
		})
	}
}

// oneStore opens the place's store once, so that rules count over the whole test.
func oneStore(t *testing.T, p place) func(context.Context, string) (objstore.Store, error) {
	t.Helper()
	s, err := p.open(t.Context(), "s3://lake")
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context, string) (objstore.Store, error) { return s, nil }
}

// TestLateRequest has a create arrive after its writer gave up and another has committed: it must not undo that.
func TestLateRequest(t *testing.T) {
	p, below := faulty(onCreate(1000, faultstore.Fail(objstore.ErrUnknownOutcome)))
	s := schemaOf(t, ids(), SchemaOptions{})
	cat := NewPath(p.open, PathOptions{Sleep: func(context.Context, time.Duration) error { return nil }})
	a := Change{ExportID: "a", Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), "1", s, row("1"))}}
	if _, err := Commit(t.Context(), cat, Ident(p.table("t")), a); !errors.Is(err, objstore.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	commit(t, below, "t", a)
	commit(t, below, "t", Change{ExportID: "b", Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), "2", s, row("2"))}})
	r, err := below.path().at(t.Context(), Ident(p.table("t")))
	if err != nil {
		t.Fatal(err)
	}
	if err := below.path().create(t.Context(), r, r.at(metadataName(1)), []byte("late")); !errors.Is(err, table.ErrCommitFailed) {
		t.Errorf("the late request: %v", err)
	}
}

// TestHint covers what may be wrong with the version hint: it is a hint.
func TestHint(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	hint := p.table("t") + "/metadata/version-hint.text"
	for i := range 4 {
		n := strconv.Itoa(i)
		commit(t, p, "t", Change{ExportID: n, Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), n, s, row(n))}})
	}
	for _, text := range []string{"1", "3", "4", "99", "", "x", "-1", "4\n", "999999999999999999999", fmt.Sprintf("%0100d", 4)} {
		p.put(t, hint, []byte(text))
		if got := load(t, p, "t"); len(got.Snapshots) != 4 {
			t.Errorf("hint %q: %d snapshots", text, len(got.Snapshots))
		}
	}
	// A repeated export leaves the right hint behind, as after a crash between commit and hint.
	p.put(t, hint, []byte("1"))
	commit(t, p, "t", Change{ExportID: "2", Schema: s})
	if got := p.get(t, hint); got != "4" {
		t.Errorf("hint %q", got)
	}
}

func TestHintFails(t *testing.T) {
	p, below := faulty(faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Put), faultstore.Suffix("version-hint.text")), Do: faultstore.Fail(fault.ErrAuth)})
	s := schemaOf(t, ids(), SchemaOptions{})
	var warned []error
	cat := NewPath(p.open, PathOptions{Warn: func(err error) { warned = append(warned, err) }})
	if _, err := Commit(t.Context(), cat, Ident(p.table("t")), Change{ExportID: "a", Schema: s}); err != nil {
		t.Fatal(err)
	}
	if len(warned) != 1 || !errors.Is(warned[0], fault.ErrAuth) {
		t.Errorf("warnings %v", warned)
	}
	if got := load(t, below, "t"); len(got.Snapshots) != 1 {
		t.Errorf("%d snapshots", len(got.Snapshots))
	}
}

// TestCrashBeforeCommit leaves data files and manifests behind, which no reader sees.
func TestCrashBeforeCommit(t *testing.T) {
	p, below := faulty(onCreate(1000, faultstore.Fail(fault.ErrAuth)))
	s := schemaOf(t, ids(), SchemaOptions{})
	c := Change{ExportID: "a", Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), "1", s, row("1"))}}
	if _, err := Commit(t.Context(), p.path(), Ident(p.table("t")), c); !errors.Is(err, fault.ErrAuth) {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), below.path(), Ident(p.table("t"))); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("a table without a commit: %v", err)
	}
	commit(t, below, "t", c)
	if tbl := load(t, below, "t"); !slices.Equal(paths(t, tbl, tbl.Current.ID), []string{"1"}) {
		t.Error("the export did not go on")
	}
}
