package objstore_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"
)

// TestUploadCancelledBetweenParts: the caller gives up while no part is under way, so that none can tell.
func TestUploadCancelledBetweenParts(t *testing.T) {
	t.Parallel()
	s, requests := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			answer(200, `<?xml version="1.0"?><InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`)(w, r)
		case http.MethodPut:
			answer(200, "", "ETag", `"tag"`)(w, r)
		default:
			answer(204, "")(w, r)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	u, err := s.Upload(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 8<<20)
	if _, err := u.Write(part); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); requests.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no part was sent")
		}
	}
	time.Sleep(200 * time.Millisecond) // the answer arrives
	cancel()
	done := make(chan error, 1)
	go func() {
		_, err := u.Write(part)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Write does not return")
	}
	if err := u.Abort(); err != nil {
		t.Error(err)
	}
}
