package translate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Type URLs of the resources.
const (
	ListenerType   = "type.googleapis.com/envoy.config.listener.v3.Listener"
	RoutesType     = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	HostType       = "type.googleapis.com/envoy.config.route.v3.VirtualHost"
	ClusterType    = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	AssignmentType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	SecretType     = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	ExtensionType  = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

// Pack validates a message and marshals it deterministically: equal messages give equal bytes, maps included. Features
// use it for everything they put into a resource.
func Pack(m proto.Message) (*anypb.Any, error) {
	if err := validate(m); err != nil {
		return nil, err
	}
	return pack(m)
}

// pack is Pack of a message that is valid by construction or was validated in parts.
func pack(m proto.Message) (*anypb.Any, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), Value: b}, nil
}

// validate checks the constraints that the message's definition states, all of them at once.
func validate(m proto.Message) error {
	v, ok := m.(interface{ ValidateAll() error })
	if !ok {
		return nil
	}
	if err := v.ValidateAll(); err != nil {
		return fmt.Errorf("envoy would refuse it: %w", err)
	}
	return nil
}

// AddNeed adds a resource to what a route or cluster needs, once.
func AddNeed(needs []Key, k Key) []Key {
	if slices.Contains(needs, k) {
		return needs
	}
	return append(needs, k)
}

func sortKeys(keys []Key) []Key {
	slices.SortFunc(keys, func(a, b Key) int {
		if c := strings.Compare(a.TypeURL, b.TypeURL); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return slices.Compact(keys)
}

// ads is the source of everything that a resource refers to by name. A zero wait waits for ever.
func ads(wait time.Duration) *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		InitialFetchTimeout:   durationpb.New(wait),
	}
}

// metadata is one namespace of string or boolean values.
func metadata(namespace string, values map[string]any) (*corev3.Metadata, error) {
	s, err := structpb.NewStruct(values)
	if err != nil {
		return nil, fmt.Errorf("metadata %s: %w", namespace, err)
	}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{namespace: s}}, nil
}

func u32(v uint32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(v) }

func yes() *wrapperspb.BoolValue { return wrapperspb.Bool(true) }
