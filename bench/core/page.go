package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Measurement is one run.
type Measurement struct {
	Wall float64 `json:"wall_s"`
	CPU  float64 `json:"cpu_s"` // of the server that is measured
	Load float64 `json:"load"`  // of the machine when it began
}

func (m *Measurement) plus(n Measurement) {
	if m.Wall == 0 {
		m.Load = n.Load
	}
	m.Wall, m.CPU = m.Wall+n.Wall, m.CPU+n.CPU
}

// Row is what was measured in every round.
type Row struct {
	Where string        `json:"where"` // local, S3
	Name  string        `json:"name"`
	Work  float64       `json:"work"` // how much of the unit a run did, without "/s"
	Unit  string        `json:"unit"`
	All   []Measurement `json:"all"`
}

func (r *Row) wall() [3]float64 {
	return median(r.values(func(m Measurement) float64 { return m.Wall }))
}
func (r *Row) cpu() [3]float64 {
	return median(r.values(func(m Measurement) float64 { return m.CPU }))
}

func (r *Row) values(of func(Measurement) float64) (out []float64) {
	for _, m := range r.All {
		out = append(out, of(m))
	}
	return out
}

// Results is one file of results.
type Results struct {
	Name    string            `json:"name"`
	Begun   time.Time         `json:"begun"`
	Runs    int               `json:"runs"`
	Rows    int               `json:"rows"`
	Remark  string            `json:"remark,omitempty"`
	Machine map[string]string `json:"machine"`
	Lines   []*Row            `json:"lines"`
	Created []Created         `json:"created"`
	Notes   []string          `json:"notes,omitempty"`
}

func (r *Results) add(where, name string, m Measurement, work float64, unit string) {
	fmt.Fprintf(os.Stderr, "%-6s %-50s %9.4f s %8.2f CPU s  %12.1f %s (load %.1f)\n", where, name, m.Wall, m.CPU, work/m.Wall, unit, m.Load)
	row := r.find(where, name)
	if row == nil {
		row = &Row{Where: where, Name: name, Work: work, Unit: unit}
		r.Lines = append(r.Lines, row)
	}
	row.All = append(row.All, m)
}

func (r *Results) find(where, name string) *Row {
	i := slices.IndexFunc(r.Lines, func(x *Row) bool { return x.Where == where && x.Name == name })
	if i < 0 {
		return nil
	}
	return r.Lines[i]
}

func (r *Results) note(text string) {
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

func (r *Results) write(o *options) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.MkdirAll(o.results, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(o.results, "core-"+o.name+".json"), append(b, '\n'), 0o644)
	}
	if err != nil {
		return err
	}
	return r.page(o)
}

func render(o *options) error {
	b, err := os.ReadFile(o.render)
	if err != nil {
		return err
	}
	var r Results
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	return r.page(o)
}

const pageBegin, pageEnd = "<!-- core: begin -->\n", "<!-- core: end -->\n"

// page puts the figures between the page's marks.
func (r *Results) page(o *options) error {
	if o.readme == "" {
		return nil
	}
	old, err := os.ReadFile(o.readme)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), pageBegin)
	_, after, ok2 := strings.Cut(rest, pageEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the figures: %s", o.readme, strings.TrimSpace(pageBegin))
	}
	return os.WriteFile(o.readme, []byte(before+pageBegin+r.text()+pageEnd+after), 0o644)
}

