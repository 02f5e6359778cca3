package server_test

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

const (
	cds  = resourcev3.ClusterType
	eds  = resourcev3.EndpointType
	lds  = resourcev3.ListenerType
	rds  = resourcev3.RouteType
	vhds = resourcev3.VirtualHostType

	patience = 10 * time.Second
)

// rig is a store with a server on an in-memory listener.
type rig struct {
	t      testing.TB
	store  *store.Store
	server *server.Server
	dial   func(context.Context, string) (net.Conn, error)
}

func anyone(context.Context, string) error { return nil }

func newRig(t testing.TB, o server.Options) *rig {
	t.Helper()
	return newRigOn(t, store.New(), o)
}

func newRigOn(t testing.TB, st *store.Store, o server.Options) *rig {
	t.Helper()
	if o.Identity == nil {
		o.Identity = anyone
	}
	srv, err := server.New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	g, err := server.NewGRPC(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Register(g)
	l := bufconn.Listen(1 << 20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(l)
	}()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	srv.Open()
	return &rig{t: t, store: st, server: srv, dial: func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }}
}

// client is a small delta client: it keeps what it was sent and answers by itself unless told otherwise.
type client struct {
	t      testing.TB
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	node      *corev3.Node // nil once sent
	changed   chan struct{}
	have      map[string]map[string]string // type → name → version
	bodies    map[string]map[string][]byte
	responses []*discoveryv3.DeltaDiscoveryResponse
	answer    func(*discoveryv3.DeltaDiscoveryResponse) (reply bool, refuse string)
	err       error
}

func (r *rig) connect(id, gateway string) *client {
	r.t.Helper()
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithContextDialer(r.dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &client{
		t: r.t, conn: conn, stream: s, cancel: cancel, done: make(chan struct{}), node: &corev3.Node{Id: id, Cluster: gateway},
		changed: make(chan struct{}), have: map[string]map[string]string{}, bodies: map[string]map[string][]byte{},
	}
	go c.read()
	r.t.Cleanup(c.close)
	return c
}

func (c *client) close() {
	c.cancel()
	<-c.done
	_ = c.conn.Close()
}

func (c *client) read() {
	defer close(c.done)
	for {
		r, err := c.stream.Recv()
		c.mu.Lock()
		if err != nil {
			c.err = err
			c.note()
			c.mu.Unlock()
			return
		}
		c.responses = append(c.responses, r)
		reply, refuse := true, ""
		if c.answer != nil {
			reply, refuse = c.answer(r)
		}
		if refuse == "" {
			c.apply(r)
		}
		c.note()
		c.mu.Unlock()
		if reply {
			c.reply(r, refuse)
		}
	}
}

func (c *client) reply(r *discoveryv3.DeltaDiscoveryResponse, refuse string) {
	req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	if refuse != "" {
		req.ErrorDetail = &status.Status{Message: refuse}
	}
	c.send(req)
}

func (c *client) apply(r *discoveryv3.DeltaDiscoveryResponse) {
	t := r.GetTypeUrl()
	if c.have[t] == nil {
		c.have[t], c.bodies[t] = map[string]string{}, map[string][]byte{}
	}
	for _, x := range r.GetResources() {
		c.have[t][x.GetName()], c.bodies[t][x.GetName()] = x.GetVersion(), x.GetResource().GetValue()
	}
	for _, n := range r.GetRemovedResources() {
		delete(c.have[t], n)
		delete(c.bodies[t], n)
	}
}

func (c *client) note() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *client) send(req *discoveryv3.DeltaDiscoveryRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	req.Node, c.node = c.node, nil
	_ = c.stream.Send(req)
}

func (c *client) subscribe(typeURL string, names ...string) {
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names})
}

func (c *client) unsubscribe(typeURL string, names ...string) {
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesUnsubscribe: names})
}

// resume subscribes as a client that comes back with what it has.
func (c *client) resume(typeURL string, versions map[string]string, names ...string) {
	c.mu.Lock()
	c.have[typeURL], c.bodies[typeURL] = map[string]string{}, map[string][]byte{}
	maps.Copy(c.have[typeURL], versions)
	c.mu.Unlock()
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names, InitialResourceVersions: versions})
}

// await waits until ok holds; ok runs with the client's lock held.
func (c *client) await(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		if ok() {
			c.mu.Unlock()
			return
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.t.Fatalf("no %s within %s; have %v, error %v", what, patience, c.have, c.err)
		}
	}
}

// awaitHave waits until the client has exactly these names of a type.
func (c *client) awaitHave(typeURL string, names ...string) {
	c.t.Helper()
	c.await("exactly "+typeURL, func() bool { return slices.Equal(c.names(typeURL), slices.Sorted(slices.Values(names))) })
}

func (c *client) names(typeURL string) []string {
	var out []string
	for n := range c.have[typeURL] {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// sentNames are the names of one type in the order of their responses: a list a response, removals with "-".
func (c *client) sentNames(typeURL string) [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out [][]string
	for _, r := range c.responses {
		if r.GetTypeUrl() != typeURL {
			continue
		}
		var names []string
		for _, x := range r.GetResources() {
			names = append(names, x.GetName())
		}
		for _, n := range r.GetRemovedResources() {
			names = append(names, "-"+n)
		}
		out = append(out, names)
	}
	return out
}

func (c *client) setAnswer(f func(*discoveryv3.DeltaDiscoveryResponse) (bool, string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

func (r *rig) publish(c store.Change) { r.store.Publish(c) }

func (r *rig) set(rs ...*store.Resource) { r.publish(store.Change{Set: rs}) }

func must(t testing.TB, typeURL, name string, m proto.Message, needs []store.Key, gateways ...string) *store.Resource {
	t.Helper()
	if len(gateways) == 0 {
		gateways = []string{"edge"}
	}
	res, err := store.NewResource(store.Key{Type: typeURL, Name: name}, m, needs, gateways)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// cluster has a revision, which shows in its timeout; service is its EDS name, or empty.
func cluster(t testing.TB, name string, revision int, service string, gateways ...string) *store.Resource {
	c := &clusterv3.Cluster{Name: name, ConnectTimeout: durationpb.New(time.Duration(revision+1) * time.Second)}
	if service != "" {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{ServiceName: service}
	}
	return must(t, cds, name, c, nil, gateways...)
}

func assignment(t testing.TB, name string, port int, gateways ...string) *store.Resource {
	return must(t, eds, name, assignmentProto(name, port), nil, gateways...)
}

func assignmentProto(name string, port int) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
			}}},
		}}}},
	}}}
}

func host(t testing.TB, name string, revision int, needs []store.Key, gateways ...string) *store.Resource {
	return must(t, vhds, name, &routev3.VirtualHost{
		Name: name, Domains: []string{"*"}, RequestHeadersToRemove: []string{"x-" + time.Duration(revision).String()},
	}, needs, gateways...)
}

func table(t testing.TB, name string, gateways ...string) *store.Resource {
	return must(t, rds, name, &routev3.RouteConfiguration{Name: name}, nil, gateways...)
}

func listener(t testing.TB, name string, gateways ...string) *store.Resource {
	return must(t, lds, name, &listenerv3.Listener{Name: name}, nil, gateways...)
}

// bigListener has 64 KiB, so that flow control stops a client that does not read.
func bigListener(revision int) *listenerv3.Listener {
	return &listenerv3.Listener{Name: "big", StatPrefix: strings.Repeat("x", 1<<16) + time.Duration(revision).String()}
}

func key(typeURL, name string) store.Key { return store.Key{Type: typeURL, Name: name} }
