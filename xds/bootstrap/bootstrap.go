// Package bootstrap writes the configuration with which an Envoy starts: who it is, where its control planes are, and
// the limits that protect it. Everything else comes over delta ADS.
package bootstrap

import (
	"bytes"
	"encoding/json"
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The defaults of Options.
const (
	DefaultAdmin          = "127.0.0.1:9901"
	DefaultMaxHeap        = 2 << 30
	DefaultMaxConnections = 50_000

	xdsCluster   = "xds"
	adminCluster = "admin"
)

// Options says what differs between Envoys. Zero values take the defaults.
type Options struct {
	NodeID  string // unique among all Envoys; required
	Gateway string // the role that it joins (node.cluster); required

	// ControlPlanes are host:port of every replica; at least one. Envoy talks to one of them and turns to another when
	// that one fails. Host names are looked up again and again.
	ControlPlanes []string
	TLS           *TLS // nil: in the clear, for loopback

	Admin string // host:port of loopback, or unix:PATH, since whoever reaches it can stop Envoy; default DefaultAdmin
	Ready string // host:port of /ready and /stats/prometheus, which overload does not close; empty: none

	// Region and Zone are where the Envoy runs, in the words of the endpoints' localities. With a zone, upstreams that
	// prefer the zone of the Envoy know which it is.
	Region, Zone string

	MaxHeap        uint64 // bytes; near it Envoy sheds load; default DefaultMaxHeap
	MaxConnections uint32 // of clients, over all listeners; default DefaultMaxConnections
}

// TLS is how Envoy and its control planes know each other. The certificate and its key are read again when something is
// renamed in the directory that holds them; the authority is read once, so a new one is put beside the old before the
// control planes' certificates change.
type TLS struct {
	CAFile, CertFile, KeyFile string
	ServerName                string // what the control plane's certificate must name; empty: any that the CA signed

	// SecretsFile is the path at which Secrets is to be written before Envoy starts.
	SecretsFile string
}

// Build makes the bootstrap. An error names the option that is wrong.
func Build(o Options) (*bootstrapv3.Bootstrap, error) {
	o = o.withDefaults()
	if o.NodeID == "" || o.Gateway == "" {
		return nil, fmt.Errorf("bootstrap: node id %q and gateway %q must both be set", o.NodeID, o.Gateway)
	}
	control, err := controlPlanes(o)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	admin, err := adminAddress(o.Admin)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: admin: %w", err)
	}
	overload, err := overloadManager(o)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	b := &bootstrapv3.Bootstrap{
		Node:             &corev3.Node{Id: o.NodeID, Cluster: o.Gateway},
		Admin:            &bootstrapv3.Admin{Address: admin},
		DynamicResources: dynamicResources(),
		StaticResources:  &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{control}},
		LayeredRuntime:   runtimeLayers(),
		OverloadManager:  overload,
	}
	if o.Ready != "" {
		l, err := readyListener(o)
		if err != nil {
			return nil, fmt.Errorf("bootstrap: ready: %w", err)
		}
		b.StaticResources.Listeners = []*listenerv3.Listener{l}
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, adminTarget(admin))
	}
	inZone(b, o)
	if err := b.ValidateAll(); err != nil {
		return nil, fmt.Errorf("bootstrap: envoy would refuse it: %w", err)
	}
	return b, nil
}

// JSON is Build's result as Envoy reads it, indented, the same bytes for equal options.
func JSON(o Options) ([]byte, error) {
	b, err := Build(o)
	if err != nil {
		return nil, err
	}
	return marshal(b)
}

// marshal writes JSON whose spaces do not vary.
func marshal(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: write as JSON: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return nil, fmt.Errorf("bootstrap: indent: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func (o Options) withDefaults() Options {
	if o.Admin == "" {
		o.Admin = DefaultAdmin
	}
	if o.MaxHeap == 0 {
		o.MaxHeap = DefaultMaxHeap
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	return o
}

// dynamicResources waits for ever for listeners and clusters: an Envoy that has none must not say that it is ready.
func dynamicResources() *bootstrapv3.Bootstrap_DynamicResources {
	ads := &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		InitialFetchTimeout:   durationpb.New(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		LdsConfig: ads,
		CdsConfig: ads,
		AdsConfig: &corev3.ApiConfigSource{
			ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
			TransportApiVersion:       corev3.ApiVersion_V3,
			SetNodeOnFirstMessageOnly: true,
			GrpcServices: []*corev3.GrpcService{{
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: xdsCluster}},
			}},
		},
	}
}

func pack(m proto.Message) (*anypb.Any, error) {
	out := &anypb.Any{}
	if err := anypb.MarshalFrom(out, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		return nil, fmt.Errorf("marshal %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return out, nil
}
