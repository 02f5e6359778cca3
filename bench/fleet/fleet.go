// Package fleet is many Envoys at once, as far as a control plane sees them: clients that ask for everything an Envoy
// asks for and acknowledge whatever comes; and the least that can send to them.
package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// Counts is what all clients together got and acknowledged.
type Counts struct {
	Responses int
	Bytes     int
	Resources map[string]int // by type URL, each sending counted
}

// Fleet is clients that run until their context ends.
type Fleet struct {
	mu      sync.Mutex
	changed chan struct{}
	counts  Counts
	err     error
}

// Start connects n clients of a gateway to a control plane, each by a connection of its own. A client that is refused
// tries again at once, for as long as ctx lives.
func Start(ctx context.Context, addr, gateway string, n int) *Fleet {
	f := &Fleet{changed: make(chan struct{}), counts: Counts{Resources: map[string]int{}}}
	for i := range n {
		go func() {
			for ctx.Err() == nil {
				err := f.run(ctx, addr, gateway, fmt.Sprintf("client-%03d", i))
				f.note(func() { f.err = err })
				pause := time.NewTimer(2 * time.Millisecond)
				select {
				case <-ctx.Done():
				case <-pause.C:
				}
				pause.Stop()
			}
		}()
	}
	return f
}

// Await returns what was acknowledged since the start as soon as enough says so, or the clients' last error when the
// time is over.
func (f *Fleet) Await(within time.Duration, enough func(Counts) bool) (Counts, error) {
	over := time.NewTimer(within)
	defer over.Stop()
	for {
		f.mu.Lock()
		c, changed, err := f.counts, f.changed, f.err
		done := enough(c)
		f.mu.Unlock()
		if done {
			return c, nil
		}
		select {
		case <-changed:
		case <-over.C:
			return c, fmt.Errorf("not acknowledged within %s: %d responses so far, last error: %w", within, c.Responses, err)
		}
	}
}

// Reset forgets what was counted.
func (f *Fleet) Reset() {
	f.note(func() { f.counts = Counts{Resources: map[string]int{}} })
}

func (f *Fleet) note(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// client is one stream.
type client struct {
	stream grpc.BidiStreamingClient[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]
	node   *corev3.Node // nil once sent
}

func (f *Fleet) run(ctx context.Context, addr, gateway, id string) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	c := &client{stream: s, node: &corev3.Node{Id: id, Cluster: gateway}}
	for _, typeURL := range []string{resource.ClusterType, resource.ListenerType} {
		if err := c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL}); err != nil {
			return err
		}
	}
	for {
		r, err := s.Recv()
		if err != nil {
			return err
		}
		if err := c.take(r); err != nil {
			return err
		}
		f.note(func() {
			f.counts.Responses++
			f.counts.Bytes += proto.Size(r)
			f.counts.Resources[r.GetTypeUrl()] += len(r.GetResources())
		})
	}
}

// take acknowledges a response and asks for what its resources refer to.
func (c *client) take(r *discoveryv3.DeltaDiscoveryResponse) error {
	if err := c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}); err != nil {
		return err
	}
	ask := &discoveryv3.DeltaDiscoveryRequest{}
	switch r.GetTypeUrl() {
	case resource.ClusterType:
		ask.TypeUrl = resource.EndpointType
		for _, res := range r.GetResources() {
			cluster := &clusterv3.Cluster{}
			if err := res.GetResource().UnmarshalTo(cluster); err != nil {
				return err
			}
			ask.ResourceNamesSubscribe = append(ask.ResourceNamesSubscribe, cluster.GetEdsClusterConfig().GetServiceName())
		}
	case resource.ListenerType: // its RouteConfiguration has its name
		ask.TypeUrl = resource.RouteType
		for _, res := range r.GetResources() {
			ask.ResourceNamesSubscribe = append(ask.ResourceNamesSubscribe, res.GetName())
		}
	case resource.RouteType: // virtual hosts are asked for without names
		return c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: resource.VirtualHostType})
	}
	if len(ask.GetResourceNamesSubscribe()) == 0 {
		return nil
	}
	return c.send(ask)
}

func (c *client) send(r *discoveryv3.DeltaDiscoveryRequest) error {
	r.Node, c.node = c.node, nil
	return c.stream.Send(r)
}
