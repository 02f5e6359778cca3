package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// LoadOptions says what load to put on a gateway. The zero value is 4 connections and 200 requests a second.
type LoadOptions struct {
	Connections int           // keep-alive connections, one request at a time on each; 4 when 0
	Rate        float64       // requests a second over all of them; 200 when 0
	Timeout     time.Duration // of one request; 10 s when 0
	Host        string        // the Host header; that of the URL when empty
	Header      http.Header

	// Check judges an answer. When nil, any status but 200 is a failure.
	Check func(resp *http.Response, body []byte) error
}

// Result is what became of a load.
type Result struct {
	Requests int            // finished ones, failed or not
	Failures map[string]int // by error text; empty when every request was answered as it should be
	Dialed   int            // connections opened
	Slowest  time.Duration  // of the answered requests
}

// Failed is the number of failed requests.
func (r Result) Failed() (n int) {
	for _, c := range r.Failures {
		n += c
	}
	return n
}

// String is one line, and one more a kind of failure.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d failed, %d connections, slowest %s", r.Requests, r.Failed(), r.Dialed, r.Slowest)
	for text, n := range r.Failures {
		fmt.Fprintf(&b, "\n  %d × %s", n, text)
	}
	return b.String()
}

// Loader is a running load.
type Loader struct {
	o       LoadOptions
	url     string
	stop    context.CancelFunc
	workers sync.WaitGroup
	dialed  atomic.Int64
	count   atomic.Int64
	limit   *rate.Limiter

	mu     sync.Mutex
	result Result
}

// Load sends GET requests to a URL until Stop, the end of ctx, or the end of the test. It never repeats a request by
// itself: what a client would have to repeat counts as a failure.
func Load(ctx context.Context, t testing.TB, url string, o LoadOptions) *Loader {
	t.Helper()
	if o.Connections == 0 {
		o.Connections = 4
	}
	if o.Rate == 0 {
		o.Rate = 200
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	ctx, stop := context.WithCancel(ctx)
	l := &Loader{
		o: o, url: url, stop: stop,
		limit:  rate.NewLimiter(rate.Limit(o.Rate), 1),
		result: Result{Failures: map[string]int{}},
	}
	for range o.Connections {
		l.workers.Go(func() { l.work(ctx) })
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

// Stop lets the requests under way finish, and returns what became of all. Calling it again returns the same.
func (l *Loader) Stop() Result {
	l.stop()
	l.workers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.Dialed = int(l.dialed.Load())
	return l.result
}

// Requests is the number of requests finished so far.
func (l *Loader) Requests() int { return int(l.count.Load()) }

// WaitRequests returns once n more requests have finished than at the call.
func (l *Loader) WaitRequests(t testing.TB, n int) {
	t.Helper()
	want := l.Requests() + n
	Eventually(t, 30*time.Second, func() error {
		if have := l.Requests(); have < want {
			return fmt.Errorf("the load has finished %d requests of %d", have, want)
		}
		return nil
	})
}

func (l *Loader) work(ctx context.Context) {
	client, done := oneConnection(&l.dialed, l.o.Timeout)
	defer done()
	for l.limit.Wait(ctx) == nil {
		start := time.Now()
		err := l.request(client)
		l.record(err, time.Since(start))
	}
}

func (l *Loader) record(err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.Add(1)
	l.result.Requests++
	if err != nil {
		l.result.Failures[err.Error()]++
		return
	}
	l.result.Slowest = max(l.result.Slowest, took)
}

// request does not end with the load's context: a request under way is finished, or it would count as failed.
func (l *Loader) request(client *http.Client) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, l.url, nil)
	if err != nil {
		return err
	}
	maps.Copy(req.Header, l.o.Header)
	if l.o.Host != "" {
		req.Host = l.o.Host
	}
	// An empty body that cannot be read twice keeps net/http from repeating the request on a new connection.
	req.Body = io.NopCloser(strings.NewReader(""))
	resp, err := client.Do(req)
	if err != nil {
		return withoutPorts(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", withoutPorts(err))
	case l.o.Check != nil:
		return l.o.Check(resp, body)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("answered %s: %.200s", resp.Status, body)
	}
	return nil
}

// withoutPorts drops the client's changing port from an error, so that equal failures are counted together.
func withoutPorts(err error) error {
	text := err.Error()
	if i := strings.Index(text, "127.0.0.1:"); i >= 0 {
		if j := strings.Index(text[i:], "->"); j >= 0 {
			text = text[:i] + text[i+j+2:]
		}
	}
	return errors.New(text)
}
