package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// transport carries all requests of a Client: it sets the token of the moment, picks the address, and spreads blocking
// queries over few HTTP/2 connections. It is safe for concurrent use.
type transport struct {
	targets []target
	current atomic.Int32 // index of the address in use
	token   func(context.Context) (string, error)
	login   *login         // where token is made by logging in; nil: it is given
	count   func(code int) // of every answer; 0 is no answer

	plain map[string]*http.Transport // by socket; "" is TCP without TLS
	calls *http.Transport            // TLS: everything but blocking queries

	dialTLS func(ctx context.Context, network, addr string) (net.Conn, error)
	mu      sync.Mutex
	shards  []*shard // TLS: blocking queries
}

// shard is one HTTP/2 connection's worth of blocking queries.
type shard struct {
	http.RoundTripper
	idle func()
	busy int
}

const dialTimeout = 5 * time.Second

func newTransport(cfg Config) (*transport, error) {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	cfg.TLS.Of = "consul"
	t := &transport{plain: map[string]*http.Transport{}, dialTLS: cfg.TLS.Dial(dialer, "h2", "http/1.1")}
	for _, a := range cfg.Addresses {
		target, err := parseTarget(a, cfg.Scheme)
		if err != nil {
			return nil, err
		}
		t.targets = append(t.targets, target)
		if target.scheme == "https" {
			continue
		}
		if t.plain[target.socket] == nil {
			t.plain[target.socket] = plainTransport(dialer, target.socket)
		}
	}
	t.calls = t.secureTransport()
	t.token = func(context.Context) (string, error) { return cfg.Token, nil }
	if cfg.TokenFile != "" {
		file := &fileText{path: cfg.TokenFile}
		t.token = func(context.Context) (string, error) { return file.get() }
	}
	if cfg.Login != nil {
		t.login = newLogin(cfg, t.exchange)
		t.token = t.login.get
	}
	return t, nil
}

// plainTransport leaves a few of the agent's 200 connections to others even when every slot is in use.
func plainTransport(dialer *net.Dialer, socket string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if socket != "" {
				network, addr = "unix", socket
			}
			return dialer.DialContext(ctx, network, addr)
		},
		MaxConnsPerHost:     plainSlots + 32,
		MaxIdleConnsPerHost: plainSlots + 32,
		IdleConnTimeout:     90 * time.Second,
	}
}

// secureTransport multiplexes over as few connections as one host needs; a ping finds a connection that is half open.
func (t *transport) secureTransport() *http.Transport {
	return &http.Transport{
		DialTLSContext:    t.dialTLS,
		ForceAttemptHTTP2: true,
		MaxConnsPerHost:   2,
		IdleConnTimeout:   90 * time.Second,
		HTTP2: &http.HTTP2Config{
			StrictMaxConcurrentRequests: true,
			SendPingTimeout:             10 * time.Second,
			PingTimeout:                 5 * time.Second,
		},
	}
}

const (
	tokenHeader = "X-Consul-Token"
	noToken     = "-" // stands where the transport sets the token of the moment
)

// allSecure says that no address is plain HTTP.
func (t *transport) allSecure() bool {
	return !slices.ContainsFunc(t.targets, func(to target) bool { return to.scheme != "https" })
}

type blockingKey struct{}

// blocking marks a request as one that waits in Consul.
func blocking(ctx context.Context) context.Context {
	return context.WithValue(ctx, blockingKey{}, true)
}

// RoundTrip implements http.RoundTripper. Where the token is made by logging in, one that Consul no longer knows is
// replaced, and the request sent again. One that waits in Consul may outlive several tokens.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.token(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("read consul token: %w", err)
	}
	given := req.Header.Get(tokenHeader) // for this request alone
	for {
		resp, err := t.exchange(req, token)
		if err != nil || t.login == nil || resp.StatusCode != http.StatusForbidden || given != noToken && given != "" || !saysUnknown(resp) {
			return resp, err
		}
		t.login.unknown(token)
		again, err := replay(req)
		if err != nil {
			return resp, nil
		}
		other, err := t.login.get(req.Context())
		if err != nil || other == token {
			return resp, nil // what Consul said tells more
		}
		resp.Body.Close()
		req, token = again, other
	}
}

