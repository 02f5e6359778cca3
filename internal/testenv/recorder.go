package testenv

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// RecordedRequest is a request as it arrived, with nothing interpreted.
type RecordedRequest struct {
	Received time.Time   `json:"received"`
	Method   string      `json:"method"`
	Target   string      `json:"target"` // path and query as they stood on the wire
	Host     string      `json:"host"`
	Header   http.Header `json:"header"` // without Host
	Body     []byte      `json:"body"`
}

// Record copies a request. Its body is read, and can be read again.
func Record(r *http.Request) (RecordedRequest, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return RecordedRequest{}, fmt.Errorf("record the body of %s %s: %w", r.Method, r.RequestURI, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return RecordedRequest{
		Received: time.Now(), Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Body: body,
	}, nil
}

// Recorder records the requests that a server receives. Its zero value is ready; it is safe for concurrent use.
type Recorder struct {
	mu       sync.Mutex
	requests []RecordedRequest
}

// Handler records each request before next sees it. One whose body breaks off is answered with 400.
func (c *Recorder) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded, err := Record(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		c.requests = append(c.requests, recorded)
		c.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// Requests are all that were recorded since the last Forget, in the order of their arrival.
func (c *Recorder) Requests() []RecordedRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Forget drops what was recorded.
func (c *Recorder) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = nil
}
