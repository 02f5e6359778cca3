package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-gateway/sluice/gateway"
)

// World is where the state comes from. Both methods are safe for concurrent use and do not block.
type World interface {
	World() *gateway.World
	// Subscribe returns a channel that receives after changes, and what ends the subscription.
	Subscribe() (<-chan struct{}, func())
}

// Facts is what the running program knows beside the world. Its methods are safe for concurrent use; lists are the
// caller's.
type Facts interface {
	Gate() Gate
	Generation() Generation
	Frozen() (frozen bool, reason string)
	Nodes() []Node
	Sources() []Source // without Upstreams
	Watches() []Watch
	Finders() []Finder
	Secrets() []Secret           // without UsedBy
	Events(since uint64) []Event // with a higher ID, oldest first
}

// Actions is what an operator may do. A nil error says that it is done, or will be wherever sluice runs.
type Actions interface {
	Drain(ctx context.Context, address string, on bool) error
	Freeze(ctx context.Context, on bool, reason string) error
}

// Config is what a Server needs; all but Token, TLS, Gatherer, Log and Now is required.
type Config struct {
	Version  string
	Origin   string // where the documents are: "consul" or "files"
	World    World
	Facts    Facts
	Actions  Actions
	Parse    Parser
	Programs Programs
	Gatherer prometheus.Gatherer // of /metrics; nil: there are none
	Token    *Token              // nil: everybody on this machine may ask
	TLS      *tls.Config         // nil: plain HTTP
	Log      hclog.Logger
	Now      func() time.Time
}

// Server serves the API.
type Server struct {
	cfg       Config
	followers chan struct{} // one slot an open event stream
	patience  time.Duration // how long a follower may take for a write
}

// Bounds on what one client may cost.
const (
	maxBody      = 1 << 20
	maxPlanBody  = 64 << 20
	maxFollowers = 64
	writeTime    = 30 * time.Second
	eventTime    = 10 * time.Second
	actionTime   = 15 * time.Second
)

// New makes a Server. It does no I/O.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	return &Server{cfg: cfg, followers: make(chan struct{}, maxFollowers), patience: eventTime}
}

// Handler is the API with its guard.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { reply(w, r, answer) })
	}
	world := func() *gateway.World { return s.cfg.World.World() }
	get("/v1/status", func(*http.Request) (any, error) { return s.status(), nil })
	get("/v1/blocks", func(r *http.Request) (any, error) { return s.blocks(r.URL.Query().Get("kind")), nil })
	get("/v1/routes", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return Routes(world(), RouteFilter{q.Get("gateway"), q.Get("host"), q.Get("name")}), nil
	})
	get("/v1/upstreams", func(r *http.Request) (any, error) { return s.upstreams(world(), r.URL.Query().Get("name")), nil })
	get("/v1/nodes", func(*http.Request) (any, error) { return OrEmpty(s.cfg.Facts.Nodes()), nil })
	get("/v1/sources", func(*http.Request) (any, error) { return s.sources(world()), nil })
	get("/v1/functions", func(r *http.Request) (any, error) { return s.functions(world(), r.URL.Query().Get("upstream")), nil })
	get("/v1/finders", func(*http.Request) (any, error) { return OrEmpty(s.cfg.Facts.Finders()), nil })
	get("/v1/secrets", func(*http.Request) (any, error) { return s.secrets(world()), nil })
	get("/v1/openapi", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return OpenAPI(world(), q.Get("gateway"), q.Get("host"), "")
	})
	get("/v1/world", func(*http.Request) (any, error) { return dump(world()), nil })
	mux.HandleFunc("GET /v1/events", s.events)
	post(mux, "/v1/plan", maxPlanBody, func(_ context.Context, q PlanRequest) (Plan, error) {
		return MakePlan(world(), q, s.cfg.Parse)
	})
	post(mux, "/v1/explain", maxBody, func(_ context.Context, q ExplainRequest) (Explanation, error) {
		return Explain(world(), q, s.cfg.Programs)
	})
	post(mux, "/v1/drain", maxBody, s.drain)
	post(mux, "/v1/freeze", maxBody, s.freeze)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	if s.cfg.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: writeTime}))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("there is no %s %s", r.Method, r.URL.Path))
	})
	return s.guard(mux)
}

// Serve answers on a listener until ctx ends. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler: s.Handler(), TLSConfig: s.cfg.TLS, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: writeTime, WriteTimeout: writeTime, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    s.cfg.Log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		cancel() // followers leave
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer done()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	var err error
	if s.cfg.TLS != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the API: %w", err)
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if g := s.cfg.Facts.Gate(); !g.Open {
		text(w, http.StatusServiceUnavailable, fmt.Sprintf("waiting for %v\n", g.Waiting))
		return
	}
	text(w, http.StatusOK, "ready\n")
}

func (s *Server) drain(ctx context.Context, q DrainRequest) (Done, error) {
	if _, _, err := net.SplitHostPort(q.Address); err != nil {
		return Done{}, fmt.Errorf("address %q: give ADDRESS:PORT, as upstreams lists it", q.Address)
	}
	if err := s.cfg.Actions.Drain(ctx, q.Address, !q.Undo); err != nil {
		return Done{}, &unavailable{err}
	}
	if q.Undo {
		return Done{q.Address + " takes traffic again"}, nil
	}
	return Done{q.Address + " takes no new traffic until undone"}, nil
}

func (s *Server) freeze(ctx context.Context, q FreezeRequest) (Done, error) {
	if err := s.cfg.Actions.Freeze(ctx, !q.Undo, q.Reason); err != nil {
		return Done{}, &unavailable{err}
	}
	if q.Undo {
		return Done{"changes of documents and values are accepted again"}, nil
	}
	return Done{"no change of documents or values is accepted until unfreeze; endpoints and their health go on"}, nil
}

// unavailable is an error of the world, not of the request.
type unavailable struct{ error }

func (u *unavailable) Unwrap() error { return u.error }

// reply answers a GET.
func reply(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) {
	v, err := answer(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	send(w, http.StatusOK, v)
}

// post answers a POST with a JSON body of at most limit bytes.
func post[Q, A any](mux *http.ServeMux, path string, limit int64, answer func(context.Context, Q) (A, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var q Q
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			status := http.StatusBadRequest
			if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
				status = http.StatusRequestEntityTooLarge
			}
			fail(w, status, fmt.Errorf("read request body: %w", err))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), actionTime)
		defer cancel()
		a, err := answer(ctx, q)
		if err != nil {
			status := http.StatusBadRequest
			if bad := (*unavailable)(nil); errors.As(err, &bad) {
				status = http.StatusBadGateway
			}
			if errors.Is(err, ErrNoGateway) {
				status = http.StatusNotFound
			}
			fail(w, status, err)
			return
		}
		send(w, http.StatusOK, a)
	})
}

// send writes v from a buffer.
func send(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"error":"the answer cannot be written as JSON"}` + "\n")
	}
	head(w, "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func fail(w http.ResponseWriter, status int, err error) { send(w, status, Error{err.Error()}) }

func text(w http.ResponseWriter, status int, s string) {
	head(w, "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(s))
}

func head(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
