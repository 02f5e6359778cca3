package ratelimit

import (
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rlsconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/ratelimit"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const (
	place = "sluice.rate_limit" // where a route's limits stand

	controlPlanes = "xds" // the cluster of every Envoy's bootstrap
	domain        = "sluice"
	patience      = 50 * time.Millisecond
)

func route(features []gateway.Effective, out *translate.Route) error {
	var links []translate.Link
	for i, f := range features {
		links = append(links, translate.Link{Name: place + "." + strconv.Itoa(i), Config: filter(f)})
	}
	return out.Chain(place, links...)
}

// filter asks about one limit. Its counters belong to the block that holds the limit, whoever uses that.
func filter(f gateway.Effective) *ratelimitv3.RateLimit {
	l := f.Feature.(*RateLimit)
	rate := ratelimit.Rate(ratelimit.Limit{Requests: uint64(l.Requests), Per: l.Per}, l.Shadow)
	actions := []*routev3.RateLimit_Action{
		fixed(ratelimit.EntryName, l.Name+"@"+f.From.String()), fixed(ratelimit.EntryRate, rate),
	}
	for i, k := range l.keys() {
		actions = append(actions, action(k, "key"+strconv.Itoa(i)))
	}
	return &ratelimitv3.RateLimit{
		Domain: domain, StatPrefix: "rate_limit", Timeout: durationpb.New(patience),
		FailureModeDeny:                l.WithoutService == serviceDeny,
		StatusOnError:                  &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		RateLimitedStatus:              &typev3.HttpStatus{Code: typev3.StatusCode(l.Status)},
		RateLimitedAsResourceExhausted: true,
		RateLimits:                     []*routev3.RateLimit{{Actions: actions}},
		RateLimitService: &rlsconfigv3.RateLimitServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: controlPlanes},
			}},
		},
	}
}

// isStatus says that Envoy knows a status.
func isStatus(code int) bool { return typev3.StatusCode_name[int32(code)] != "" }

func fixed(key, value string) *routev3.RateLimit_Action {
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_GenericKey_{
		GenericKey: &routev3.RateLimit_Action_GenericKey{DescriptorKey: key, DescriptorValue: value},
	}}
}

// action reads a part of a key; nil: Envoy cannot. What a request does not have is left out of the key, so that all
// requests without it share one counter, and none goes uncounted.
func action(e gateway.Expr, key string) *routev3.RateLimit_Action {
	if e.Op != gateway.OpRequest {
		return nil
	}
	switch path := strings.Join(e.Path[:min(2, len(e.Path))], "."); {
	case path == "client_ip":
		return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RemoteAddress_{
			RemoteAddress: &routev3.RateLimit_Action_RemoteAddress{},
		}}
	case path == "method", path == "host":
		return header(map[string]string{"method": ":method", "host": ":authority"}[path], key)
	case len(e.Path) == 2 && e.Path[0] == "headers":
		return header(strings.ToLower(e.Path[1]), key)
	case len(e.Path) == 2 && path == "auth.client":
		return header(translate.ClientHeader, key)
	case len(e.Path) == 2 && path == "auth.subject":
		return claim(key, "sub")
	case len(e.Path) > 2 && path == "auth.claims":
		return claim(key, e.Path[2:]...)
	}
	return nil
}

func header(name, key string) *routev3.RateLimit_Action {
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{
		RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{HeaderName: name, DescriptorKey: key, SkipIfAbsent: true},
	}}
}

func claim(key string, path ...string) *routev3.RateLimit_Action {
	at := &metadatav3.MetadataKey{Key: "envoy.filters.http.jwt_authn"}
	for _, name := range append([]string{"claims"}, path...) {
		at.Path = append(at.Path, &metadatav3.MetadataKey_PathSegment{Segment: &metadatav3.MetadataKey_PathSegment_Key{Key: name}})
	}
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_Metadata{
		Metadata: &routev3.RateLimit_Action_MetaData{DescriptorKey: key, MetadataKey: at, SkipIfAbsent: true},
	}}
}
