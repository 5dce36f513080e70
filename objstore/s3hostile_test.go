package objstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// served opens a bucket of a server that answers as the handler does. Requests are counted.
func served(t *testing.T, h http.HandlerFunc) (s objstore.Store, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	s, err := objstore.NewOpener(objstore.Config{Settings: settings(srv.URL, "key", hidden), Retry: quickRetry()}).Open(t.Context(), "s3://bucket")
	if err != nil {
		t.Fatal(err)
	}
	return s, requests
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = w.Write([]byte(body))
		}
	}
}

func s3Error(code string) string {
	return `<?xml version="1.0"?><Error><Code>` + code + `</Code><Message>said &#x85;the server</Message></Error>`
}

// TestReadAnswers: what a server may answer to reads, and what becomes of it.
func TestReadAnswers(t *testing.T) {
	t.Parallel()
	all := func(ctx context.Context, s objstore.Store) error { _, _, err := s.ReadAll(ctx, "k", 100); return err }
	part := func(ctx context.Context, s objstore.Store) error {
		_, err := s.ReadRange(ctx, "k", 2, 4, "tag")
		return err
	}
	stat := func(ctx context.Context, s objstore.Store) error { _, err := s.Stat(ctx, "k"); return err }
	list := func(ctx context.Context, s objstore.Store) error { return lastError(s.List(ctx, "p/")) }
	page := func(keys ...string) string {
		b := `<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`
		for _, k := range keys {
			b += "<Contents><Key>" + k + "</Key><Size>1</Size></Contents>"
		}
		return b + "</ListBucketResult>"
	}
	for name, c := range map[string]struct {
		call     func(context.Context, objstore.Store) error
		handler  http.HandlerFunc
		class    error
		requests int64
	}{
		"404":                  {all, answer(404, s3Error("NoSuchKey")), fault.ErrMissing, 1},
		"404 of HEAD":          {stat, answer(404, ""), fault.ErrMissing, 1},
		"no bucket":            {list, answer(404, s3Error("NoSuchBucket")), fault.ErrMissing, 1},
		"403":                  {all, answer(403, s3Error("AccessDenied")), fault.ErrAuth, 1},
		"401":                  {stat, answer(401, ""), fault.ErrAuth, 1},
		"clock":                {all, answer(403, s3Error("RequestTimeTooSkewed")), fault.ErrAuth, 1},
		"503":                  {all, answer(503, s3Error("SlowDown")), objstore.ErrTransient, 6},
		"500":                  {list, answer(500, ""), objstore.ErrTransient, 6},
		"429":                  {stat, answer(429, ""), objstore.ErrTransient, 6},
		"400":                  {all, answer(400, s3Error("InvalidArgument")), objstore.ErrFailed, 1},
		"301":                  {all, answer(301, s3Error("PermanentRedirect"), "X-Amz-Bucket-Region", "eu-1"), objstore.ErrFailed, 1},
		"304":                  {all, answer(304, ""), objstore.ErrFailed, 1},
		"short body":           {all, answer(200, "abc", "Content-Length", "10"), objstore.ErrTransient, 6},
		"too large":            {all, answer(200, "abc", "Content-Length", "10000000000"), fault.ErrLimit, 1},
		"no length":            {all, chunked, fault.ErrCorrupt, 1},
		"changed, 412":         {part, answer(412, s3Error("PreconditionFailed")), fault.ErrConflict, 1},
		"changed, unnoticed":   {part, answer(206, "abcd", "ETag", `"other"`, "Content-Range", "bytes 2-5/10"), fault.ErrConflict, 1},
		"range ignored":        {part, answer(200, "0123456789", "ETag", `"tag"`), fault.ErrUnsupported, 1},
		"other range":          {part, answer(206, "abcd", "ETag", `"tag"`, "Content-Range", "bytes 3-6/10"), fault.ErrCorrupt, 1},
		"range too long":       {part, answer(206, "abcdefg", "ETag", `"tag"`, "Content-Range", "bytes 2-8/10"), fault.ErrCorrupt, 1},
		"range of short":       {part, answer(206, "abc", "ETag", `"tag"`, "Content-Range", "bytes 2-4/5"), fault.ErrCorrupt, 1},
		"beyond the end":       {part, answer(416, s3Error("InvalidRange")), fault.ErrCorrupt, 1},
		"short range body":     {part, answer(206, "ab", "ETag", `"tag"`, "Content-Range", "bytes 2-5/10", "Content-Length", "4"), objstore.ErrTransient, 6},
		"nonsense listing":     {list, answer(200, "<html>"), fault.ErrCorrupt, 1},
		"listing of others":    {list, answer(200, page("q/x")), fault.ErrCorrupt, 1},
		"listing that repeats": {list, answer(200, page("p/x")), fault.ErrCorrupt, 2},
		"listing out of order": {list, answer(200, page("p/b", "p/a")), fault.ErrCorrupt, 1},
		"empty pages for ever": {list, answer(200, page()), fault.ErrCorrupt, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, requests := served(t, c.handler)
			err := c.call(t.Context(), s)
			if !errors.Is(err, c.class) || requests.Load() != c.requests {
				t.Fatalf("%d requests, error %v; want %d, %v", requests.Load(), err, c.requests, c.class)
			}
			if strings.Contains(err.Error(), hidden) || strings.ContainsAny(err.Error(), "\u0085\n") || !strings.Contains(err.Error(), "s3://bucket") {
				t.Errorf("%q", err)
			}
			t.Log(err)
		})
	}
}

