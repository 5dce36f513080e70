package describe

import (
	"errors"
	"testing"

	"github.com/snapexport/snapexport/fault"
)

// Locations as servers tell them; hosts never decide where we connect.
func TestMetadataSource(t *testing.T) {
	const key = "files/snapshots/100/metadata/7001.json"
	for _, c := range []struct {
		location, storage, want string
		class                   error
	}{
		{location: key, storage: "s3://b", want: "s3://b/" + key},
		{location: key, storage: "./copy/", want: "./copy/" + key},
		{location: key, class: ErrUsage},
		{location: "snapshots/100/metadata/7001.json", storage: "s3://b", want: "s3://b/snapshots/100/metadata/7001.json"},
		{location: "s3://b/" + key, want: "s3://b/" + key},
		{location: "s3://b/" + key, storage: "s3://copy/x", want: "s3://copy/x/" + key},
		{location: "s3://minio.local:9000/b/" + key, want: "s3://b/" + key},
		{location: "minio://127.0.0.1:9000/b/" + key, want: "s3://b/" + key},
		{location: "https://lake.s3.amazonaws.com/" + key, storage: "s3://lake", want: "s3://lake/" + key},
		{location: "b/files/snapshots/100/tables/7001", want: "s3://b/" + key},
		{location: "b/snapshots/100/tables/7001", want: "s3://b/snapshots/100/metadata/7001.json"},
		{location: "b/files/snapshots/100/tables/7001", storage: "s3://c", want: "s3://c/" + key},
		{location: "x/tables/snapshots/100/metadata/7001.json", storage: "s3://b", want: "s3://b/x/tables/snapshots/100/metadata/7001.json"},
		{location: "x/tables/snapshots/100/metadata/7001.json", class: ErrUsage},
		{location: "/srv/bucket/files/snapshots/100/tables/7001", want: "/srv/bucket/" + key},
		{location: "/srv/bucket/" + key, want: "/srv/bucket/" + key},
		{location: "/srv/bucket/" + key, storage: "/mnt/copy", want: "/mnt/copy/" + key},
		{location: "", class: fault.ErrUnsafePath},
		{location: "s3://b/../" + key, class: fault.ErrUnsafePath},
		{location: "file:///etc/" + key, class: fault.ErrUnsafePath},
		{location: "s3://u:hunter2@b/" + key, class: fault.ErrUnsafePath},
		{location: "b/files/insert_log/1", class: fault.ErrUnsupported},
	} {
		got, err := MetadataSource(c.location, c.storage)
		if got != c.want || !errors.Is(err, c.class) {
			t.Errorf("%q in %q gives %q, %v; want %q, %v", c.location, c.storage, got, err, c.want, c.class)
		}
	}
}

// Only 'snapexport serve' names a place for the snapshot's table.
func TestTableTarget(t *testing.T) {
	for _, c := range []struct{ location, storage, want string }{
		{"b/files/snapshots/100/tables/7001", "", "s3a://b/files/snapshots/100/tables/7001"},
		{"b/snapshots/100/tables/7001", "", "s3a://b/snapshots/100/tables/7001"},
		{"b/files/snapshots/100/tables/7001", "s3://c", "s3a://c/files/snapshots/100/tables/7001"},
		{"/srv/bucket/files/snapshots/100/tables/7001", "", "/srv/bucket/files/snapshots/100/tables/7001"},
		{"/srv/bucket/files/snapshots/100/tables/7001", "./copy", "./copy/files/snapshots/100/tables/7001"},
		{"files/snapshots/100/metadata/7001.json", "s3://b", ""},
		{"s3://b/files/snapshots/100/metadata/7001.json", "", ""},
		{"s3://b/files/snapshots/100/tables/7001", "", ""},
		{"b/files/snapshots/../tables/7001", "", ""},
		{"", "", ""},
	} {
		if got := TableTarget(c.location, c.storage); got != c.want {
			t.Errorf("%q in %q gives %q, want %q", c.location, c.storage, got, c.want)
		}
	}
}
