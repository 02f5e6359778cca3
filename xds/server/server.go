// Package server drives Envoys by delta ADS from a store.
//
// A newcomer reads Server (this file: the gate and one stream's life), stream.go (what go-control-plane asks of a
// stream), plan.go (what is sent when: needs first, removals last), answer.go (ACK and NACK) and node.go (what others
// are told). docs/xds.md has the rules in prose.
package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/xds/store"
)

// Options of a server. The zero value serves loopback peers only, with the defaults named below.
type Options struct {
	Identity     Identity              // who may speak for which gateway; nil: Loopback
	Observer     Observer              // nil: nobody listens
	Logger       hclog.Logger          // nil: silent
	Registerer   prometheus.Registerer // nil: no metrics
	NeedTimeout  time.Duration         // how long a resource waits for what it needs; 0: 1 s
	RemovalGrace time.Duration         // between the last ACK of the upserts and the removal of what was referred to; 0: 5 s; negative: none
	Redact       func(string) string   // applied to NACK texts after the built-in redaction; nil: nothing more
	TLS          *TLS                  // for NewGRPC; nil: plaintext
}

// Server implements the aggregated discovery service over one store. It is safe for concurrent use.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer

	store   *store.Store
	opts    Options
	log     hclog.Logger
	metrics *metrics

	open        atomic.Bool
	refuseUntil atomic.Int64 // Unix nanoseconds
	lastStream  atomic.Uint64
	told        refusals

	mu      sync.Mutex
	streams map[uint64]*stream
}

// New returns a server whose gate is closed. It fails when its metrics cannot be registered.
func New(s *store.Store, o Options) (*Server, error) {
	if o.Identity == nil {
		o.Identity = Loopback
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.NeedTimeout == 0 {
		o.NeedTimeout = time.Second
	}
	if o.RemovalGrace == 0 {
		o.RemovalGrace = 5 * time.Second
	}
	srv := &Server{store: s, opts: o, log: o.Logger.Named("xds"), streams: map[uint64]*stream{}}
	m, err := newMetrics(srv, o.Registerer)
	if err != nil {
		return nil, err
	}
	srv.metrics = m
	return srv, nil
}

// Register adds the service to a gRPC server, best one of NewGRPC.
func (s *Server) Register(g grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, s)
}

// Open lets streams in. Before it they are refused with Unavailable, so that no Envoy hears of an incomplete world.
func (s *Server) Open() { s.open.Store(true) }

// IsOpen says whether Open was called.
func (s *Server) IsOpen() bool { return s.open.Load() }

// RefuseResumed refuses, until a time, streams that come with resource versions of their own: while this replica
// stands on last good state alone, such an Envoy is better off with what it has. The zero time lifts it.
func (s *Server) RefuseResumed(until time.Time) {
	if until.IsZero() {
		s.refuseUntil.Store(0)
		return
	}
	s.refuseUntil.Store(until.UnixNano())
}

// StreamAggregatedResources refuses the state-of-the-world protocol.
func (s *Server) StreamAggregatedResources(grpc.BidiStreamingServer[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse]) error {
	return status.Error(codes.Unimplemented, "state-of-the-world xDS is not served: set api_type to DELTA_GRPC")
}

// DeltaAggregatedResources serves one Envoy until it leaves, is refused, or the server stops.
func (s *Server) DeltaAggregatedResources(g grpc.BidiStreamingServer[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]) error {
	if !s.open.Load() {
		s.metrics.refused.WithLabelValues("closed").Inc()
		return status.Error(codes.Unavailable, "the world is not complete yet")
	}
	ctx, cancel := context.WithCancel(g.Context())
	defer cancel()
	st := newStream(ctx, cancel, s, s.lastStream.Add(1))
	return st.guard(func() error { return st.serve(g) })
}

func (s *Server) add(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[st.id] = st
}

func (s *Server) drop(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st.id)
}
