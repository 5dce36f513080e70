package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/snapexport/snapexport/datafile"
)

// Names of cases that goals speak of.
const copyName, syncName = "cp -r of the files", "cp -r and sync of each file"

// codecs are a choice for vectors and one for everything else, both as snapexport and the script over pyarrow name them.
type codecs struct{ name, vectors, others string }

var (
	level     = strconv.Itoa(datafile.DefaultCompressionLevel) // of zstd, ours and theirs
	plainZstd = codecs{"vectors uncompressed, scalars zstd-" + level, "none", "zstd"}
	allZstd   = codecs{"all zstd-" + level, "zstd", "zstd"}
	allPlain  = codecs{"all uncompressed", "none", "none"}
)

func plural(workers int) string {
	if workers == 1 {
		return "1 worker"
	}
	return fmt.Sprint(workers, " workers")
}

// oursName is that of snapexport with its own choice of codecs, which is plainZstd.
func oursName(format string, workers int) string {
	return "snapexport, " + format + ", " + plural(workers)
}

func oursCodecs(c codecs, workers int) string {
	return "snapexport, parquet, " + c.name + ", " + plural(workers)
}

func scriptName(c codecs, workers int) string {
	return "pyarrow script, " + c.name + ", " + plural(workers)
}

// export is snapexport over the data set.
func (o options) export(d *dataset, format string, workers int, more ...string) *Case {
	command := []string{o.binary, "export", d.source(), "--to", outMark, "--format", format, "--workers", fmt.Sprint(workers), "--progress", "none"}
	return &Case{Name: oursName(format, workers), Command: append(command, more...), kind: kindExport}
}

// script is the script over pyarrow.
func (o options) script(d *dataset, c codecs, workers int) *Case {
	return &Case{Name: scriptName(c, workers), kind: kindExport, Command: []string{
		o.python, "bench/peers/pyarrow_export.py", d.dir, outMark, "--workers", fmt.Sprint(workers), "--vector-codec", c.vectors, "--codec", c.others, "--level", level,
	}}
}

// exportSection sets exports of a data set beside the script and cp.
func exportSection(o options, d *dataset, out string) *section {
	s := &section{id: "export " + d.id(), title: "B4 export: " + d.title(), data: d, out: out}
	for _, workers := range []int{1, 2} {
		if d.Params.Workload == "D1" {
			s.cases = append(s.cases, o.export(d, "iceberg", workers))
		}
		s.cases = append(s.cases, o.export(d, "parquet", workers))
		if d.scripted() {
			s.cases = append(s.cases, o.script(d, plainZstd, workers))
		}
		for _, c := range d.otherCodecs() {
			ours := o.export(d, "parquet", workers, "--vector-compression", c.vectors, "--compression", c.others)
			ours.Name = oursCodecs(c, workers)
			s.cases = append(s.cases, ours, o.script(d, c, workers))
		}
	}
	files := filepath.Join(d.dir, "files")
	s.cases = append(s.cases,
		&Case{Name: copyName, Command: []string{"cp", "-r", files, outMark}},
		&Case{Name: syncName, Command: []string{"sh", "-c", "cp -r '" + files + "' OUT && find OUT -type f -exec sync {} +"}})
	s.goals = exportGoals(d)
	return s
}

// otherCodecs are those that are tried beside plainZstd.
func (d *dataset) otherCodecs() []codecs {
	if d.id() == "D1-v1" {
		return []codecs{allZstd, allPlain}
	}
	return nil
}

func exportGoals(d *dataset) (out []goal) {
	one, two := oursName("parquet", 1), oursName("parquet", 2)
	rows, faster := 0.0, 0.0 // without a goal they are told all the same
	if d.Params.Workload == "D1" && (d.Params.Storage == "v1" || d.Params.Storage == "v2") {
		rows, faster = 3, 3
	}
	if d.scripted() {
		out = append(out,
			goal{ours: one, beside: scriptName(plainZstd, 1), of: ofCPU, least: rows},
			goal{ours: two, beside: scriptName(plainZstd, 2), of: ofCPU, least: rows},
			goal{ours: one, beside: scriptName(plainZstd, 1), of: ofWall},
			goal{ours: two, beside: scriptName(plainZstd, 2), of: ofWall, least: faster})
	}
	for _, c := range d.otherCodecs() {
		out = append(out, goal{ours: oursCodecs(c, 1), beside: scriptName(c, 1), of: ofCPU}, goal{ours: oursCodecs(c, 2), beside: scriptName(c, 2), of: ofWall})
	}
	near := 0.0
	if d.Params.Workload == "D1" && d.Params.Storage == "v2-plain" {
		near = 0.5
	}
	out = append(out, goal{ours: two, beside: syncName, of: ofWall, least: near})
	if d.Params.Workload == "D2" {
		out = append(out, goal{ours: one, of: ofVectors, least: 1}, goal{ours: two, of: ofVectors, least: 1})
	}
	return out
}

// scales tells whether two workers are set beside one over this data set, and decodes whether decoding is measured.
func (d *dataset) scales() bool {
	return d.Params.Workload == "D1" && d.Params.Storage != "v2" && d.scripted() || d.id() == "D2-v2-plain"
}

func (d *dataset) decodes() bool {
	return d.Params.Workload == "D1" && d.scripted() || d.id() == "D2-v2-plain" || d.Params.Workload == "D3" && d.scripted()
}

// scalingSection leaves the disk out of it.
func scalingSection(o options, d *dataset) *section {
	s := &section{id: "scaling " + d.id(), title: "B4 one worker and two, output in memory: " + d.title(), data: d}
	s.start = inMemory(o.shm)
	for _, workers := range []int{1, 2} {
		s.cases = append(s.cases, o.export(d, "parquet", workers), o.script(d, plainZstd, workers))
	}
	one, two := oursName("parquet", 1), oursName("parquet", 2)
	s.goals = []goal{
		{ours: two, beside: one, of: ofWall, least: 1.7},
		{ours: two, beside: scriptName(plainZstd, 2), of: ofWall},
		{ours: one, beside: scriptName(plainZstd, 1), of: ofCPU},
	}
	if d.Params.Workload == "D2" {
		s.goals = append(s.goals, goal{ours: one, of: ofVectors, least: 1})
	}
	return s
}

// memorySection exports within a tenth of the snapshot.
func memorySection(o options, d *dataset, out string) *section {
	const least = 130 // MiB: a little more than the command takes at least
	times := float64(d.VectorBytes) / (least << 20)
	s := &section{
		id: "memory", data: d, out: out, title: fmt.Sprintf("Memory: --memory %dMiB, vectors of %.1f times that: %s", least, times, d.title()),
		text: "Peak is the process's resident memory, by the system's own record. A snapshot of ten times the bound is to stay within it.",
	}
	for _, workers := range []int{1, 2} {
		c := o.export(d, "parquet", workers, "--memory", fmt.Sprint(least, "MiB"))
		c.most = o.slow
		s.cases = append(s.cases, c)
		s.goals = append(s.goals, goal{ours: c.Name, of: ofPeak, most: least * 1.048576})
	}
	return s
}
