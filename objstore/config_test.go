package objstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

const hidden = "k9-never-shown"

func TestSecretIsHidden(t *testing.T) {
	t.Parallel()
	s := objstore.Settings{AccessKey: "id", SecretKey: hidden, SessionToken: hidden}
	c := objstore.Config{Settings: s, Buckets: map[string]objstore.Settings{"b": s}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(text), fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s.SecretKey, s.SecretKey), fmt.Sprintf("%+v %#v", c, c), fmt.Sprintf("%v", []any{s.SecretKey, &s})} {
		if strings.Contains(out, hidden) {
			t.Errorf("shown: %s", out)
		}
	}
	if string(s.SecretKey) != hidden || !strings.Contains(string(text), "[redacted]") {
		t.Errorf("%s", text)
	}
}

func TestParseStoreFlag(t *testing.T) {
	t.Parallel()
	bucket, s, err := objstore.ParseStoreFlag("s3a://lake=endpoint=http://10.0.0.1:9000,region=eu-1,path-style=false,profile=p,credentials=env:SRC,part-size=16MiB,parallel=2")
	if err != nil || bucket != "lake" || s.Endpoint != "http://10.0.0.1:9000" || s.Region != "eu-1" || s.PathStyle == nil || *s.PathStyle || s.Profile != "p" || s.Credentials != "env:SRC" || s.PartSize != 16<<20 || s.Parallel != 2 {
		t.Fatalf("%s %+v %v", bucket, s, err)
	}
	if m := s.UploadMemory(); m != 48<<20 {
		t.Errorf("an upload holds %d bytes", m)
	}
	if m := (objstore.Settings{}).UploadMemory(); m != 40<<20 {
		t.Errorf("an upload holds %d bytes by default", m)
	}
	for _, bad := range []string{
		"", "s3://b", "s3://lake=", "s3://lake=endpoint", "s3://lake=endpoint=", "s3://lake=endpoint=host:9000", "s3://lake=endpoint=ftp://h", "s3://lake/key=region=x",
		"/dir=region=x", "s3://lake=colour=red", "s3://lake=path-style=maybe", "s3://lake=part-size=1KiB", "s3://lake=parallel=100", "s3://lake=credentials=" + hidden,
		"s3://lake=secret-key=" + hidden, "s3://lake=endpoint=http://u:" + hidden + "@host",
	} {
		_, _, err := objstore.ParseStoreFlag(bad)
		if err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

const storesFile = `
s3:
  region: us-west-2
  credentials: env:DEFAULT
stores:
  - bucket: s3://lake
    endpoint: https://s3.example.com
    path-style: true
    credentials: env:LAKE
  - bucket: raw
    part-size: 32MiB
`

func TestFile(t *testing.T) {
	t.Parallel()
	f, err := objstore.ParseFile([]byte(storesFile))
	if err != nil {
		t.Fatal(err)
	}
	c := objstore.Config{Buckets: map[string]objstore.Settings{"lake": {Endpoint: "http://flag:1"}}}
	if err := f.Apply(&c); err != nil {
		t.Fatal(err)
	}
	lake, raw := c.Buckets["lake"], c.Buckets["raw"]
	if c.Region != "us-west-2" || lake.Endpoint != "http://flag:1" || lake.Credentials != "env:LAKE" || !*lake.PathStyle || raw.PartSize != 32<<20 || raw.Credentials != "" {
		t.Errorf("%+v", c)
	}
	if _, err := objstore.ParseFile(nil); err != nil {
		t.Errorf("an empty file: %v", err)
	}
	for _, bad := range []string{
		"stores: [{bucket: b, secret-key: " + hidden + "}]", "stores: [{region: x}]", "stores: [{bucket: lake}, {bucket: s3a://lake}]", "s3: {bucket: lake}", "other: 1",
		"stores: [{bucket: lake, endpoint: nowhere}]", "stores: [{bucket: lake, part-size: many}]", ":", "stores: [{bucket: /dir}]",
	} {
		if _, err := objstore.ParseFile([]byte(bad)); err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCredentialsFromEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{"SRC_ACCESS_KEY_ID": "id", "SRC_SECRET_ACCESS_KEY": hidden}
	c := objstore.Config{
		Settings: objstore.Settings{Endpoint: "http://127.0.0.1:1", AccessKey: "default", SecretKey: "x"},
		Buckets:  map[string]objstore.Settings{"src": {Credentials: "env:SRC"}, "dst": {Credentials: "env:DST"}},
		Getenv:   func(name string) string { return env[name] },
	}
	o := objstore.NewOpener(c)
	if _, err := o.Open(t.Context(), "s3://src"); err != nil {
		t.Error(err)
	}
	_, err := o.Open(t.Context(), "s3://dst")
	if !errors.Is(err, fault.ErrAuth) || !strings.Contains(err.Error(), "DST_ACCESS_KEY_ID") {
		t.Error(err)
	}
	half := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{AccessKey: "only"}})
	if _, err := half.Open(t.Context(), "s3://bucket"); err == nil {
		t.Error("an access key without its secret was taken")
	}
}
