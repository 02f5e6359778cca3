package server

import (
	"context"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/peer"

	"github.com/sluice-gateway/sluice/xds/store"
)

// Node is an Envoy on one stream, as it presented itself in the stream's first request.
type Node struct {
	Stream     uint64 // of this connection, unique in this process; one Envoy may have two for a moment
	ID         string
	Gateway    string              // node.cluster: the role that it serves
	Version    string              // "1.40.0"; empty if it did not say
	Extensions map[string]struct{} // names of its extensions; shared, never changed
	Address    string              // of the peer
}

// Has says whether the Envoy brought an extension, such as "envoy.filters.http.lua".
func (n Node) Has(extension string) bool {
	_, ok := n.Extensions[extension]
	return ok
}

// Lacks names the first extension that a resource requires and the Envoy did not bring; empty: none. An Envoy that does
// not say what it has is taken to have everything.
func (n Node) Lacks(r *store.Resource) string {
	if len(n.Extensions) == 0 {
		return ""
	}
	for _, e := range r.Requires {
		if !n.Has(e) {
			return e
		}
	}
	return ""
}

// Versioned is a resource in one version: its key in the store (of an assignment the upstream's name, however it was
// asked for). A removal has no version.
type Versioned struct {
	store.Key
	Version string
}

// Observer is told what Envoys say. Calls for one stream come one after another, in order, on the goroutine that
// reads it; Connected is the first and Disconnected the last. They must return at once: queue what takes time. They
// must not call Store.Publish.
type Observer interface {
	Connected(Node)
	Disconnected(Node)

	// Acked lists what the Envoy now has: what it acknowledged, and after a reconnect what it brought along, in whatever
	// version: another replica may have sent what this store comes to hold later. The slice belongs to the receiver.
	Acked(Node, []Versioned)

	// Nacked lists what the Envoy refused, with its redacted words. A refused response with several resources is sent
	// again in parts first, so that the list holds the culprit alone.
	Nacked(Node, []Versioned, string)
}

type nobody struct{}

func (nobody) Connected(Node)                   {}
func (nobody) Disconnected(Node)                {}
func (nobody) Acked(Node, []Versioned)          {}
func (nobody) Nacked(Node, []Versioned, string) {}

func nodeOf(ctx context.Context, stream uint64, n *corev3.Node) Node {
	out := Node{Stream: stream, ID: n.GetId(), Gateway: n.GetCluster(), Extensions: map[string]struct{}{}}
	if v := n.GetUserAgentBuildVersion().GetVersion(); v != nil {
		out.Version = fmt.Sprintf("%d.%d.%d", v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch())
	}
	for _, e := range n.GetExtensions() {
		if !e.GetDisabled() {
			out.Extensions[e.GetName()] = struct{}{}
		}
	}
	if p, ok := peer.FromContext(ctx); ok {
		out.Address = p.Addr.String()
	}
	return out
}