func chunked(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("abc"))
	w.(http.Flusher).Flush()
	_, _ = w.Write([]byte("def"))
}

// TestCreateOutcome: one request, and only 412 is a conflict.
func TestCreateOutcome(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		class   error
	}{
		"412": {answer(412, s3Error("PreconditionFailed")), fault.ErrConflict}, "409": {answer(409, s3Error("ConditionalRequestConflict")), objstore.ErrUnknownOutcome},
		"500": {answer(500, s3Error("InternalError")), objstore.ErrUnknownOutcome}, "503": {answer(503, ""), objstore.ErrUnknownOutcome},
		"hang up": {hangUp, objstore.ErrUnknownOutcome}, "403": {answer(403, s3Error("AccessDenied")), fault.ErrAuth},
		"501": {answer(501, s3Error("NotImplemented")), fault.ErrUnsupported}, "404": {answer(404, s3Error("NoSuchBucket")), fault.ErrMissing},
		"redirect": {answer(307, "", "Location", "http://127.0.0.1:9/x"), objstore.ErrUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, requests := served(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") != "*" || r.Method != http.MethodPut {
					t.Errorf("%s %v", r.Method, r.Header)
				}
				c.handler(w, r)
			})
			err := s.Create(t.Context(), "k", []byte("body"))
			if !errors.Is(err, c.class) || requests.Load() != 1 || c.class != fault.ErrConflict && errors.Is(err, fault.ErrConflict) {
				t.Fatalf("%d requests, %v", requests.Load(), err)
			}
		})
	}
	s, _ := served(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Create(ctx, "k", nil); !errors.Is(err, objstore.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
}

// TestNoRedirects: another origin is never asked, and gets no credentials.
func TestNoRedirects(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("followed to %s with %v", r.Host, r.Header) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, _ := served(t, answer(status, "", "Location", other.URL+"/bucket/k"))
		if _, _, err := s.ReadAll(t.Context(), "k", 10); err == nil {
			t.Errorf("%d was followed", status)
		}
		if err := s.Put(t.Context(), "k", []byte("x")); err == nil {
			t.Errorf("%d was followed", status)
		}
	}
	s, requests := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("again") == "" {
			answer(307, "", "Location", r.URL.Path+"?again=1")(w, r)
			return
		}
		answer(200, "same origin")(w, r)
	})
	if b, _, err := s.ReadAll(t.Context(), "k", 100); err != nil || string(b) != "same origin" || requests.Load() != 2 {
		t.Errorf("%q %v", b, err)
	}
}

