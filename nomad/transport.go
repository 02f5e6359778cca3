package nomad

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// streamSlots is how many connections may wait in Nomad. An agent takes 100 of one client, and no more than 80 that
	// wait; the rest is for calls, for others on the same machine, and for reconnects.
	streamSlots = 64
	// callSlots is how many connections calls use that do not wait.
	callSlots = 8

	dialTimeout = 5 * time.Second
	tokenHeader = "X-Nomad-Token"
)

// transport carries all requests of a Client: it sets the token of the moment and picks the address. It is safe for
// concurrent use.
type transport struct {
	targets []target
	current atomic.Int32 // index of the address in use
	token   func() (string, error)

	calls, waits map[string]*http.Transport // by socket; "" is TCP
}

func newTransport(cfg Config) *transport {
	t := &transport{calls: map[string]*http.Transport{}, waits: map[string]*http.Transport{}}
	for _, a := range cfg.Addresses {
		to, err := parseTarget(a)
		if err != nil {
			continue // WithEnv has refused it
		}
		t.targets = append(t.targets, to)
		if t.calls[to.socket] == nil {
			t.calls[to.socket] = connections(cfg, to.socket, callSlots)
			t.waits[to.socket] = connections(cfg, to.socket, streamSlots)
		}
	}
	t.token = func() (string, error) { return cfg.Token, nil }
	if cfg.TokenFile != "" {
		t.token = (&tokenFile{path: cfg.TokenFile}).get
	}
	return t
}

// connections are those to one host. They speak HTTP/1.1: Nomad takes over the connection of an event stream.
func connections(cfg Config, socket string, most int) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		DialContext:         dialer.DialContext,
		Proxy:               http.ProxyFromEnvironment,
		MaxConnsPerHost:     most,
		MaxIdleConnsPerHost: most,
		IdleConnTimeout:     30 * time.Second,
	}
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
		return t
	}
	cfg.TLS.Secure(t, dialer)
	return t
}

type waitingKey struct{}

// waiting marks a request as one that keeps its connection for long.
func waiting(ctx context.Context) context.Context { return context.WithValue(ctx, waitingKey{}, true) }

// RoundTrip implements http.RoundTripper. An address that cannot be reached, or has too many connections or no leader,
// makes way for the next one: at once for this request, and for those to come.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.token()
	if err != nil {
		return nil, fmt.Errorf("read nomad token: %w", err)
	}
	for try := 1; ; try++ {
		at := t.current.Load()
		resp, err := t.send(req, t.targets[at], token)
		busy := err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500)
		if err == nil && !busy || req.Context().Err() != nil {
			return resp, err
		}
		t.current.CompareAndSwap(at, (at+1)%int32(len(t.targets)))
		if try >= len(t.targets) {
			return resp, err
		}
		if busy {
			resp.Body.Close()
		}
	}
}

func (t *transport) send(req *http.Request, to target, token string) (*http.Response, error) {
	out := req.Clone(req.Context())
	if token != "" {
		out.Header.Set(tokenHeader, token)
	}
	if to.user != nil {
		password, _ := to.user.Password()
		out.SetBasicAuth(to.user.Username(), password)
	}
	out.URL.Scheme, out.URL.Host, out.Host = to.scheme, to.host, ""
	if to.path != "" {
		if out.URL.RawPath != "" {
			out.URL.RawPath = to.path + out.URL.RawPath
		}
		out.URL.Path = to.path + out.URL.Path
	}
	if req.Context().Value(waitingKey{}) != nil {
		return t.waits[to.socket].RoundTrip(out)
	}
	return t.calls[to.socket].RoundTrip(out)
}

// closeIdle drops connections that no request uses.
func (t *transport) closeIdle() {
	for _, c := range t.calls {
		c.CloseIdleConnections()
	}
	for _, c := range t.waits {
		c.CloseIdleConnections()
	}
}
