// Package http2 is the feature "http2": the upstream speaks HTTP/2.
package http2

import (
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// HTTP2 makes an upstream speak HTTP/2, over TLS or in the clear with prior knowledge (RFC 9113, section 3.3).
type HTTP2 struct {
	gateway.FeatureBase
	Streams   int        `hcl:"streams,optional" default:"100" min:"1" max:"100000"` // at a time on one connection
	Keepalive *Keepalive `hcl:"keepalive,block"`
}

// Keepalive asks whether a connection is still alive by a PING after Interval, and closes it when no answer came within Timeout.
type Keepalive struct {
	Interval time.Duration `hcl:"interval,optional" default:"30s" min:"1s" max:"1h"`
	Timeout  time.Duration `hcl:"timeout,optional" default:"5s" min:"10ms" max:"10m"`
}

var (
	_ gateway.Feature = (*HTTP2)(nil)
	_ gateway.Checker = (*Keepalive)(nil)
)

// FeatureType is the block's name.
func (*HTTP2) FeatureType() string { return "http2" }

// Check refuses an answer that may come after the next question.
func (k *Keepalive) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	if k.Timeout < k.Interval {
		return nil
	}
	at := ranges[""]
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Invalid keepalive", Subject: &at,
		Detail: fmt.Sprintf("An answer is waited for %s, and the next question follows after %s. Make timeout shorter than interval.", k.Timeout, k.Interval),
	}}
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "http2", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &HTTP2{} },
		Cluster:     cluster,
	}
}

func cluster(features []gateway.Effective, out *translate.Cluster) error {
	h := features[len(features)-1].Feature.(*HTTP2)
	options := translate.HTTP2Options()
	options.MaxConcurrentStreams = wrapperspb.UInt32(uint32(h.Streams))
	if k := h.Keepalive; k != nil {
		options.ConnectionKeepalive = &corev3.KeepaliveSettings{Interval: durationpb.New(k.Interval), Timeout: durationpb.New(k.Timeout)}
	}
	out.HTTP.UpstreamProtocolOptions = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: options},
		},
	}
	return nil
}
