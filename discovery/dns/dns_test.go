package dns

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a source with short waits.
func quick(s *server, spec Spec) *source {
	if s != nil {
		spec.Server = s.addr
	}
	out := newSource(spec)
	out.timeout, out.tries, out.deadline = 200*time.Millisecond, 1, 500*time.Millisecond
	return out
}

// remote drives a server for the suite.
type remote struct {
	t *testing.T
	*server
}

func (r remote) Set(n int) { r.set(r.t, answers, a(n)...) }
func (r remote) Fail()     { r.set(r.t, fails) }
func (r remote) Hang()     { r.set(r.t, hangs) }
func (r remote) Half()     { r.set(r.t, halves, a(2)...) }
func (r remote) Empty()    { r.set(r.t, nxdomain) }

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			s := serve(t, a(2)...)
			return quick(s, Spec{Name: "shop.internal", Port: 80, Interval: 10 * time.Millisecond}), remote{t, s}
		},
		Patience: 2 * time.Second,
		Guard:    Kind().Guard,
	})
}

func TestList(t *testing.T) {
	for name, c := range map[string]struct {
		spec    Spec
		mode    mode
		records []string
		want    []string // ID weight
		again   time.Duration
		err     string
	}{
		"addresses of both families": {
			spec:    Spec{Name: "shop.internal", Port: 80},
			records: []string{"shop.internal. 30 IN A 10.0.0.2", "shop.internal. 20 IN AAAA 2001:db8::1", "shop.internal. 40 IN A 10.0.0.1", "shop.internal. 40 IN A 10.0.0.1"},
			want:    []string{"10.0.0.1:80 0", "10.0.0.2:80 0", "[2001:db8::1]:80 0"}, again: 20 * time.Second,
		},
		"one family": {
			spec:    Spec{Name: "Shop.Internal.", Port: 80, Type: "AAAA"},
			records: []string{"shop.internal. 30 IN A 10.0.0.2", "shop.internal. 20 IN AAAA 2001:db8::1"},
			want:    []string{"[2001:db8::1]:80 0"}, again: 20 * time.Second,
		},
		"short time to live": {
			spec: Spec{Name: "shop.internal", Port: 80}, records: []string{"shop.internal. 0 IN A 10.0.0.1"},
			want: []string{"10.0.0.1:80 0"}, again: time.Second,
		},
		"long time to live": {
			spec: Spec{Name: "shop.internal", Port: 80}, records: []string{"shop.internal. 86400 IN A 10.0.0.1"},
			want: []string{"10.0.0.1:80 0"}, again: 5 * time.Minute,
		},
		"interval": {
			spec: Spec{Name: "shop.internal", Port: 80, Interval: 7 * time.Second}, records: a(1),
			want: []string{"10.0.0.1:80 0"}, again: 7 * time.Second,
		},
		"srv with addresses along and asked for": {
			spec: Spec{Name: "_shop._tcp.internal", Type: "SRV"},
			records: []string{
				"_shop._tcp.internal. 60 IN SRV 1 10 8080 a.internal.", "_shop._tcp.internal. 60 IN SRV 1 30 8081 b.internal.",
				"_shop._tcp.internal. 60 IN SRV 2 99 8082 a.internal.", "+a.internal. 15 IN A 10.0.0.1", "b.internal. 50 IN A 10.0.0.2",
			},
			want: []string{"10.0.0.1:8080 10", "10.0.0.2:8081 30"}, again: 15 * time.Second,
		},
		"srv that says no": {
			spec: Spec{Name: "_shop._tcp.internal", Type: "SRV"}, records: []string{"_shop._tcp.internal. 60 IN SRV 0 0 0 ."},
			again: 5 * time.Second,
		},
		"nothing":            {spec: Spec{Name: "shop.internal", Port: 80}, again: 5 * time.Second},
		"no such name":       {spec: Spec{Name: "shop.internal", Port: 80}, mode: nxdomain, again: 5 * time.Second},
		"failure":            {spec: Spec{Name: "shop.internal", Port: 80}, mode: fails, err: "SERVFAIL"},
		"silence":            {spec: Spec{Name: "shop.internal", Port: 80}, mode: hangs, err: "timeout"},
		"another question":   {spec: Spec{Name: "shop.internal", Port: 80}, mode: lies, records: a(1), err: "another question"},
		"truncated over udp": {spec: Spec{Name: "shop.internal", Port: 80, Type: "A"}, mode: truncates, records: a(2), want: []string{"10.0.0.1:80 0", "10.0.0.2:80 0"}, again: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.set(t, c.mode, c.records...)
			endpoints, again, err := quick(s, c.spec).list(t.Context())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || endpoints != nil {
					t.Fatalf("%v, %v, want %q", endpoints, err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range endpoints {
				got = append(got, fmt.Sprint(e.ID, " ", e.Weight))
			}
			if d := cmp.Diff(c.want, got); d != "" || again != c.again {
				t.Errorf("again %v, want %v (-want +got):\n%s", again, c.again, d)
			}
			if c.mode == truncates && s.tcp != 1 {
				t.Errorf("asked %d times over TCP", s.tcp)
			}
		})
	}
}

// TestResolvConf: the first server is dead, the second one knows the name below the second search domain.
func TestResolvConf(t *testing.T) {
	s := serve(t, "shop.svc.internal. 60 IN A 10.0.0.1")
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	q := quick(nil, Spec{Name: "shop", Port: 80, Type: "A"})
	q.resolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	if _, _, err := q.list(t.Context()); err == nil {
		t.Error("a missing file is no error")
	}
	if err := os.WriteFile(q.resolvConf, []byte("nameserver 127.0.0.1\nnameserver ::1\nsearch none.internal svc.internal\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	servers, names, err := q.servers()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"127.0.0.1:53", "[::1]:53"}, servers); d != "" {
		t.Error(d)
	}
	dead := net.JoinHostPort("127.0.0.1", "1")
	r := &resolver{source: q, servers: []string{dead, net.JoinHostPort("127.0.0.1", port)}, names: names, ttl: longest}
	got, err := r.endpoints(t.Context())
	if err != nil || len(got) != 1 || got[0].ID != "10.0.0.1:80" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestNameThatVanishesIsHeld runs the source under a Manager with its guard, only faster.
func TestNameThatVanishesIsHeld(t *testing.T) {
	s := serve(t, a(2)...)
	const hold = 400 * time.Millisecond
	var mu sync.Mutex
	now := map[gateway.SourceKey][]gateway.Endpoint{}
	kind := Kind()
	kind.Guard = &discovery.Guard{Hold: hold}
	kind.Open = func(spec gateway.SourceSpec) (discovery.Source, error) { return quick(s, *spec.(*Spec)), nil }
	m := discovery.New(discovery.Options{Kinds: []discovery.Kind{kind}, Publish: func(changed map[gateway.SourceKey][]gateway.Endpoint) {
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(now, changed)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	defer func() { cancel(); <-done }()
	spec := &Spec{Name: "shop.internal", Port: 80, Interval: 10 * time.Millisecond}
	m.Want(map[gateway.SourceKey]gateway.SourceSpec{spec.SourceKey(): spec})
	await := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); ; {
			mu.Lock()
			got, said := now[spec.SourceKey()]
			mu.Unlock()
			if said && len(got) == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d endpoints, want %d", len(got), n)
			}
			<-time.After(time.Millisecond)
		}
	}
	await(2)
	for _, m := range []mode{nxdomain, answers} { // no such name, and a name without addresses
		gone := time.Now()
		s.set(t, m)
		await(0)
		if d := time.Since(gone); d < hold {
			t.Errorf("believed after %v", d)
		}
		s.set(t, answers, a(2)...)
		await(2)
	}
}

func TestDoctor(t *testing.T) {
	for m, want := range map[mode]string{answers: "true <nil>", nxdomain: "false it has no records", fails: "SERVFAIL", hangs: "timeout"} {
		s := serve(t)
		s.set(t, m, a(2)...)
		f := quick(s, Spec{Name: "shop.internal", Port: 80, Type: "A"}).diagnose(t.Context())
		if got := fmt.Sprint(f.OK, " ", f.Err); !strings.Contains(got, want) || f.OK != (f.Need == "") || !strings.HasPrefix(f.Check, "dns: resolve shop.internal") {
			t.Errorf("%+v, want %s", f, want)
		}
	}
	if f := Kind().Doctor(t.Context(), []gateway.SourceSpec{&Spec{Name: "shop.internal", Port: 80, Server: serve(t, a(1)...).addr}}); len(f) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestSourceKey(t *testing.T) {
	keys := map[gateway.SourceKey]bool{}
	for _, s := range []Spec{
		{Name: "a", Port: 1}, {Name: "b", Port: 1}, {Name: "a", Port: 2}, {Name: "a", Type: "SRV"}, {Name: "a", Type: "A", Port: 1},
		{Name: "a", Port: 1, Server: "10.0.0.1"}, {Name: "a", Port: 1, Interval: time.Second},
	} {
		keys[s.SourceKey()] = true
	}
	if len(keys) != 7 {
		t.Errorf("%v", keys)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Name: "shop.internal", Port: 80}, ""},
		{Spec{Name: "_shop._tcp.internal", Type: "SRV"}, ""},
		{Spec{Name: "shop", Port: 80, Server: "127.0.0.1:8600", Interval: time.Minute}, ""},
		{Spec{Name: "shop", Port: 80, Server: "::1"}, ""},
		{Spec{Name: "10.0.0.1", Port: 80}, "Invalid name"},
		{Spec{Name: "", Port: 80}, "Invalid name"},
		{Spec{Name: "a..b", Port: 80}, "Invalid name"},
		{Spec{Name: "shop"}, "Missing port"},
		{Spec{Name: "shop", Type: "SRV", Port: 80}, "Unexpected port"},
		{Spec{Name: "shop", Port: 80, Server: "ns.internal"}, "Invalid server"},
		{Spec{Name: "shop", Port: 80, Interval: time.Millisecond}, "Invalid interval"},
	} {
		diags := c.spec.Check(map[string]hcl.Range{})
		switch {
		case c.want == "" && len(diags) != 0, c.want != "" && (len(diags) != 1 || diags[0].Summary != c.want):
			t.Errorf("%+v: %v, want %q", c.spec, diags, c.want)
		}
	}
}
