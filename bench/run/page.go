package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const tableBegin, tableEnd = "<!-- results: begin -->\n", "<!-- results: end -->\n"

// page draws the plot and puts it and the tables into the page.
func (r *Results) page(ctx context.Context, o options) error {
	source := filepath.Join(o.results, o.name+".json")
	plot := filepath.Join(o.results, o.name+".svg")
	if out, err := exec.CommandContext(ctx, o.python, "bench/plot.py", source, plot).CombinedOutput(); err != nil {
		return fmt.Errorf("plot: %w\n%s", err, out)
	}
	if o.readme == "" {
		return nil
	}
	old, err := os.ReadFile(o.readme)
	if err != nil {
		return err
	}
	link, err := filepath.Rel(filepath.Dir(o.readme), plot)
	if err != nil {
		return err
	}
	text, err := replaceTable(string(old), r.text(filepath.ToSlash(link)))
	if err != nil {
		return err
	}
	return os.WriteFile(o.readme, []byte(text), 0o644)
}

// replaceTable puts the text between the page's marks.
func replaceTable(page, text string) (string, error) {
	before, rest, ok := strings.Cut(page, tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("the page has no place for the results: %s", strings.TrimSpace(tableBegin))
	}
	return before + tableBegin + text + tableEnd + after, nil
}

// text writes the results as Markdown.
func (r *Results) text(plot string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d runs each, %s, %.0f minutes in all. %s, %s cores.", r.Runs, r.Begun.Format(time.DateOnly), r.Took/60, r.Machine["cpu"], r.Machine["cores"])
	var names []string
	for name := range r.Versions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " %s: %s.", name, r.Versions[name])
	}
	least, most := r.loads()
	fmt.Fprintf(&b, "\n\nLoad of the machine when a run began: %.1f to %.1f.", least, most)
	if most > 1.5*float64(runtime.NumCPU()) {
		fmt.Fprint(&b, " **Others used it heavily**: wall times say little, processor seconds and their ratios more.")
	}
	if r.Remark != "" {
		fmt.Fprintf(&b, " %s", r.Remark)
	}
	fmt.Fprintf(&b, "\n\n![rows per CPU second and wall time, beside what one could use instead](%s)\n\n", plot)
	r.goals(&b)
	for _, s := range r.Sections {
		s.table(&b)
	}
	return b.String()
}

// loads returns the least and the greatest load at the beginning of a run.
func (r *Results) loads() (least, most float64) {
	least = math.Inf(1)
	for _, s := range r.Sections {
		for _, x := range s.Rows {
			for _, m := range x.All {
				least, most = min(least, m.Load), max(most, m.Load)
			}
		}
	}
	return least, most
}

