package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/internal/testgrpc"
)

// liar lets a gRPC server's reflection misbehave. Its zero value is honest.
type liar struct{ mode atomic.Int32 }

const (
	honest = iota
	halfway
	lying
)

// option puts the liar between a server and its reflection.
func (l *liar) option() grpc.ServerOption {
	return grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if strings.Contains(info.FullMethod, "ServerReflection") {
			s = &lyingStream{ServerStream: s, liar: l}
		}
		return next(srv, s)
	})
}

type lyingStream struct {
	grpc.ServerStream
	liar *liar
}

// SendMsg lists services, and then breaks off, or describes them by what is no descriptor.
func (s *lyingStream) SendMsg(m any) error {
	a, ok := m.(*reflectionv1.ServerReflectionResponse)
	if described := ok && a.GetFileDescriptorResponse() != nil; described {
		switch s.liar.mode.Load() {
		case halfway:
			return status.Error(codes.Unavailable, "the stream breaks")
		case lying:
			a.GetFileDescriptorResponse().FileDescriptorProto = [][]byte{[]byte("no descriptor")}
		}
	}
	return s.ServerStream.SendMsg(m)
}

// functionWorld is what the fault tests of functions share: a stack, and services of every kind.
type functionWorld struct {
	*functionStack
	edge              *edge
	shops             map[string]*shop
	half, lies        liar
	first, second     string // addresses of the gRPC service with two instances
	link              *fault.Proxy
	throttled, denied *testenv.LambdaSimulator
	flows             flows
}

// faulty are the shops whose documents break, with what the status says of them, and how many functions are missed.
var faulty = map[string]struct {
	document http.HandlerFunc
	state    string
	held     int
	says     string
}{
	"missing": {noDocument, "failing", 0, "404"},
	"html":    {pageOfHTML, "failing", 0, "document"},
	"huge":    {fiftyMegabytes, "failing", 0, "larger than 16 MiB"},
	"loris":   {slowly, "failing", 0, "no whole answer within 10s"},
	"cut":     {brokenOff, "failing", 0, "unexpected EOF"},
	"emptied": {withoutPaths, "ok", 3, ""},
}

func grpcUpstream(name string, endpoints ...string) string {
	return fmt.Sprintf(`
upstream %q {
  static { endpoints = ["%s"] }
  grpc { interval = "5s" }
  retry {
    attempts = 3
    on       = ["connect-failure", "reset", "unavailable"]
  }
}
`, name, strings.Join(endpoints, `", "`))
}

func lambdaUpstream(name, endpoint string) string {
	return fmt.Sprintf(`
upstream %q {
  lambda {
    region      = "us-east-1"
    credentials = secret.keys
    endpoint    = %q
    interval    = "5s"
  }
}
`, name, endpoint)
}

