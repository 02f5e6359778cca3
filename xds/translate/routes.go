package translate

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxRespondBody bounds the body of a direct response, in bytes: what one Consul value can hold.
const maxRespondBody = 512 << 10

// routes builds the RouteConfiguration of a listener. It says only that virtual hosts come by VHDS, so it never
// changes with a route. Ports in Host headers are ignored for matching and left as they are for the upstream.
func routes(in gateway.Inputs) (*Resource, error) {
	if in.Gateway == nil || in.Listener == nil {
		return nil, nil
	}
	name := gateway.ListenerKey{Gateway: in.Gateway.Name, Listener: in.Listener.Name}.String()
	table := tableOf(name)
	if redirectHTTPS(table, in.Listener) {
		return &Resource{Key: Key{TypeURL: RoutesType, Name: name}, Message: table}, nil
	}
	offerHTTP3(table, in.Listener)
	table.Vhds = &routev3.Vhds{ConfigSource: ads(0)}
	return &Resource{Key: Key{TypeURL: RoutesType, Name: name}, Message: table}, nil
}

// tableOf is a table without hosts: what holds for all of them.
func tableOf(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: name, IgnorePortInHostMatching: true, MaxDirectResponseBodySizeBytes: u32(maxRespondBody),
		RequestHeadersToRemove: []string{ClientHeader},
	}
}
