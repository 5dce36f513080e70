package objstore

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/snapexport/snapexport/fault"
)

// ParseStoreFlag parses the value of --store: "s3://BUCKET=endpoint=...,region=...,path-style=...,profile=...,
// credentials=env:PREFIX". It returns the bucket's name and its settings. Values have no commas. Other keys: part-size (bytes,
// or with KiB, MiB, GiB) and parallel.
func ParseStoreFlag(flag string) (bucket string, s Settings, err error) {
	uri, list, found := strings.Cut(flag, "=")
	if !found || list == "" {
		return "", s, flagError("no settings").WithHint("write s3://BUCKET=endpoint=URL,region=NAME,path-style=true,profile=NAME,credentials=env:PREFIX")
	}
	bucket, err = bucketOf(uri)
	if err != nil {
		return "", s, err
	}
	for item := range strings.SplitSeq(list, ",") {
		name, value, found := strings.Cut(item, "=")
		if !found || value == "" {
			return "", s, flagError("setting %q has no value", printable(name))
		}
		if err := s.set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return "", s, err
		}
	}
	return bucket, s, s.check()
}

// set sets one field by its name in flags and files. The message of an error has no value of a setting that might be secret.
func (s *Settings) set(name, value string) (err error) {
	switch name {
	case "endpoint":
		s.Endpoint = value
	case "region":
		s.Region = value
	case "path-style":
		var on bool
		on, err = strconv.ParseBool(value)
		s.PathStyle = &on
	case "profile":
		s.Profile = value
	case "credentials":
		s.Credentials = value
	case "part-size":
		s.PartSize, err = parseBytes(value)
	case "parallel":
		s.Parallel, err = strconv.Atoi(value)
	default:
		return flagError("setting %q is not known", printable(name)).WithHint("known: endpoint, region, path-style, profile, credentials, part-size, parallel; secrets come from profile or credentials=env:PREFIX")
	}
	if err != nil {
		return flagError("setting %s: %q is not valid", name, printable(value))
	}
	return nil
}

func flagError(format string, args ...any) *fault.Error {
	return fault.New(ErrFailed, "store settings", format, args...)
}

// bucketOf returns the bucket that "s3://bucket", "s3a://bucket/" or "bucket" names.
func bucketOf(name string) (string, error) {
	if !strings.Contains(name, "://") {
		name = "s3://" + name
	}
	l, err := Parse(name)
	if err != nil {
		return "", err
	}
	bucket, ok := strings.CutPrefix(l.Store, "s3://")
	if !ok || l.Key != "" {
		return "", flagError("%q is not a bucket", printable(name)).WithHint("settings are per bucket: s3://BUCKET")
	}
	return bucket, nil
}

var byteUnits = []struct {
	suffix string
	shift  uint
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}

func parseBytes(s string) (int64, error) {
	shift := uint(0)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			s, shift = strings.TrimSpace(rest), u.shift
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return n << shift, err
}

// File is the part of snapexport.yaml that is about stores. A program with more settings embeds it with `yaml:",inline"`.
type File struct {
	S3     StoreEntry   `yaml:"s3"`     // the default; its Bucket stays empty
	Stores []StoreEntry `yaml:"stores"` // one bucket each
}

// StoreEntry is one bucket's settings in a file. It has no place for secrets: they come from a profile or the environment.
type StoreEntry struct {
	Bucket      string `yaml:"bucket"` // "s3://bucket" or "bucket"
	Endpoint    string `yaml:"endpoint"`
	Region      string `yaml:"region"`
	PathStyle   *bool  `yaml:"path-style"`
	Profile     string `yaml:"profile"`
	Credentials string `yaml:"credentials"`
	PartSize    string `yaml:"part-size"`
	Parallel    int    `yaml:"parallel"`
}

// ParseFile parses a snapexport.yaml that holds nothing but stores. Unknown keys are errors.
func ParseFile(text []byte) (File, error) {
	var f File
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return f, flagError("%w", err).WithHint("each entry of stores has bucket, endpoint, region, path-style, profile, credentials, part-size, parallel")
	}
	return f, f.Apply(&Config{})
}

// Settings returns the entry as settings, checked.
func (e StoreEntry) Settings() (Settings, error) {
	s := Settings{Endpoint: e.Endpoint, Region: e.Region, PathStyle: e.PathStyle, Profile: e.Profile, Credentials: e.Credentials, Parallel: e.Parallel}
	if e.PartSize != "" {
		if err := s.set("part-size", e.PartSize); err != nil {
			return s, err
		}
	}
	return s, s.check()
}

// Apply adds the file's settings to c. What c has already (from flags, which come first) stays.
func (f File) Apply(c *Config) error {
	base, err := f.S3.Settings()
	if err != nil {
		return err
	}
	if f.S3.Bucket != "" {
		return flagError("the entry s3 is the default of all buckets and names none").WithHint("move it to stores")
	}
	c.Settings = c.Settings.over(base)
	seen := map[string]bool{}
	for _, e := range f.Stores {
		bucket, err := bucketOf(e.Bucket)
		if err != nil {
			return err
		}
		if seen[bucket] {
			return flagError("bucket %q is there twice", bucket)
		}
		seen[bucket] = true
		s, err := e.Settings()
		if err != nil {
			return fault.Place(err, "s3://"+bucket)
		}
		if c.Buckets == nil {
			c.Buckets = map[string]Settings{}
		}
		c.Buckets[bucket] = c.Buckets[bucket].over(s)
	}
	return nil
}