// newFunctionWorld returns once an Envoy serves a route to a function of each service.
func newFunctionWorld(t *testing.T) *functionWorld {
	t.Helper()
	w := &functionWorld{functionStack: newFunctionStack(t, testenv.VaultOptions{}), shops: map[string]*shop{}}
	w.vault.PutKV("sluice/keys", map[string]any{"access_key": "AKIAFAULTS", "secret_key": "canary-faults"})
	var text strings.Builder
	for _, name := range []string{"missing", "html", "huge", "loris", "cut", "emptied", "changing", "features"} {
		w.shops[name] = startShop(t, name, pages())
		text.WriteString(w.shops[name].block(""))
		if name != "features" {
			text.WriteString(callRoute(name, name+".ping", ""))
		}
	}
	halfAddress := testgrpc.Start(t, testgrpc.Both, w.half.option())
	liesAddress := testgrpc.Start(t, testgrpc.Both, w.lies.option())
	w.link = fault.NewProxy(t, testgrpc.Start(t, testgrpc.Both))
	w.first, w.second = w.link.Address, testgrpc.Start(t, testgrpc.Both)
	text.WriteString(grpcUpstream("half", halfAddress) + grpcUpstream("lies", liesAddress) + grpcUpstream("restart", w.first, w.second))
	for _, name := range []string{"half", "lies", "restart"} {
		text.WriteString(callRoute(name, name+".GetUser", ""))
	}
	text.WriteString("secret \"keys\" {\n  vault_kv {\n    path     = \"sluice/keys\"\n    interval = \"1s\"\n  }\n}\n")
	for name, sim := range map[string]**testenv.LambdaSimulator{"throttled": &w.throttled, "denied": &w.denied} {
		*sim = testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
		(*sim).Put(testenv.SimulatedFunction{Name: "hello", Timeout: time.Second, Handler: hello})
		text.WriteString(lambdaUpstream(name, (*sim).Endpoint) + callRoute(name, name+".hello", ""))
	}
	text.WriteString(`
route "mixed" {
  hosts = ["mixed.example.com"]
  match { path = "/{id}" }
  to {
    function = function.throttled.hello
    weight   = 50
  }
  to {
    upstream = upstream.app
    weight   = 50
  }
}
`)
	w.put("functions.hcl", text.String())
	w.plane.start(t)
	w.edge = w.addEdge("edge")
	for name, shop := range w.shops {
		if name != "features" {
			w.edge.serves(t, name+".example.com", "/7", shop.name)
		}
	}
	for _, name := range []string{"half", "lies", "restart", "throttled", "denied", "mixed"} {
		w.edge.answers(t, name+".example.com", "/7", http.StatusOK)
	}
	return w
}

func hello(_ context.Context, event []byte) ([]byte, error) {
	return []byte(`{"statusCode": 200, "body": "hello"}`), nil
}

// TestFunctionsLastThroughBadInput breaks what functions are found by, in every way at once, while clients call them.
func TestFunctionsLastThroughBadInput(t *testing.T) {
	t.Parallel()
	w := newFunctionWorld(t)
	for name := range w.shops {
		if name != "features" && name != "changing" {
			w.flows = append(w.flows, w.edge.flow(t, name, "/7", 10, answersWith(`"/ping/7"`)))
		}
	}
	for _, name := range []string{"half", "lies", "restart"} {
		w.flows = append(w.flows, w.edge.flow(t, name, "/7", 10, answersWith(`"user 7 of "`)))
	}
	for _, name := range []string{"throttled", "denied"} {
		w.flows = append(w.flows, w.edge.flow(t, name, "/7", 10, answersWith("hello")))
	}
	w.flows = append(w.flows, w.edge.flow(t, "steady", "/", 20, answersWith(`"app"`)))
	w.flows.more(t, 10)
	t.Run("nothing is pushed for it", w.nothingIsPushed)
	w.mend()
	t.Run("a function vanishes and moves", w.vanishesAndMoves)
	t.Run("a misspelt argument", w.misspelt)
	w.flows.more(t, 20)
	w.flows.fine(t)
	t.Run("a Lambda fails", w.lambdaFails)
	t.Run("every feature works on a function", w.features)
	t.Run("what comes back is found", w.comesBack)
}

