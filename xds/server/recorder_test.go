package server_test

import (
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/xds/server"
)

// recorder is an Observer that remembers.
type recorder struct {
	mu      sync.Mutex
	changed chan struct{}
	acked   []server.Versioned
	nacked  []server.Versioned
	text    string
	texts   []string
	came    []server.Node
	left    []server.Node
}

var _ server.Observer = (*recorder)(nil)

func newRecorder() *recorder { return &recorder{changed: make(chan struct{})} }

func (r *recorder) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) Connected(n server.Node)    { r.note(func() { r.came = append(r.came, n) }) }
func (r *recorder) Disconnected(n server.Node) { r.note(func() { r.left = append(r.left, n) }) }
func (r *recorder) Acked(_ server.Node, k []server.Versioned) {
	r.note(func() { r.acked = append(r.acked, k...) })
}

func (r *recorder) Nacked(_ server.Node, k []server.Versioned, text string) {
	r.note(func() { r.nacked, r.text, r.texts = append(r.nacked, k...), text, append(r.texts, text) })
}

func (r *recorder) await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		if ok() {
			r.mu.Unlock()
			return
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}