// text writes the results as Markdown.
func (r *Results) text() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d rounds, %s. %s, %s cores, Linux %s, %s. snapexport %s.", r.Runs, r.Begun.Format(time.DateOnly), r.Machine["cpu"], r.Machine["cores"], r.Machine["kernel"], r.Machine["file system"], r.Machine["snapexport"])
	least, most := r.loads()
	fmt.Fprintf(&b, " Load of the machine when a run began: %.1f to %.1f.", least, most)
	if most > 2.5*float64(runtime.NumCPU()) {
		fmt.Fprint(&b, " **Others used it heavily**: wall times say little.")
	}
	if r.Remark != "" {
		fmt.Fprintf(&b, " %s", r.Remark)
	}
	fmt.Fprintf(&b, "\n\n%d rows of Int64 key and FloatVector(%d) in %d segments of storage V1. The rows of every restored or imported collection were read back and are the same (number, and a hash of the multiset).\n\n", r.Rows, dim, segments)
	fmt.Fprint(&b, "CPU seconds are those of the server, or of cp; what the S3 server used beside it is not counted.\n\n| where | what | wall s | CPU s | rate |\n|---|---|---|---|---|\n")
	for _, x := range r.Lines {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s %s |\n", x.Where, x.Name, spread(x.wall()), spread(x.cpu()), rate(x.Work/x.wall()[0]), x.Unit)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\n%s.\n", n)
	}
	b.WriteString(r.ratios())
	if len(r.Created) > 0 {
		fmt.Fprint(&b, "\nMaking a snapshot, by its number of segments (ten fields each). The floor is a plain loop that creates as many files of that size, synced together where it says fsync.\n\n")
		fmt.Fprint(&b, "| where | segments | fsync | ms | µs a segment | floor ms |\n|---|---|---|---|---|---|\n")
		for _, c := range r.Created {
			fmt.Fprintf(&b, "| %s | %d | %s | **%.1f** | %.0f | %.1f |\n", c.Where, c.Segments, map[bool]string{true: "yes", false: "no"}[c.Fsync], c.Millis, 1e3*c.Millis/float64(c.Segments), c.Floor)
		}
	}
	return b.String()
}

// ratios sets restores beside imports and copies of the same round.
func (r *Results) ratios() string {
	var b strings.Builder
	for _, how := range []string{"restore, copy", "restore, reflink", "restore, link"} {
		ours := r.find("local", how)
		if ours == nil {
			continue
		}
		for _, name := range []string{importName, "cp -r and sync -f", "cp -r"} {
			theirs := r.find("local", name)
			if theirs == nil || len(theirs.All) != len(ours.All) {
				continue
			}
			var wall, cpu []float64
			for i := range ours.All {
				wall = append(wall, theirs.All[i].Wall/ours.All[i].Wall)
				cpu = append(cpu, theirs.All[i].CPU/max(ours.All[i].CPU, 1.0/ticks))
			}
			if b.Len() == 0 {
				fmt.Fprint(&b, "\nHow many times as long the others take as a restore from the call to the completed job, round by round: median (least-greatest).\n\n| restore | beside | wall | CPU |\n|---|---|---|---|\n")
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.TrimPrefix(how, "restore, "), name, spread(median(wall)), spread(median(cpu)))
		}
	}
	return b.String()
}

func (r *Results) loads() (least, most float64) {
	least = 1e9
	for _, x := range r.Lines {
		for _, m := range x.All {
			least, most = min(least, m.Load), max(most, m.Load)
		}
	}
	return least, most
}

func spread(v [3]float64) string {
	digits := 2
	if v[0] < 0.1 {
		digits = 4
	}
	return fmt.Sprintf("**%.*f** (%.*f-%.*f)", digits, v[0], digits, v[1], digits, v[2])
}

func rate(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func machine(ctx context.Context, o *options) map[string]string {
	m := map[string]string{"cores": fmt.Sprint(runtime.NumCPU()), "go": runtime.Version()}
	b, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(l, ":"); strings.TrimSpace(name) == "model name" {
			m["cpu"] = strings.TrimSpace(value)
			break
		}
	}
	b, _ = os.ReadFile("/proc/sys/kernel/osrelease")
	m["kernel"] = strings.TrimSpace(string(b))
	b, _ = exec.CommandContext(ctx, "df", "--output=fstype", o.dir).Output()
	_, kind, _ := strings.Cut(string(b), "\n")
	m["file system"] = strings.TrimSpace(kind)
	b, _ = exec.CommandContext(ctx, o.binary, "version").Output()
	first, _, _ := strings.Cut(string(b), "\n")
	m["snapexport"] = strings.TrimPrefix(strings.TrimSpace(first), "snapexport ")
	return m
}
