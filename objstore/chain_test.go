package objstore_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// The AWS SDK's standard chain reads the environment, so these tests do not run in parallel with others.

func cleanEnvironment(t *testing.T) (home string) {
	home = t.TempDir()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, "credentials"))
	return home
}

func TestNoCredentials(t *testing.T) {
	cleanEnvironment(t)
	s, err := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{Endpoint: "http://127.0.0.1:1"}, Retry: quickRetry()}).Open(t.Context(), "s3://bucket")
	must(t, err)
	_, err = s.Stat(t.Context(), "k")
	var e *fault.Error
	if !errors.Is(err, fault.ErrAuth) || !errors.As(err, &e) || !strings.Contains(e.Hint, "AWS_ACCESS_KEY_ID") || e.Object != "s3://bucket/k" {
		t.Errorf("%v, hint %q", err, e.Hint)
	}
	if err := s.Create(t.Context(), "k", nil); !errors.Is(err, fault.ErrAuth) || errors.Is(err, objstore.ErrUnknownOutcome) {
		t.Error(err)
	}
}

// TestStandardChain: endpoint from the environment, credentials from a profile, and a bucket that is read anonymously.
func TestStandardChain(t *testing.T) {
	home := cleanEnvironment(t)
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Length", "0")
	}))
	defer srv.Close()
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	must(t, os.WriteFile(filepath.Join(home, "credentials"), []byte("[lake]\naws_access_key_id = FROMPROFILE\naws_secret_access_key = x\n"), 0o600))
	o := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{Profile: "lake", Region: "eu-9"}, Buckets: map[string]objstore.Settings{"open": {Credentials: "anonymous"}}})
	for _, bucket := range []string{"mine", "open"} {
		s, err := o.Open(t.Context(), "s3://"+bucket)
		must(t, err)
		_, err = s.Stat(t.Context(), "k")
		must(t, err)
	}
	if len(seen) != 2 || !strings.Contains(seen[0], "/mine/k ") || !strings.Contains(seen[0], "FROMPROFILE/") || !strings.Contains(seen[0], "/eu-9/s3/") || seen[1] != "/open/k " {
		t.Errorf("%q", seen)
	}
	if _, err := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{Profile: "absent"}}).Open(t.Context(), "s3://bucket"); !errors.Is(err, fault.ErrAuth) {
		t.Error(err)
	}
}
