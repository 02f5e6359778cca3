package translate_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// BenchmarkGRPCCall is the cost of one call, made for the first time and again.
func BenchmarkGRPCCall(b *testing.B) {
	m := foundMethod(b, testgrpc.Start(b, testgrpc.Both), "GetUser")
	match := &gateway.Match{Path: "/users/{id}", Method: "GET"}
	used, err := translate.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, tr := range map[string]*translate.Translator{"first": {}, "again": used} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p := &gateway.Program{Call: &gateway.Call{GRPC: &gateway.GRPCCall{Method: m, Fields: map[string]string{"id": "id"}}}}
				if _, _, err := translate.GRPCRoute(tr, match, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
