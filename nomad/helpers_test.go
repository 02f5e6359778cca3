package nomad

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/api"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// hasty is a pace at which nothing takes long, for a simulator that sends a heartbeat every 50 ms.
var hasty = pace{
	call: time.Second, open: time.Second, silence: 500 * time.Millisecond, wait: 500 * time.Millisecond,
	relist: 400 * time.Millisecond, settle: 50 * time.Millisecond, confirm: 100 * time.Millisecond,
	lasting: 200 * time.Millisecond, retry: 100 * time.Millisecond, refused: 200 * time.Millisecond, longest: time.Second,
	poll: 50 * time.Millisecond, again: 20 * time.Millisecond, retries: 100 * time.Millisecond,
	probe: 20 * time.Millisecond, probes: 100 * time.Millisecond, judge: 500 * time.Millisecond, patience: 300 * time.Millisecond,
	round: time.Millisecond,
}

// steady is hasty, but what it learns it learns from the stream: it does not list by itself within a test.
func steady() pace {
	p := hasty
	p.relist, p.silence = time.Hour, time.Hour
	return p
}

const beat = 50 * time.Millisecond

func startNomad(t testing.TB, change ...func(*testenv.NomadOptions)) *testenv.Nomad {
	t.Helper()
	opts := testenv.NomadOptions{Heartbeat: beat}
	for _, c := range change {
		c(&opts)
	}
	return testenv.StartNomad(t, opts)
}

func withACL(o *testenv.NomadOptions) { o.ACL = true }

func noEnv(string) string { return "" }

func client(t testing.TB, n *testenv.Nomad, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{Addresses: []string{n.Addr}, Token: n.Token, pace: hasty}
	if n.Dir != "" {
		cfg.TLS = tlsfiles.Config{CAFile: n.Dir + "/ca.pem", CertFile: n.Dir + "/client.pem", KeyFile: n.Dir + "/client-key.pem"}
	}
	if testing.Verbose() {
		cfg.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug})
	}
	for _, c := range change {
		c(&cfg)
	}
	cfg, err := cfg.WithEnv(noEnv)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func at(p pace) func(*Config) { return func(c *Config) { c.pace = p } }

func token(secret string) func(*Config) { return func(c *Config) { c.Token = secret } }

// listener is a source at work, run again when it fails, as the Manager does.
type listener struct {
	mu      sync.Mutex
	now     map[string]gateway.Endpoint // nil: no answer yet
	updates int
	alives  int
	errs    []error
}

func listen(t testing.TB, c *Client, spec Spec) *listener {
	t.Helper()
	l := &listener{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	source := c.Service(spec)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := source.Run(ctx, l.update, l.alive)
			if err != nil && !errors.Is(err, context.Canceled) {
				l.mu.Lock()
				l.errs = append(l.errs, err)
				l.mu.Unlock()
				sleep(ctx, 10*time.Millisecond)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return l
}

func (l *listener) update(list []gateway.Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updates++
	l.now = map[string]gateway.Endpoint{}
	for _, e := range list {
		l.now[e.ID] = e
	}
}

func (l *listener) alive() { l.mu.Lock(); l.alives++; l.mu.Unlock() }

func (l *listener) errors() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.errs) }

func (l *listener) firstError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) == 0 {
		return nil
	}
	return l.errs[0]
}

// expect waits until the source says exactly these addresses.
func (l *listener) expect(t testing.TB, addresses ...string) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() error { return l.is(addresses...) })
}

func (l *listener) is(addresses ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil {
		return fmt.Errorf("no answer; errors: %v", l.errs)
	}
	have := map[string]bool{}
	for _, e := range l.now {
		have[e.Address] = true
	}
	for _, a := range addresses {
		if !have[a] {
			return fmt.Errorf("%s is missing in %v; errors: %v", a, have, l.errs)
		}
	}
	if len(have) != len(addresses) {
		return fmt.Errorf("have %v, want %v", have, addresses)
	}
	return nil
}

// stays demands that nothing else is said while the source hears from Nomad, or fails, some times.
func (l *listener) stays(t testing.TB, addresses ...string) {
	t.Helper()
	l.mu.Lock()
	from := l.alives + l.updates + len(l.errs)
	l.mu.Unlock()
	testenv.Eventually(t, 10*time.Second, func() error {
		if err := l.is(addresses...); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if n := l.alives + l.updates + len(l.errs) - from; n < 3 {
			return fmt.Errorf("%d signs of life", n)
		}
		return nil
	})
}

func shop(n *testenv.Nomad, i int, tags ...string) *api.ServiceRegistration {
	return n.Service("shop", fmt.Sprintf("a%d", i), fmt.Sprintf("10.0.0.%d", i), 8080, tags...)
}