// nothingIsPushed breaks everything, waits until the status tells of each cause, and finds that no Envoy was told.
func (w *functionWorld) nothingIsPushed(t *testing.T) {
	before, asked := updates(t, w.edge), w.shops["features"].questions()
	for name, f := range faulty {
		w.shops[name].set(func() { w.shops[name].document = f.document })
	}
	w.half.mode.Store(halfway)
	w.lies.mode.Store(lying)
	w.link.Set(fault.Cut)
	w.throttled.Fail(testenv.LambdaFault{Operation: "ListFunctions", Status: 429, Code: "TooManyRequestsException"})
	w.denied.Fail(testenv.LambdaFault{Operation: "ListFunctions", Status: 403, Code: "AccessDeniedException"})
	for name, f := range faulty {
		w.plane.finder(t, name, f.state, f.held, f.says)
	}
	w.plane.finder(t, "half", "ok", 0, "the stream breaks", "its methods are those of an earlier answer")
	w.plane.finder(t, "lies", "ok", 0, "its methods are those of an earlier answer")
	w.plane.finder(t, "restart", "ok", 0) // the other instance is asked
	w.plane.finder(t, "throttled", "failing", 0, "TooManyRequests")
	w.plane.finder(t, "denied", "failing", 0, "lambda:ListFunctions")
	testenv.Eventually(t, time.Minute, func() error {
		if n := w.shops["features"].questions(); n < asked+3 {
			return fmt.Errorf("an unchanged document was asked for %d times", n-asked)
		}
		return nil
	})
	w.flows.more(t, 20)
	if now := updates(t, w.edge); now != before {
		t.Errorf("the Envoy was sent something, before\n%s and after\n%s", before, now)
	}
	for name := range faulty {
		w.plane.waitBlock(t, "route."+name, "accepted")
		w.plane.degraded(t, name, false)
	}
}

// mend takes back every fault. Finders that failed wait for a while before they ask again.
func (w *functionWorld) mend() {
	for name := range faulty {
		w.shops[name].set(func() { w.shops[name].document = nil })
	}
	w.half.mode.Store(honest)
	w.lies.mode.Store(honest)
	w.link.Set(fault.Pass)
	w.throttled.Mend()
	w.denied.Mend()
}

func (w *functionWorld) comesBack(t *testing.T) {
	for _, name := range []string{"missing", "html", "huge", "loris", "cut", "emptied", "half", "lies", "restart", "throttled", "denied"} {
		w.plane.finder(t, name, "ok", 0)
	}
}

// vanishesAndMoves takes one operation out of a document, puts it back, and then changes its path, all under load.
func (w *functionWorld) vanishesAndMoves(t *testing.T) {
	shop := w.shops["changing"]
	all := flows{w.edge.flow(t, "changing", "/7", 20, answersWith(`"changing"`))}
	shop.set(func() { delete(shop.paths, "ping") })
	w.plane.degraded(t, "changing", true)
	all.more(t, 20)
	w.edge.serves(t, "changing.example.com", "/7", "changing")
	shop.set(func() { shop.paths = pages() })
	w.plane.degraded(t, "changing", false)
	shop.set(func() { shop.paths["ping"] = "/v2/ping/{id}" })
	testenv.Eventually(t, time.Minute, func() error {
		shop.mu.Lock()
		defer shop.mu.Unlock()
		if last := shop.echoes[len(shop.echoes)-1]; last.Path != "/v2/ping/7" {
			return fmt.Errorf("it is still called at %s", last.Path)
		}
		return nil
	})
	all.more(t, 20)
	all.fine(t)
}

// misspelt puts a route whose argument the function does not have.
func (w *functionWorld) misspelt(t *testing.T) {
	good := callRoute("args", "changing.pong", "    args = { id = \"good\", limit = 3 }\n")
	w.put("args.hcl", good)
	w.edge.serves(t, "args.example.com", "/7", "changing")
	w.says(t, "args.hcl", "accepted (")
	all := flows{w.edge.flow(t, "args", "/7", 20, answersWith("/pong/good?limit=3"))}
	for _, c := range []struct{ args, says string }{
		{`id = "bad", limti = 3`, `Did you mean "limit"`},
		{`id = "bad", limit = "many"`, "limit"},
	} {
		w.put("args.hcl", strings.Replace(good, `id = "good", limit = 3`, c.args, 1))
		w.says(t, "args.hcl", "rejected", c.says, "its last good form stays in force")
		w.plane.waitBlock(t, "route.args", "rejected", c.says)
		all.more(t, 10)
	}
	w.put("args.hcl", good)
	w.says(t, "args.hcl", "accepted (")
	all.fine(t)
}
