package export_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/milvus"
)

// haunt puts rows between those of a segment that are not the segment's, since its manifest will leave them out.
func (l *layout) haunt(rows []row) (all []row, ghosts map[int]bool) {
	ghosts = map[int]bool{}
	for _, r := range rows {
		for l.IntN(4) == 0 {
			ghosts[len(all)] = true
			all = append(all, l.h.rows[l.IntN(len(l.h.rows))])
		}
		all = append(all, r)
	}
	return all, ghosts
}

// rewriteManifest commits the V3 segment's manifest once more, in other words: groups and deltalogs in another order, files in
// ranges without the ghosts, a dropped column still listed or not, any form of paths and any encoding. Metadata keeps
// placeholders or nothing.
func (l *layout) rewriteManifest(seg *milvus.Segment, ghosts map[int]bool) {
	seg.Rows -= int64(len(ghosts))
	if l.coin() {
		seg.Binlogs = nil
	}
	if l.coin() {
		seg.Deltalogs = nil
	}
	var at struct {
		Version int64  `json:"ver"`
		Base    string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(seg.ManifestPath), &at); err != nil {
		l.t.Fatal(err)
	}
	if at.Version == 0 {
		return // nothing was committed
	}
	m, err := loon.Decode(l.read(loon.Key(at.Base, at.Version)))
	if err != nil {
		l.t.Fatal(err)
	}
	l.rewriteGroups(m, at.Base, ghosts)
	for i := range m.Deltas {
		l.rewriteDelta(&m.Deltas[i], at.Base)
	}
	l.Shuffle(len(m.Deltas), func(i, j int) { m.Deltas[i], m.Deltas[j] = m.Deltas[j], m.Deltas[i] })
	at.Version += 1 + l.Int64N(10) // 9 and 10 do not sort as text
	body, err := l.encodeManifest(m)
	l.write(l.files.Dir, loon.Key(at.Base, at.Version), body, err)
	switch l.IntN(4) {
	case 0:
		at.Version = -1
	case 1:
		l.write(l.files.Dir, loon.Key(at.Base, at.Version+1), []byte("not committed"), nil)
	}
	if l.coin() {
		at.Base += "/"
	}
	text, _ := json.Marshal(at)
	seg.ManifestPath = string(text)
}

func (l *layout) read(key string) []byte {
	body, err := os.ReadFile(filepath.Join(l.files.Dir, filepath.FromSlash(key)))
	if err != nil {
		l.t.Fatal(err)
	}
	return body
}

func (l *layout) rewriteGroups(m *loon.Manifest, base string, ghosts map[int]bool) {
	dropped := fmt.Sprint(l.h.dropped.ID)
	m.Groups = slices.DeleteFunc(m.Groups, func(g loon.ColumnGroup) bool { return len(g.Columns) == 1 && g.Columns[0] == dropped && l.coin() })
	l.Shuffle(len(m.Groups), func(i, j int) { m.Groups[i], m.Groups[j] = m.Groups[j], m.Groups[i] })
	for i := range m.Groups {
		g := &m.Groups[i]
		if len(g.Columns) > 1 && l.coin() {
			g.Columns = slices.DeleteFunc(g.Columns, func(c string) bool { return c == dropped })
		}
		g.Files = l.ranges(g.Files, ghosts)
		for i := range g.Files {
			g.Files[i].Path = l.recorded(base, loon.SectionData, g.Files[i].Path)
		}
	}
}

// ranges leaves the ghosts out, and cuts files between other rows now and then.
func (l *layout) ranges(files []loon.File, ghosts map[int]bool) (out []loon.File) {
	row := 0
	for _, f := range files {
		often, open := l.IntN(3) == 0, false
		for at, end := f.Start, f.End; at < end; at++ {
			switch {
			case ghosts[row]:
				open = false
			case open && (!often || l.IntN(4) > 0):
				out[len(out)-1].End = at + 1
			default:
				f.Start, f.End, open = at, at+1, true
				out = append(out, f)
			}
			row++
		}
	}
	return out
}

// recorded spells a path relative to its section in one of the ways that are in use.
func (l *layout) recorded(base string, section loon.Section, path string) string {
	full := base + "/" + string(section) + "/" + path
	return []string{path, full, "/" + full}[l.IntN(3)]
}

// rewriteDelta gives a deltalog another form now and then: its content says which, not the segment's version.
func (l *layout) rewriteDelta(d *loon.Delta, base string) {
	if key := loon.Resolve(base, loon.SectionDelta, d.Path); l.IntN(4) == 0 {
		deletes, err := deltalog.Read(l.read(key))
		if err != nil {
			l.t.Fatal(err)
		}
		body, err := l.files.Files.Deltalogs.Encode(binlog.Header{From: 1, To: 1}, deletes)
		l.write(l.files.Dir, key, body, err)
	}
	d.Path = l.recorded(base, loon.SectionDelta, d.Path)
}

// encodeManifest writes a container, or one of the raw encodings that came before it (docs/format/storage-v2-v3.md 2.3).
func (l *layout) encodeManifest(m *loon.Manifest) ([]byte, error) {
	version := l.Int64N(6)
	if version == 0 || version > 3 {
		return loon.Encode(m)
	}
	var b []byte
	long := func(n int64) { b = binary.AppendVarint(b, n) }
	text := func(s string) { long(int64(len(s))); b = append(b, s...) }
	count := func(n int) { // of an array that is one block; 0 ends it
		if n > 0 {
			long(int64(n))
		}
	}
	long(0x4D494C56)
	long(version)
	count(len(m.Groups))
	for _, g := range m.Groups {
		count(len(g.Columns))
		for _, c := range g.Columns {
			text(c)
		}
		long(0)
		count(len(g.Files))
		for _, f := range g.Files {
			text(f.Path)
			long(f.Start)
			long(f.End)
			text(strings.Repeat("x", l.IntN(3))) // opaque
		}
		long(0)
		text(g.Format)
	}
	long(0)
	count(len(m.Deltas))
	for _, d := range m.Deltas {
		text(d.Path)
		long(int64(d.Type))
		long(d.Entries)
	}
	long(0)
	long(0) // statistics
	if version > 1 && l.coin() {
		long(0) // indexes
	}
	return b, nil
}
