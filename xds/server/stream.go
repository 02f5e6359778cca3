package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/xds/store"
)

// stream is one ADS stream: the cache and the callbacks of a go-control-plane delta server of its own, so that
// everything it knows dies with it.
//
// Two goroutines run it. The stream's own handles requests and writes responses; the pump wakes when the store
// changes, a need has waited long enough or a removal is due. Both plan under mu and hand responses over by a channel
// that the stream's own goroutine drains. Nothing waits while mu is held.
type stream struct {
	srv    *Server
	id     uint64
	ctx    context.Context //nolint:containedctx // the stream's life is the context's
	cancel context.CancelFunc
	kick   chan struct{}
	full   atomic.Bool // the channel refused a response: plan again when there is room
	timer  *time.Timer
	done   chan struct{} // closed when the pump has ended; nil before it starts

	node  Node // written once, before the pump starts and the stream is listed
	watch *store.Watch

	mu      sync.Mutex
	err     error // why the server ends the stream
	since   time.Time
	unknown bool // the gateway was unknown when last looked
	types   map[string]*typeState
	order   []*typeState // in the order of kindOrder
	out     chan cache.DeltaResponse
}

func newStream(ctx context.Context, cancel context.CancelFunc, s *Server, id uint64) *stream {
	return &stream{
		srv: s, id: id, ctx: ctx, cancel: cancel,
		kick: make(chan struct{}, 1), since: time.Now(), types: map[string]*typeState{},
	}
}

// serve runs the stream to its end.
func (st *stream) serve(g grpc.BidiStreamingServer[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]) error {
	defer st.close()
	var explicit []string
	for _, typeURL := range kindOrder {
		if kinds[typeURL].explicit {
			explicit = append(explicit, typeURL)
		}
	}
	d := delta.NewServer(st.ctx, st, st, delta.DeactivateLegacyWildcardForTypes(explicit))
	err := d.DeltaStreamHandler(g, resourcev3.AnyType)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil {
		return st.err
	}
	return err
}

// start is called with the first request's node.
func (st *stream) start(n Node) {
	st.node = n
	st.watch = st.srv.store.Watch(n.Gateway)
	st.timer = time.NewTimer(time.Hour)
	st.timer.Stop()
	st.done = make(chan struct{})
	st.srv.add(st)
	st.srv.metrics.connected.Inc()
	st.srv.opts.Observer.Connected(n)
	go st.pump()
}

func (st *stream) close() {
	st.cancel()
	if st.done == nil {
		return
	}
	<-st.done
	st.watch.Close()
	st.timer.Stop()
	st.srv.drop(st)
	if t := st.types[resourcev3.EndpointType]; t != nil {
		for name := range t.aliases {
			st.srv.store.Unask(name)
		}
	}
	_ = st.guard(func() error { st.srv.opts.Observer.Disconnected(st.node); return nil })
}

// pump plans whenever something else than a request gives reason to.
func (st *stream) pump() {
	defer close(st.done)
	for {
		select {
		case <-st.ctx.Done():
			return
		case <-st.watch.C():
		case <-st.kick:
		case <-st.timer.C:
		}
		if err := st.guard(func() error {
			st.mu.Lock()
			defer st.mu.Unlock()
			st.flush()
			return nil
		}); err != nil {
			st.fail(err)
			return
		}
	}
}

// fail ends the stream with an error.
func (st *stream) fail(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil {
		st.err = err
	}
	st.cancel()
}

// guard turns a panic while one message is handled into the end of this stream: the Envoy comes back with its
// versions and is brought up to date from scratch.
func (st *stream) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = st.panicked(r)
		}
	}()
	return f()
}

func (st *stream) panicked(r any) error {
	st.srv.metrics.panics.Inc()
	st.srv.log.Error("panic in an xds stream", "node", st.node.ID, "gateway", st.node.Gateway,
		"error", fmt.Sprint(r), "stack", string(debug.Stack()))
	return status.Error(codes.Internal, "internal error")
}

// OnDeltaStreamOpen does nothing: a stream counts from its first request.
func (st *stream) OnDeltaStreamOpen(context.Context, int64, string) error { return nil }

// OnDeltaStreamClosed does nothing: serve cleans up.
func (st *stream) OnDeltaStreamClosed(int64, *corev3.Node) {}

// OnStreamDeltaRequest checks who asks and takes the answer in the request, if it is one.
func (st *stream) OnStreamDeltaRequest(_ int64, req *discoveryv3.DeltaDiscoveryRequest) error {
	return st.guard(func() error {
		if err := st.admit(req); err != nil {
			return err
		}
		st.answer(req)
		return nil
	})
}

// OnStreamDeltaResponse is called right before a response is written: the channel has room again.
func (st *stream) OnStreamDeltaResponse(int64, *discoveryv3.DeltaDiscoveryRequest, *discoveryv3.DeltaDiscoveryResponse) {
	if st.full.CompareAndSwap(true, false) {
		select {
		case st.kick <- struct{}{}:
		default:
		}
	}
}

// admit checks the node of every request that has one, and the peer's right to its gateway at every request.
func (st *stream) admit(req *discoveryv3.DeltaDiscoveryRequest) error {
	n, first := req.GetNode(), st.done == nil
	switch {
	case first && (n.GetId() == "" || n.GetCluster() == ""):
		return status.Error(codes.InvalidArgument, "node.id and node.cluster (the gateway's name) are required")
	case !first && (n.GetId() != "" && n.GetId() != st.node.ID || n.GetCluster() != "" && n.GetCluster() != st.node.Gateway):
		return status.Error(codes.PermissionDenied, "node.id and node.cluster may not change on a stream")
	}
	who := st.node
	if first {
		who = nodeOf(st.ctx, st.id, n)
	}
	if err := st.srv.opts.Identity(st.ctx, who.Gateway); err != nil {
		st.srv.metrics.refused.WithLabelValues("identity").Inc()
		level := hclog.Debug
		if st.srv.told.fresh(who.ID+"\x00"+err.Error(), time.Now()) {
			level = hclog.Warn
		}
		st.srv.log.Log(level, "xds stream refused", "node", who.ID, "address", who.Address, "gateway", who.Gateway, "error", err)
		return status.Error(codes.PermissionDenied, err.Error())
	}
	if until := st.srv.refuseUntil.Load(); until > time.Now().UnixNano() && len(req.GetInitialResourceVersions()) > 0 {
		st.srv.metrics.refused.WithLabelValues("resumed").Inc()
		return status.Error(codes.Unavailable, "this replica stands on last good state: keep what you have")
	}
	if first {
		st.start(who)
	}
	return nil
}

// CreateWatch is never called: the state-of-the-world protocol is not served.
func (st *stream) CreateWatch(*cache.Request, cache.Subscription, chan cache.Response) (func(), error) {
	return nil, status.Error(codes.Unimplemented, "state-of-the-world xDS is not served")
}

// CreateDeltaWatch takes the type's subscription as it now is and sends what is due on any type. Until the returned
// function is called, changes of the type may be sent at any time.
func (st *stream) CreateDeltaWatch(req *cache.DeltaRequest, sub cache.Subscription, out chan cache.DeltaResponse) (cancel func(), err error) {
	var had []Versioned
	err = st.guard(func() error {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.out = out
		had = st.subscribe(req, sub)
		st.flush()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(had) > 0 {
		if err := st.guard(func() error { st.srv.opts.Observer.Acked(st.node, had); return nil }); err != nil {
			return nil, err
		}
	}
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.types[req.GetTypeUrl()].armed = false
	}, nil
}