// saysUnknown looks into an answer, and leaves it as it was.
func saysUnknown(resp *http.Response) bool {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	return bytes.Contains(head, []byte(unknownToken))
}

// replay is the request from its beginning.
func replay(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again, nil
	}
	if req.GetBody == nil {
		return nil, errors.New("the body can be read once")
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err
}

// exchange sends a request with a token, or with none. An agent that refuses for being busy (429) makes way for the next
// address at once; one that cannot be reached does for the next request, and at once where nothing was written.
func (t *transport) exchange(req *http.Request, token string) (*http.Response, error) {
	for try := 1; ; try++ {
		at := t.current.Load()
		out := req.Clone(req.Context())
		if h := out.Header.Get(tokenHeader); h == noToken && token == "" {
			out.Header.Del(tokenHeader)
		} else if h == noToken || h == "" && token != "" {
			out.Header.Set(tokenHeader, token)
		}
		resp, err := t.send(out, t.targets[at])
		if t.count != nil {
			if err != nil {
				t.count(0)
			} else {
				t.count(resp.StatusCode)
			}
		}
		busy := err == nil && resp.StatusCode == http.StatusTooManyRequests
		if err == nil && !busy || req.Context().Err() != nil {
			return resp, err
		}
		t.current.CompareAndSwap(at, (at+1)%int32(len(t.targets)))
		if try >= len(t.targets) || req.Method != http.MethodGet {
			return resp, err
		}
		if busy {
			resp.Body.Close()
		}
	}
}

func (t *transport) send(req *http.Request, to target) (*http.Response, error) {
	req.URL.Scheme, req.URL.Host, req.Host = to.scheme, to.host, ""
	if to.path != "" {
		if req.URL.RawPath != "" {
			req.URL.RawPath = to.path + req.URL.RawPath
		}
		req.URL.Path = to.path + req.URL.Path
	}
	if to.scheme != "https" {
		return t.plain[to.socket].RoundTrip(req)
	}
	if req.Context().Value(blockingKey{}) == nil {
		return t.calls.RoundTrip(req)
	}
	s := t.pick()
	resp, err := s.RoundTrip(req)
	if err != nil {
		t.done(s)
		return nil, err
	}
	resp.Body = &countedBody{ReadCloser: resp.Body, done: func() { t.done(s) }}
	return resp, nil
}

// pick returns the first shard with room, so that few watches use one connection.
func (t *transport) pick() *shard {
	t.mu.Lock()
	defer t.mu.Unlock()
	least := (*shard)(nil)
	for _, s := range t.shards {
		if s.busy < shardLimit {
			s.busy++
			return s
		}
		if least == nil || s.busy < least.busy {
			least = s
		}
	}
	if len(t.shards) >= maxShards {
		least.busy++
		return least
	}
	rt := t.secureTransport()
	s := &shard{RoundTripper: rt, idle: rt.CloseIdleConnections, busy: 1}
	t.shards = append(t.shards, s)
	return s
}

func (t *transport) done(s *shard) {
	t.mu.Lock()
	s.busy--
	t.mu.Unlock()
}

// closeIdle drops connections that no request uses.
func (t *transport) closeIdle() {
	for _, p := range t.plain {
		p.CloseIdleConnections()
	}
	t.calls.CloseIdleConnections()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.shards {
		s.idle()
	}
}

// countedBody gives a shard's place back when the answer has been read.
type countedBody struct {
	io.ReadCloser
	once sync.Once
	done func()
}

func (b *countedBody) Close() error {
	b.once.Do(b.done)
	return b.ReadCloser.Close()
}
