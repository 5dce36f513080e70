package objstore_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// TestDirectRequests: what is sent without the SDK goes where the SDK would send it, signed for the same, and what only the SDK
// knows is left to it. That signatures are right is for servers to say, see TestVersitygw.
func TestDirectRequests(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	of := func(s objstore.Settings) objstore.Settings {
		s.AccessKey, s.SecretKey = "AKID", hidden
		return s
	}
	for name, c := range map[string]struct {
		settings objstore.Settings
		bucket   string
		url      string // "": not directly
	}{
		"AWS":                   {of(objstore.Settings{Region: "eu-central-1"}), "lake", "https://lake.s3.eu-central-1.amazonaws.com/"},
		"AWS, temporary":        {of(objstore.Settings{Region: "eu-central-1", SessionToken: hidden}), "lake", "https://lake.s3.eu-central-1.amazonaws.com/"},
		"AWS, dots":             {of(objstore.Settings{Region: "us-west-2"}), "my.lake", "https://s3.us-west-2.amazonaws.com/my.lake/"},
		"AWS, path style":       {of(objstore.Settings{Region: "us-west-2", PathStyle: &yes}), "lake", "https://s3.us-west-2.amazonaws.com/lake/"},
		"AWS in China":          {of(objstore.Settings{Region: "cn-north-1"}), "lake", "https://lake.s3.cn-north-1.amazonaws.com.cn/"},
		"access point's alias":  {of(objstore.Settings{Region: "us-west-2"}), "lake-abc123-s3alias", "https://lake-abc123-s3alias.s3.us-west-2.amazonaws.com/"},
		"endpoint":              {of(objstore.Settings{Endpoint: "http://127.0.0.1:9000", Region: "us-east-1"}), "lake", "http://127.0.0.1:9000/lake/"},
		"endpoint, IPv6":        {of(objstore.Settings{Endpoint: "http://[::1]:9000", Region: "us-east-1"}), "lake", "http://[::1]:9000/lake/"},
		"endpoint, virtual":     {of(objstore.Settings{Endpoint: "https://s3.example.com", Region: "r", PathStyle: &no}), "lake", "https://lake.s3.example.com/"},
		"endpoint below a path": {of(objstore.Settings{Endpoint: "https://example.com/store/s3/", Region: "r"}), "lake", "https://example.com/store/s3/lake/"},
		"anonymous":             {objstore.Settings{Region: "us-west-2", Credentials: "anonymous"}, "lake", "https://lake.s3.us-west-2.amazonaws.com/"},
		"pseudo region":         {of(objstore.Settings{Region: "fips-us-west-2"}), "lake", ""},
		"directory bucket":      {of(objstore.Settings{Region: "us-east-1"}), "lake--use1-az4--x-s3", ""},
		"access point":          {of(objstore.Settings{Region: "us-east-1"}), "arn:aws:s3:us-east-1:123456789012:accesspoint/lake", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for key, path := range map[string]string{
				"a/b-c_d.e~f=1": "a/b-c_d.e~f%3D1", "sp ace/pl+us/per%20cent": "sp%20ace/pl%2Bus/per%2520cent", "ü/#?&;:@$!'(),*[]{}": "%C3%BC/%23%3F%26%3B%3A%40%24%21%27%28%29%2C%2A%5B%5D%7B%7D",
			} {
				in := &s3.GetObjectInput{Bucket: &c.bucket, Key: &key, Range: aws.String("bytes=1-2"), IfMatch: aws.String(`"tag"`)}
				direct, sdk, err := objstore.Requests(t.Context(), c.settings, in)
				must(t, err)
				if c.url == "" {
					if direct != nil {
						t.Errorf("sent to %s", direct.URL)
					}
					continue
				}
				if direct == nil || direct.URL.String() != c.url+path {
					t.Fatalf("%+v, want %s", direct, c.url+path)
				}
				compareRequests(t, direct, sdk)
			}
		})
	}
}

var day = regexp.MustCompile(`Credential=[^,]*, `)

func compareRequests(t *testing.T, direct, sdk *http.Request) {
	t.Helper()
	if direct.Method != sdk.Method || direct.Host != cmp.Or(sdk.Host, sdk.URL.Host) || direct.URL.Scheme+direct.URL.Host+direct.URL.EscapedPath() != sdk.URL.Scheme+sdk.URL.Host+sdk.URL.EscapedPath() {
		t.Errorf("%s %s %s\n%s %s %s", direct.Method, direct.URL, direct.Host, sdk.Method, sdk.URL, sdk.Host)
	}
	for _, name := range []string{"Range", "If-Match", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "Accept-Encoding"} {
		if direct.Header.Get(name) != sdk.Header.Get(name) {
			t.Errorf("%s: %q, of the SDK %q", name, direct.Header.Get(name), sdk.Header.Get(name))
		}
	}
	ours, theirs := direct.Header.Get("Authorization"), sdk.Header.Get("Authorization")
	if (ours == "") != (theirs == "") || day.FindString(ours) != day.FindString(theirs) {
		t.Errorf("signed %q, by the SDK %q", ours, theirs)
	}
}

// TestOddAnswers: what is no object and no error of S3's.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		class   error
	}{
		"a proxy's page":       {answer(403, "<html><head><title>Forbidden</title></head><br></html>"), fault.ErrAuth},
		"no page":              {answer(404, ""), fault.ErrMissing},
		"an endless page":      {answer(502, string(make([]byte, 1<<20))), objstore.ErrTransient},
		"a page that ends":     {answer(503, "<Error>", "Content-Length", "1000"), objstore.ErrTransient},
		"a time that is none":  {answer(200, "abc", "Last-Modified", "yesterday"), fault.ErrCorrupt},
		"a code of the status": {answer(400, s3Error("NoSuchKey")), fault.ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := served(t, c.handler)
			if _, _, err := s.ReadAll(t.Context(), "k", 100); !errors.Is(err, c.class) {
				t.Errorf("%v, want %v", err, c.class)
			}
		})
	}
	s, requests := served(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for requests.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, _, err := s.ReadAll(ctx, "k", 100); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
