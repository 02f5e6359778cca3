package translate_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// A method is shown as the POST of a message in JSON, whether Envoy transcodes by a rule or by the script.
func TestTheProgramOfAMethodPostsAMessage(t *testing.T) {
	tr, err := translate.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	method := foundMethod(t, testgrpc.Start(t, testgrpc.Both), "GetUser")
	entry := &gateway.TableRoute{Route: &gateway.Route{Name: "user"}, Match: &gateway.Match{Method: "GET", Path: "/users/{id}"}}
	d := &gateway.TableDestination{Call: &gateway.Call{GRPC: &gateway.GRPCCall{Method: method, Fields: map[string]string{"id": "id"}}}}
	p, err := tr.ProgramOf(entry, d)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := p.Send(gateway.RawRequest{Method: "GET", Host: "a", Target: "/users/7", Headers: http.Header{}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST", "/" + method.Service + "/" + method.Method, `{"id":"7"}`}, []string{sent.Method, sent.Target, string(sent.Body)}); diff != "" {
		t.Error(diff)
	}
	if d.Call.GRPC == nil {
		t.Error("the call itself was changed")
	}
}
