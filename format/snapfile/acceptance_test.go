package snapfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// load reads a snapshot from a bucket's folder as package describe would.
func load(bucket, key string) (*Metadata, []milvus.Segment, error) {
	b, err := os.ReadFile(filepath.Join(bucket, key))
	if err != nil {
		return nil, nil, err
	}
	m, err := DecodeMetadata(b)
	if err != nil {
		return nil, nil, err
	}
	var segments []milvus.Segment
	for _, p := range m.ManifestList {
		b, err := os.ReadFile(locate(bucket, key, p))
		if err != nil {
			return nil, nil, err
		}
		s, err := DecodeSegment(b, m.FormatVersion)
		if err != nil {
			return nil, nil, fault.Place(err, p)
		}
		segments = append(segments, *s)
	}
	return m, segments, Assemble(m, segments)
}

// locate finds a manifest by what its path has from "snapshots/" on, below the metadata's own root.
func locate(bucket, key, path string) string {
	root := key[:strings.Index(key, "snapshots/")]
	if i := strings.Index(path, "snapshots/"); i >= 0 {
		path = path[i:]
	}
	return filepath.Join(bucket, root, path)
}

// mine tells which damaged cases are refused here: by metadata or manifests alone.
func mine(name string) bool {
	for _, prefix := range []string{"avro-", "json-", "ids-", "limit-avro-", "limit-json-", "format-version-", "type-", "id-not-integer",
		"no-", "manifest-list-duplicate", "storage-version-", "v2m-unknown-segment"} {
		if strings.HasPrefix(strings.TrimPrefix(name, "damaged/"), prefix) {
			return true
		}
	}
	return false
}

func TestAcceptance(t *testing.T) {
	refused := 0
	for _, c := range testkit.Cases(t, "") {
		t.Run(c.Name, func(t *testing.T) {
			m, segments, err := load(filepath.Join(testkit.Acceptance(t), c.BucketDir), c.Snapshot)
			switch {
			case mine(c.Name):
				refused++
				if !c.Accepts(fault.ClassName(err)) {
					t.Fatalf("got %v, want %s", err, c.Refuse)
				}
			case err == nil:
				checkLoaded(t, m, segments)
				roundTrip(t, m, segments)
			case c.Refuse == "":
				t.Fatal(err)
			case !c.Accepts(fault.ClassName(err)) && !errors.Is(err, fs.ErrNotExist): // a path that is not safe, a manifest that is missing
				t.Fatalf("got %v, want %s", err, c.Refuse)
			}
		})
	}
	if refused < 24 {
		t.Errorf("only %d damaged cases were tried", refused)
	}
}

func checkLoaded(t *testing.T, m *Metadata, segments []milvus.Segment) {
	t.Helper()
	if m.Info.Name == "" || m.Info.CreateTS == 0 || m.FormatVersion < 1 {
		t.Errorf("info %+v, format %d", m.Info, m.FormatVersion)
	}
	if _, ok := m.Collection.Schema.PrimaryKey(); !ok {
		t.Error("no primary key in the schema")
	}
	for _, s := range segments {
		var rows int64
		for _, f := range s.Binlogs {
			if f.Field == milvus.RowIDField {
				for _, b := range f.Binlogs {
					rows += b.Entries
				}
			}
		}
		if s.StorageVersion == milvus.StorageV1 && rows != s.Rows && !strings.Contains(t.Name(), "count-") && !s.IsL0() {
			t.Errorf("segment %d: %d rows in the logs of field 0, %d declared", s.ID, rows, s.Rows)
		}
	}
}

// roundTrip encodes what was loaded and compares what that decodes to.
func roundTrip(t *testing.T, m *Metadata, segments []milvus.Segment) {
	t.Helper()
	b, err := EncodeMetadata(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, strip(again), strip(m))
	for i := range segments {
		b, err := EncodeSegment(&segments[i], m.FormatVersion)
		if err != nil {
			t.Fatal(err)
		}
		s, err := DecodeSegment(b, m.FormatVersion)
		if err != nil {
			t.Fatal(err)
		}
		s.Collection, s.ManifestPath = segments[i].Collection, segments[i].ManifestPath
		equal(t, *s, segments[i])
	}
}

func strip(m *Metadata) Metadata {
	c := *m
	c.raw = nil
	return c
}
