package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const shop = "/DC0/vm/shop"

// quick are options with which a test does not wait for long.
func quick(c Config) Options {
	return Options{
		Connections: []Config{c},
		wait:        time.Second, timeout: 700 * time.Millisecond, resync: 100 * time.Millisecond, refused: time.Hour, backoff: 100 * time.Millisecond,
	}
}

// configOf is the connection to a simulated vCenter, by way of another address where one is given.
func configOf(v *testenv.VCenter, address string) Config {
	if address == "" {
		address = v.Address
	}
	return Config{Name: "east", Address: address, Username: v.Username, Password: v.Password, CAFile: v.CAFile}
}

func open(t *testing.T, k discovery.Kind, spec *Spec) discovery.Source {
	t.Helper()
	if diags := spec.Check(nil); diags.HasErrors() {
		t.Fatal(diags)
	}
	s, err := k.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// following is a source at work, restarted as the Manager does.
type following struct {
	mu     sync.Mutex
	last   []gateway.Endpoint // nil: none yet
	said   []string
	alives int
	errs   []string
	runs   int
}

func follow(t *testing.T, s discovery.Source) *following {
	t.Helper()
	f := &following{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := s.Run(ctx, f.update, f.alive)
			f.mu.Lock()
			f.runs++
			if ctx.Err() == nil {
				f.errs = append(f.errs, err.Error())
			}
			f.mu.Unlock()
			sleep(ctx, 20*time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func (f *following) update(e []gateway.Endpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(e, func(a, b gateway.Endpoint) int { return strings.Compare(a.Meta["name"], b.Meta["name"]) })
	f.last = e
	f.said = append(f.said, names(e))
}

func (f *following) alive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alives++
}

// now is the last answer as NAME=ADDRESS of each endpoint.
func (f *following) now() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return "nothing yet"
	}
	return names(f.last)
}

func names(endpoints []gateway.Endpoint) string {
	var out []string
	for _, e := range endpoints {
		out = append(out, fmt.Sprintf("%s=%s", e.Meta["name"], e.Address))
	}
	return strings.Join(out, " ")
}

func (f *following) endpoints() []gateway.Endpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.last)
}

func (f *following) lastError() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) == 0 {
		return ""
	}
	return f.errs[len(f.errs)-1]
}

// until waits for an answer.
func (f *following) until(t *testing.T, want string) {
	t.Helper()
	testenv.Eventually(t, 5*time.Second, func() error {
		if got := f.now(); got != want {
			return fmt.Errorf("got %q, want %q; last error %q", got, want, f.lastError())
		}
		return nil
	})
}

// stays demands that an answer does not change while something happens.
func (f *following) stays(t *testing.T, want string, meanwhile func()) {
	t.Helper()
	f.until(t, want)
	f.mu.Lock()
	f.said = nil
	f.mu.Unlock()
	meanwhile()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.said {
		if s != want {
			t.Errorf("it said %q", s)
		}
	}
}

// hears waits until vCenter has been heard of n times more.
func (f *following) hears(t *testing.T, n int) {
	t.Helper()
	f.mu.Lock()
	goal := f.alives + n
	f.mu.Unlock()
	testenv.Eventually(t, 10*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.alives < goal {
			return fmt.Errorf("no sign of life; last errors %q", f.errs)
		}
		return nil
	})
}
