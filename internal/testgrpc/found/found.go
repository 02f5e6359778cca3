// Package found is what reflection finds of the test service.
package found

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/sluice-gateway/sluice/discovery"
	reflection "github.com/sluice-gateway/sluice/discovery/grpc"
	"github.com/sluice-gateway/sluice/gateway"
)

// Functions asks the server at an address for its methods, by short name.
func Functions(t testing.TB, address string) map[string]*gateway.Function {
	t.Helper()
	f := reflection.New(gateway.GRPC{}, discovery.Surroundings{Endpoints: func() []gateway.Endpoint {
		return []gateway.Endpoint{Endpoint(t, address)}
	}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := map[string]*gateway.Function{}
	err := f.Run(ctx, func(all []*gateway.Function) {
		for _, fn := range all {
			out[fn.Short] = fn
		}
		stop()
	}, func() {})
	if len(out) == 0 {
		t.Fatalf("no functions are found at %s: %v", address, err)
	}
	return out
}

// Endpoint is an address as a source lists it.
func Endpoint(t testing.TB, address string) gateway.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Endpoint{ID: address, Address: host, Port: uint16(n)}
}
