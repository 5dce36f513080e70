package objstore

import (
	"net/url"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

// Secret is a string that does not show itself in any output. string(s) is its value.
type Secret string

const redacted = "[redacted]"

// String, GoString, MarshalJSON and MarshalText hide the value; an empty secret stays empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return `objstore.Secret("` + s.String() + `")` }

// MarshalJSON hides the value.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Settings say how to reach S3 for one bucket, or by default. Unset fields take the default's, then the AWS SDK's standard
// chain (variables, shared profiles, roles).
type Settings struct {
	Endpoint     string // "https://host[:port]" or "http://..."; "" is AWS or AWS_ENDPOINT_URL
	Region       string
	PathStyle    *bool // nil: path style if and only if an endpoint is set
	Profile      string
	AccessKey    string
	SecretKey    Secret
	SessionToken Secret
	// Credentials is "", "env:PREFIX" (PREFIX_ACCESS_KEY_ID, PREFIX_SECRET_ACCESS_KEY, PREFIX_SESSION_TOKEN, read through
	// Config.Getenv) or "anonymous".
	Credentials string
	PartSize    int64 // bytes per part of an upload; 0 is 8 MiB, at least 5 MiB
	Parallel    int   // parts in flight per upload, 0 is 4
}

// Defaults and bounds of uploads. S3 wants parts of 5 MiB to 5 GiB and at most 10,000 of them.
const (
	defaultPartSize = 8 << 20
	minPartSize     = 5 << 20
	maxPartSize     = 1 << 30
	defaultParallel = 4
	maxParts        = 10000
)

// UploadMemory returns the most bytes that one streamed upload buffers: its parts in flight and the one being filled.
func (s Settings) UploadMemory() int64 {
	s = s.withDefaults()
	return s.PartSize * int64(s.Parallel+1)
}

func (s Settings) withDefaults() Settings {
	if s.PartSize == 0 {
		s.PartSize = defaultPartSize
	}
	if s.Parallel == 0 {
		s.Parallel = defaultParallel
	}
	return s
}

// over returns s with unset fields taken from base. Credentials are taken as a whole: a bucket that sets any of them inherits
// none.
func (s Settings) over(base Settings) Settings {
	if s.Endpoint == "" {
		s.Endpoint = base.Endpoint
	}
	if s.Region == "" {
		s.Region = base.Region
	}
	if s.PathStyle == nil {
		s.PathStyle = base.PathStyle
	}
	if s.PartSize == 0 {
		s.PartSize = base.PartSize
	}
	if s.Parallel == 0 {
		s.Parallel = base.Parallel
	}
	if s.Profile == "" && s.AccessKey == "" && s.Credentials == "" {
		s.Profile, s.AccessKey, s.SecretKey = base.Profile, base.AccessKey, base.SecretKey
		s.SessionToken, s.Credentials = base.SessionToken, base.Credentials
	}
	return s
}

// check returns an error for settings that can't be meant.
func (s Settings) check() error {
	bad := func(format string, args ...any) *fault.Error {
		return fault.New(ErrFailed, "S3 settings", format, args...)
	}
	if s.Endpoint != "" {
		u, err := url.Parse(s.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return bad("endpoint %q is not a URL", printable(s.Endpoint)).WithHint("write http://host:port or https://host")
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return bad("the endpoint has a user, query or fragment").WithHint("give credentials by profile or credentials=env:PREFIX")
		}
	}
	if (s.AccessKey == "") != (s.SecretKey == "") {
		return bad("access key and secret key must be given together")
	}
	if s.Credentials != "" && s.Credentials != "anonymous" && len(strings.TrimPrefix(s.Credentials, "env:")) == len(s.Credentials) {
		return bad("credentials are neither env:PREFIX nor anonymous")
	}
	if s.PartSize != 0 && (s.PartSize < minPartSize || s.PartSize > maxPartSize) {
		return bad("part size %d is not within %d and %d", s.PartSize, minPartSize, maxPartSize)
	}
	if s.Parallel < 0 || s.Parallel > 64 {
		return bad("%d parts in flight are not within 1 and 64", s.Parallel)
	}
	return nil
}

// Config is all that an Opener needs.
type Config struct {
	Settings                      // of every bucket that has none of its own
	Buckets   map[string]Settings // by bucket name; unset fields are inherited
	Getenv    func(string) string // for credentials=env:PREFIX; nil means that there is no environment
	Retry     RetryPolicy         // the zero policy does not retry
	Metrics   *Metrics            // counts every store's requests; may be nil
	Decorator func(Store) Store   // put around every opened store, outermost; may be nil
}

// settings returns the bucket's own settings over the default ones, checked, with credentials looked up.
func (c Config) settings(bucket string) (Settings, error) {
	s := c.Buckets[bucket].over(c.Settings).withDefaults()
	if err := s.check(); err != nil {
		return s, fault.Place(err, "s3://"+bucket)
	}
	prefix, found := strings.CutPrefix(s.Credentials, "env:")
	if !found {
		return s, nil
	}
	get := func(name string) string {
		if c.Getenv == nil {
			return ""
		}
		return c.Getenv(prefix + name)
	}
	s.AccessKey, s.SecretKey, s.SessionToken = get("_ACCESS_KEY_ID"), Secret(get("_SECRET_ACCESS_KEY")), Secret(get("_SESSION_TOKEN"))
	if s.AccessKey == "" || s.SecretKey == "" {
		return s, fault.Auth("S3 settings", "%s_ACCESS_KEY_ID or %s_SECRET_ACCESS_KEY is not set", prefix, prefix).On("s3://" + bucket)
	}
	return s, nil
}
