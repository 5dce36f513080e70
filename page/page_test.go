package page_test

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/page"
)

// snapshot has 40 segments of all sizes and ages, every fourth without deletes, and names that are not kind to HTML.
func snapshot() *describe.Snapshot {
	s := &describe.Snapshot{Name: `<script>alert("1")</script>`, Kind: describe.KindSnapshot, Description: "a & b"}
	s.Collection.Schema = milvus.Schema{Name: `docs"><b>`, Fields: []milvus.Field{
		{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}, {ID: 101, Name: "vec", Type: milvus.TypeFloatVector, Dim: 128}, {ID: 102, Name: "<i>title</i>", Type: milvus.TypeVarChar},
	}}
	s.Collection.Partitions = []milvus.Partition{{ID: 1, Name: "_default"}}
	begun := time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	for i := range int64(40) {
		log := func(key string, size int64) milvus.Binlog {
			return milvus.Binlog{File: milvus.FileRef{Key: key}, Entries: 1000, Size: size, To: milvus.NewTimestamp(begun.Add(time.Duration(i)*9*time.Hour).UnixMilli(), 0)}
		}
		seg := milvus.Segment{ID: milvus.SegmentID(i + 1), Partition: 1, Level: milvus.LevelL1, Rows: 1000, StorageVersion: 0, Binlogs: []milvus.FieldBinlog{
			{Field: 100, Binlogs: []milvus.Binlog{log("a", 8000)}}, {Field: 101, Binlogs: []milvus.Binlog{log("b", 20_000<<(i%10))}}, {Field: 102, Binlogs: []milvus.Binlog{log("c", 5000)}},
		}}
		if i%4 != 0 {
			seg.Deltalogs = []milvus.FieldBinlog{{Binlogs: []milvus.Binlog{{File: milvus.FileRef{Key: "d"}, Entries: 25 * i, Size: 300}}}}
		}
		s.Segments = append(s.Segments, seg)
	}
	return s
}

func write(t *testing.T, s *describe.Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	if err := page.Write(&b, describe.Describe(s, true), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// section returns what lies below a heading.
func section(t *testing.T, html, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(html, "<h2>"+heading)
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	body, _, _ := strings.Cut(rest, "</section>")
	return body
}

func TestPage(t *testing.T) {
	html := write(t, snapshot())
	for _, bad := range []string{"<script", "<b>\"", "<i>", `docs">`, "http://", "https://"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"&lt;script&gt;", "&lt;i&gt;title&lt;/i&gt;", "a &amp; b", "<b>40,000</b>", "FloatVector(128)"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// Every segment is in each chart once.
	for heading, bars := range map[string]int{"Segments by size": 6, "Segments by the time": 16, "Segments by share": 11} {
		sum, rects := 0, 0
		for _, m := range regexp.MustCompile(`<title>[^<]*: ([0-9]+) segments`).FindAllStringSubmatch(section(t, html, heading), -1) {
			n := 0
			for _, c := range m[1] {
				n = 10*n + int(c-'0')
			}
			sum += n
			rects++
		}
		if sum != 40 || rects == 0 || rects > bars {
			t.Errorf("%s: %d segments in %d bars", heading, sum, rects)
		}
	}
	if cost := section(t, html, "What an export of one column reads"); !strings.Contains(cost, "id: 0 files") || !strings.Contains(cost, "vec: 40 files") {
		t.Errorf("costs of columns: %s", cost)
	}
}

func TestEmptySnapshot(t *testing.T) {
	s := snapshot()
	s.Segments = nil
	if html := write(t, s); strings.Count(html, "nothing to show") != 3 {
		t.Error(html)
	}
}

// TestInChromium looks at the page as a browser draws it: bars are there, and none leaves its card.
func TestInChromium(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on the PATH")
	}
	dir := t.TempDir()
	name, shot := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.png")
	if err := os.WriteFile(name, []byte(write(t, snapshot())), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+filepath.Join(dir, "profile"), "--window-size=1240,1600", "--screenshot="+shot, "file://"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// Runs of the bars' colour in each row of pixels: 5 charts of 5 to 16 bars; the longest bar of a chart is as long as they get.
	var blue, longest int
	for y := range img.Bounds().Dy() {
		run := 0
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			if r>>8 == 0x3a && g>>8 == 0x7b && b>>8 == 0xd5 {
				blue++
				run++
				longest = max(longest, run)
				continue
			}
			run = 0
		}
	}
	if blue < 20_000 || longest < 250 || longest > 420 {
		t.Errorf("%d pixels of bars, the longest is %d", blue, longest)
	}
	if keep := os.Getenv("SNAPEXPORT_PAGE_PICTURE"); keep != "" {
		b, _ := os.ReadFile(shot)
		_ = os.WriteFile(keep, b, 0o600)
	}
}
