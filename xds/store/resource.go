package store

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// typePrefix is what stands before a message's name in a type URL.
const typePrefix = "type.googleapis.com/"

// NewResource marshals a message, once and deterministically. Its version is the 128-bit hash of the bytes: equal
// messages have equal versions on every replica. It keeps needs and a sorted copy of gateways. It fails when the
// message is not of the key's type or cannot be marshalled.
func NewResource(key Key, message proto.Message, needs []Key, gateways []string) (*Resource, error) {
	if got := typePrefix + string(message.ProtoReflect().Descriptor().FullName()); got != key.Type {
		return nil, fmt.Errorf("marshal %s: message is a %s", key, got)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", key, err)
	}
	sum := xxh3.Hash128(b).Bytes()
	sorted := slices.Clone(gateways)
	slices.Sort(sorted)
	r := &Resource{
		Key:      key,
		Version:  hex.EncodeToString(sum[:]),
		Body:     &anypb.Any{TypeUrl: key.Type, Value: b},
		Needs:    needs,
		Gateways: slices.Compact(sorted),
	}
	if c, ok := message.(*clusterv3.Cluster); ok && c.GetType() == clusterv3.Cluster_EDS {
		r.assignment = c.GetEdsClusterConfig().GetServiceName()
		if r.assignment == "" {
			r.assignment = c.GetName()
		}
	}
	return r, nil
}

// String is the type without its package, and the name: "Cluster pets".
func (k Key) String() string {
	return k.Type[strings.LastIndexByte(k.Type, '.')+1:] + " " + k.Name
}

// For is the resource as other gateways see it. gateways are copied.
func (r *Resource) For(gateways []string) *Resource {
	sorted := slices.Clone(gateways)
	slices.Sort(sorted)
	return &Resource{
		Key: r.Key, Version: r.Version, Body: r.Body, Needs: r.Needs, Gateways: slices.Compact(sorted), Requires: r.Requires, StandIn: r.StandIn,
		assignment: r.assignment,
	}
}

// Assignment is the EDS name that this cluster asks for; empty for everything else.
func (r *Resource) Assignment() string { return r.assignment }

// VisibleTo says whether the Envoys of a gateway see the resource.
func (r *Resource) VisibleTo(gateway string) bool {
	_, ok := slices.BinarySearch(r.Gateways, gateway)
	return ok
}

// Wire is the resource as it is sent to somebody who asked for it by that name. It is shared: never change it.
//
// An assignment that is asked for as NAME@anything carries that name in its body too, since Envoy compares them.
func (r *Resource) Wire(asked string) *discoveryv3.Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, ok := r.wires[asked]; ok {
		return w
	}
	w := &discoveryv3.Resource{Name: asked, Version: r.Version, Resource: r.Body}
	if asked != r.Name && r.Type == resourcev3.EndpointType {
		w.Resource = &anypb.Any{TypeUrl: r.Type, Value: renamed(r.Body.GetValue(), asked)}
	}
	if r.wires == nil {
		r.wires = map[string]*discoveryv3.Resource{}
	}
	r.wires[asked] = w
	return w
}

// clusterNameField is ClusterLoadAssignment.cluster_name.
const clusterNameField = 1

// renamed copies a marshalled assignment with another cluster_name, without decoding the rest.
func renamed(b []byte, name string) []byte {
	out := make([]byte, 0, len(b)+len(name)+4)
	out = protowire.AppendTag(out, clusterNameField, protowire.BytesType)
	out = protowire.AppendString(out, name)
	for len(b) > 0 {
		number, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return append(out, b...) // not a message; Envoy will say so
		}
		if number != clusterNameField {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// Base is the name of the assignment behind an EDS name: "pets" for "pets@5f0c". A name without "@" is its own base.
func Base(name string) string {
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		return name[:i]
	}
	return name
}
