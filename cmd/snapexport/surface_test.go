package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// recorder is an HTTP proxy that should hear of nothing: it stands for the whole world but loopback.
func recorder(t *testing.T) (endpoint string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// Paths in metadata that name servers: no server is contacted but the operator's.
func TestPathsNeverDecideWhereWeConnect(t *testing.T) {
	t.Parallel()
	world, requests := recorder(t)
	s := newStage(t, fixture.Shape{Segments: 1, Rows: 10})
	for _, c := range []struct {
		name, prefix string
		code         int
	}{
		{"metadata service", "http://169.254.169.254/latest/", exitBadSource},
		{"metadata service, our bucket", "http://169.254.169.254/" + milvusBucket + "/", 0},
		{"another server, our bucket", "https://objects.example/" + milvusBucket + "/", 0},
		{"another bucket", "s3://someone-elses/", exitBadSource},
		{"a file", "file:///etc/", exitBadSource},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c2 := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 10})
			for _, lists := range [][]milvus.FieldBinlog{c2.Segments[0].Binlogs, c2.Segments[0].Statslogs} {
				for _, fb := range lists {
					for i := range fb.Binlogs {
						fb.Binlogs[i].File.Key = c.prefix + fb.Binlogs[i].File.Key
					}
				}
			}
			key := c2.Snapshot(t, "aimed", 7003, nil)
			s.milvus.Fill(t, milvusBucket, dir)
			env := append([]string{"HTTP_PROXY=" + world, "HTTPS_PROXY=" + world}, s.env...)
			for _, args := range [][]string{
				{"export", "s3://" + milvusBucket + "/" + key, "--to", stageTable},
				{"describe", "s3://" + milvusBucket + "/" + key, "--check"},
				{"cat", "s3://" + milvusBucket + "/" + key},
			} {
				if o := invoke(t, env, s.args(args...)...); o.code != c.code {
					t.Errorf("%s: want exit %d: %s", args[0], c.code, o)
				}
			}
			s.emptyLake(t)
		})
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests to the world", n)
	}
}

// A server that sends us elsewhere: we do not go, and fail.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere, requests := recorder(t)
	s := newStage(t, fixture.Shape{Segments: 1, Rows: 10})
	for _, status := range []int{301, 302, 303, 307, 308} {
		s.toMilvus.Choose(hold(everything, testkit.Redirect(status, elsewhere)))
		if o := invoke(t, s.env, s.export(s.both)...); o.code == 0 {
			t.Errorf("%d: %s", status, o)
		}
		s.toMilvus.Choose(nil)
		s.toLake.Choose(hold(method("PUT"), testkit.Redirect(status, elsewhere)))
		if o := invoke(t, s.env, s.export(s.both)...); o.code == 0 {
			t.Errorf("%d: %s", status, o)
		}
		s.toLake.Choose(nil)
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests elsewhere", n)
	}
	if left := s.leftovers(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Metadata that is built to hurt: refused at once, within little memory, with its class.
func TestHostileMetadata(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 10})
	good := string(testkit.ReadFile(t, dir, c.Snapshot(t, "good", 7001, nil)))
	if _, err := snapfile.DecodeMetadata([]byte(good)); err != nil {
		t.Fatal(err)
	}
	id := `"` + string(mustJSON(t, int64(fixture.DocumentsID))) + `"`
	if !strings.Contains(good, id) {
		id = strings.Trim(id, `"`)
	}
	for name, text := range map[string]string{
		"deep nesting":         strings.Replace(good, "{", `{"x": `+strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)+",", 1),
		"deep objects":         strings.Repeat(`{"a":`, 1<<20),
		"two of a key":         strings.Replace(good, "{", `{"snapshot_info": {}, `, 1) + good,
		"an id as a float":     strings.Replace(good, id, "4.7e17", 1),
		"an id too large":      strings.Replace(good, id, "99999999999999999999", 1),
		"an id with fractions": strings.Replace(good, id, "1.5", 1),
		"a list of nothing":    strings.Replace(good, "{", `{"manifest_list": [`+strings.Repeat(`"",`, 1<<20)+`""],`, 1),
		"not UTF-8":            strings.Replace(good, "documents", "\xff\xfe", 1),
		"100 MiB of blanks":    good + strings.Repeat(" ", 100<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(t.TempDir(), "files")
			path := filepath.Join(root, snapfile.MetadataKey("", int64(fixture.DocumentsID), 7001))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			o := invoke(t, nil, "describe", path, "--json")
			if o.code != exitBadSource && o.code != exitUnsupported {
				t.Errorf("%.2000s", o)
			}
			if o.peakKiB > 400<<10 || o.cpu > 20*time.Second {
				t.Errorf("%d MiB, %v", o.peakKiB>>10, o.cpu)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