// goals lists what was aimed at, of all sections.
func (r *Results) goals(b *bytes.Buffer) {
	fmt.Fprint(b, "### What was aimed at\n\n| | ours | beside | measured | goal | |\n|---|---|---|---|---|---|\n")
	for _, s := range r.Sections {
		for _, g := range s.Goals {
			if !g.Wanted() {
				continue
			}
			verdict := "reached"
			if !g.Met() {
				verdict = "**missed**"
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", s.ID, g.Ours, g.Beside, g.value(), g.bound(), verdict)
		}
	}
	fmt.Fprint(b, "\n")
}

func (g Goal) value() string {
	if g.Measure == ofWall || g.Measure == ofCPU {
		return spread(g.Value) + " times by " + string(g.Measure)
	}
	return spread(g.Value) + " " + string(g.Measure)
}

func (g Goal) bound() string {
	if g.Most > 0 {
		return fmt.Sprintf("at most %.4g", g.Most)
	}
	return fmt.Sprintf("at least %.4g", g.Least)
}

// table writes one section.
func (s *Section) table(b *bytes.Buffer) {
	fmt.Fprintf(b, "### %s\n\n", s.Title)
	if in := s.Input; in != nil && in.Params.Rows > 0 {
		fmt.Fprintf(b, "%s; %d of %d rows are live. %d segments, %d files, %.0f MB, sha256 `%.16s`.\n", in.Text, in.Live, in.Params.Rows, in.Params.Segments, in.Files, float64(in.Bytes)/1e6, in.SHA256)
	}
	if s.Comparison != nil && slices.ContainsFunc(s.Rows, func(r Row) bool { return r.Output > 0 }) {
		fmt.Fprintf(b, "All exports wrote the same %d rows (multiset hash `%s`).\n", s.Comparison.Rows, s.Comparison.Hash)
	}
	if s.Text != "" {
		fmt.Fprintf(b, "%s\n", s.Text)
	}
	s.rows(b)
	s.ratios(b)
}

// rows writes the columns that the section has figures for.
func (s *Section) rows(b *bytes.Buffer) {
	type column struct {
		head string
		cell func(Row) string
		have func(Row) bool
	}
	number := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	all := []column{
		{"wall s", func(r Row) string { return spread(r.Wall) }, func(r Row) bool { return r.Wall[0] > 0 }},
		{"CPU s", func(r Row) string { return spread(r.CPU) }, func(r Row) bool { return r.CPU[0] > 0 }},
		{"of it server", func(r Row) string { return fmt.Sprintf("%.2f", r.Server) }, func(r Row) bool { return r.Server > 0 }},
		{"peak MB", func(r Row) string { return number(r.Peak[0]) }, func(r Row) bool { return r.Peak[0] > 0 }},
		{"written MB", func(r Row) string { return number(r.Output) }, func(r Row) bool { return r.Output > 0 }},
		{"rows/s", func(r Row) string { return number(r.RowsPerS) }, func(r Row) bool { return r.RowsPerS > 0 }},
		{"rows per CPU s", func(r Row) string { return number(r.RowsCPU) }, func(r Row) bool { return r.RowsCPU > 0 }},
		{"vectors MB/s", func(r Row) string { return number(r.VectorMB) }, func(r Row) bool { return r.VectorMB > 0 }},
		{"", func(r Row) string { return r.Note }, func(r Row) bool { return r.Note != "" }},
	}
	columns := slices.DeleteFunc(all, func(c column) bool { return !slices.ContainsFunc(s.Rows, c.have) })
	if len(s.Rows) == 0 {
		fmt.Fprint(b, "\n")
		return
	}
	fmt.Fprint(b, "\n| |")
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", c.head)
	}
	fmt.Fprintf(b, "\n|%s\n", strings.Repeat("---|", len(columns)+1))
	for _, r := range s.Rows {
		fmt.Fprintf(b, "| %s |", r.Name)
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", c.cell(r))
		}
		fmt.Fprint(b, "\n")
	}
	fmt.Fprint(b, "\n")
}

// ratios writes how many times faster ours is.
func (s *Section) ratios(b *bytes.Buffer) {
	compared := slices.DeleteFunc(slices.Clone(s.Goals), func(g Goal) bool { return g.Measure != ofWall && g.Measure != ofCPU })
	if len(compared) == 0 {
		return
	}
	fmt.Fprint(b, "| ours | beside | by | times faster |\n|---|---|---|---|\n")
	for _, g := range compared {
		text := spread(g.Value)
		if g.Value[1] <= 1 && g.Value[2] >= 1 && g.Value[1] < g.Value[2] {
			text += " not told apart"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", g.Ours, g.Beside, g.Measure, text)
	}
	fmt.Fprint(b, "\n")
}

func spread(v [3]float64) string {
	if v == [3]float64{} {
		return ""
	}
	if v[0] < 0.1 {
		return fmt.Sprintf("**%.4f** (%.4f-%.4f)", v[0], v[1], v[2])
	}
	if v[0] >= 100 {
		return fmt.Sprintf("**%.0f** (%.0f-%.0f)", v[0], v[1], v[2])
	}
	return fmt.Sprintf("**%.2f** (%.2f-%.2f)", v[0], v[1], v[2])
}