// TestLinkLocalIsBlocked: only an endpoint that is itself such an address may be asked at one.
func TestLinkLocalIsBlocked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		endpoint, address string
		blocked           bool
	}{
		{"https://s3.example.com", "169.254.169.254:443", true}, {"https://s3.example.com", "[fe80::1%eth0]:443", true}, {"", "[::ffff:169.254.169.254]:443", true},
		{"", "[fd00:ec2::254]:443", true}, {"http://169.254.1.2:80", "169.254.1.2:80", false}, {"http://169.254.1.2:80", "169.254.169.254:80", true},
		{"http://[fe80::1]:9000", "[fe80::1]:9000", false}, {"", "10.0.0.1:443", false}, {"", "127.0.0.1:443", false},
	} {
		if err := objstore.Dialing(c.endpoint, c.address); (err != nil) != c.blocked {
			t.Errorf("endpoint %q, address %s: %v", c.endpoint, c.address, err)
		}
	}
	for _, url := range []string{"http://127.0.0.1:1/x", "http://s3.amazonaws.com"} {
		if err := objstore.RoundTrip("https://s3.example.com", url); err == nil || !strings.Contains(err.Error(), "not allowed") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestUploadSurvives: parts and the completion are repeated; a completion that worked without its answer arriving is found.
func TestUploadSurvives(t *testing.T) {
	t.Parallel()
	var parts, completions atomic.Int64
	size := 2*partSize + 1
	s, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Method == http.MethodPost && q.Has("uploads"):
			answer(200, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)(w, r)
		case r.Method == http.MethodPut && parts.Add(1)%2 == 1:
			answer(503, s3Error("SlowDown"))(w, r)
		case r.Method == http.MethodPut:
			answer(200, "", "ETag", fmt.Sprintf(`"p%s"`, q.Get("partNumber")))(w, r)
		case r.Method == http.MethodPost && completions.Add(1) == 1:
			answer(500, s3Error("InternalError"))(w, r)
		case r.Method == http.MethodPost:
			answer(404, s3Error("NoSuchUpload"))(w, r)
		case r.Method == http.MethodHead:
			answer(200, "", "ETag", `"abc-3"`, "Content-Length", fmt.Sprint(size))(w, r)
		default:
			t.Errorf("unexpected %s %s", r.Method, r.URL)
		}
	})
	u, err := s.Upload(t.Context(), "k")
	must(t, err)
	_, err = u.Write(make([]byte, size))
	must(t, err)
	o, err := u.Commit()
	if err != nil || o.Size != int64(size) || completions.Load() != 2 || parts.Load() < 6 {
		t.Fatalf("%+v %v, %d parts, %d completions", o, err, parts.Load(), completions.Load())
	}
}

// TestUploadFails: the first failure comes back from Write or Commit, and Abort drops the parts.
func TestUploadFails(t *testing.T) {
	t.Parallel()
	var aborted atomic.Bool
	s, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			answer(200, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)(w, r)
		case http.MethodDelete:
			aborted.Store(true)
			answer(204, "")(w, r)
		default:
			answer(403, s3Error("AccessDenied"))(w, r)
		}
	})
	u, err := s.Upload(t.Context(), "k")
	must(t, err)
	for range 20 {
		if _, err = u.Write(make([]byte, partSize)); err != nil {
			break
		}
	}
	if !errors.Is(err, fault.ErrAuth) {
		t.Errorf("Write: %v", err)
	}
	if _, err := u.Commit(); !errors.Is(err, fault.ErrAuth) {
		t.Errorf("Commit: %v", err)
	}
	if err := u.Abort(); err != nil || !aborted.Load() {
		t.Errorf("Abort: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(nil)
	srv.Close()
	s, err := objstore.NewOpener(objstore.Config{Settings: settings(srv.URL, "key", hidden)}).Open(t.Context(), "s3://bucket")
	must(t, err)
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, objstore.ErrTransient) || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
	tls, err := objstore.NewOpener(objstore.Config{Settings: settings(httpsOf(t), "key", hidden)}).Open(t.Context(), "s3://bucket")
	must(t, err)
	if _, err := tls.Stat(t.Context(), "k"); !errors.Is(err, objstore.ErrFailed) {
		t.Error(err)
	}
}

// httpsOf starts a server whose certificate nobody trusts.
func httpsOf(t *testing.T) string {
	srv := httptest.NewUnstartedServer(answer(200, ""))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}
