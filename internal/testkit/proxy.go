package testkit

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Fault is what happens to one request instead of being passed on: it may call pass, once, for the server's answer, and must
// write an answer or break the connection with panic(http.ErrAbortHandler).
type Fault func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte))

// FaultProxy stands before an HTTP server and spoils what passes through it. Signed requests stay valid.
type FaultProxy struct {
	Endpoint string
	upstream string
	mu       sync.Mutex
	choose   func(*http.Request) Fault
	requests int
}

// StartFaultProxy starts a proxy on loopback; it ends with the test. choose is asked about each request, by one goroutine at
// a time: nil passes it on. choose itself may be nil.
func StartFaultProxy(t testing.TB, upstream string, choose func(*http.Request) Fault) *FaultProxy {
	t.Helper()
	p := &FaultProxy{upstream: upstream, choose: choose}
	server := httptest.NewServer(p)
	// requests that are being held end when their clients are cut off; Close would wait for them
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.Endpoint = server.URL
	return p
}

// Choose replaces the choice of faults.
func (p *FaultProxy) Choose(choose func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = choose
}

// Requests returns how many there were.
func (p *FaultProxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

func (p *FaultProxy) fault(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	if p.choose == nil {
		return nil
	}
	return p.choose(r)
}

func (p *FaultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.fault(r)
	if f == nil {
		f = func(w http.ResponseWriter, _ *http.Request, pass func() (*http.Response, []byte)) {
			answer, body := pass()
			send(w, answer, body)
		}
	}
	f(w, r, func() (*http.Response, []byte) { return p.pass(r) })
}

// pass makes the request of the server and reads its answer. The host stays the client's, which the signature covers.
func (p *FaultProxy) pass(r *http.Request) (*http.Response, []byte) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.upstream+r.URL.RequestURI(), r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header, out.Host, out.ContentLength = r.Header.Clone(), r.Host, r.ContentLength
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return answer, body
}

func head(w http.ResponseWriter, answer *http.Response) {
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
}

func send(w http.ResponseWriter, answer *http.Response, body []byte) {
	head(w, answer)
	_, _ = w.Write(body) // a client that went away is its own fault
}

// Refuse answers with an S3 error and does not pass the request on.
func Refuse(status int, code string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ func() (*http.Response, []byte)) {
		_, _ = io.Copy(io.Discard, r.Body)
		refuse(w, r, status, code)
	}
}

func refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	body := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body)
	}
}

// LoseAnswer passes the request on and answers with an S3 error whatever came of it.
func LoseAnswer(status int, code string) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte)) {
		pass()
		refuse(w, r, status, code)
	}
}

// Disconnect passes the request on and breaks the connection instead of answering.
func Disconnect() Fault {
	return func(_ http.ResponseWriter, _ *http.Request, pass func() (*http.Response, []byte)) {
		pass()
		panic(http.ErrAbortHandler)
	}
}

// CutBody declares the whole answer and breaks the connection in the middle of its body. Answers without one pass.
func CutBody() Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte)) {
		answer, body := pass()
		if len(body) < 2 {
			send(w, answer, body)
			return
		}
		answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
		send(w, answer, body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// SlowBody sends the answer's body in ten pieces with a pause before each.
func SlowBody(pause time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte)) {
		answer, body := pass()
		answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodHead {
			answer.Header.Del("Content-Length")
		}
		head(w, answer)
		for piece := len(body)/10 + 1; len(body) > 0; body = body[min(piece, len(body)):] {
			time.Sleep(pause)
			_, _ = w.Write(body[:min(piece, len(body))])
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// ChangeBody lets change replace the body of the answer, whose declared length and tag follow.
func ChangeBody(change func([]byte) []byte) Fault {
	return func(w http.ResponseWriter, _ *http.Request, pass func() (*http.Response, []byte)) {
		answer, body := pass()
		body = change(bytes.Clone(body))
		answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
		send(w, answer, body)
	}
}

// ChangeETag answers with another ETag than the object has.
func ChangeETag(etag string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, pass func() (*http.Response, []byte)) {
		answer, body := pass()
		answer.Header.Set("ETag", `"`+etag+`"`)
		send(w, answer, body)
	}
}

// Redirect answers with a redirect to the same path on another server.
func Redirect(status int, endpoint string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ func() (*http.Response, []byte)) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", endpoint+r.URL.RequestURI())
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
	}
}

// Gate holds requests until it is opened.
type Gate struct {
	Arrived chan struct{} // closed when the first request is held
	opened  chan struct{}
	once    sync.Once
}

// NewGate returns a closed gate.
func NewGate() *Gate { return &Gate{Arrived: make(chan struct{}), opened: make(chan struct{})} }

// Open lets all pass. It is called once.
func (g *Gate) Open() { close(g.opened) }

// Await fails the test if nothing is held within a minute.
func (g *Gate) Await(t testing.TB) {
	t.Helper()
	select {
	case <-g.Arrived:
	case <-time.After(time.Minute):
		t.Fatal("the request that was to be held did not come")
	}
}

func (g *Gate) wait(r *http.Request) {
	g.once.Do(func() { close(g.Arrived) })
	select {
	case <-g.opened:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// HoldBefore holds the request before it is passed on. A client that goes away meanwhile takes its request with it.
func (g *Gate) HoldBefore() Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte)) {
		// the server notices that the client went away only when it has read the body
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		g.wait(r)
		answer, body := pass()
		send(w, answer, body)
	}
}

// HoldAfter passes the request on and holds the answer.
func (g *Gate) HoldAfter() Fault {
	return func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte)) {
		answer, body := pass()
		g.wait(r)
		send(w, answer, body)
	}
}
