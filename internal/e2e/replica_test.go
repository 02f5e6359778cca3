package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/feature"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// replica is a control plane inside the test, fed with documents by hand: files and static endpoints alone.
type replica struct {
	*control.Loop
	t      *testing.T
	schema *hcl.Schema
	addr   string // of its xDS port
}

func startReplica(t *testing.T, log hclog.Logger) *replica {
	t.Helper()
	kinds := []discovery.Kind{static.Kind()}
	var features []hcl.FeatureType
	for _, k := range feature.All() {
		features = append(features, hcl.FeatureType{FeatureRule: k.FeatureRule, New: k.New})
	}
	r := &replica{t: t, schema: hcl.NewSchema(features, []hcl.SourceType{{Name: "static", New: kinds[0].New}})}
	tr, err := translate.New(feature.All())
	must(t, err)
	st := store.New()
	var loop *control.Loop
	manager := discovery.New(discovery.Options{Kinds: kinds, Publish: func(m map[gateway.SourceKey][]gateway.Endpoint) { loop.Endpoints(m) }})
	observer := &lateObserver{}
	xds, err := server.New(st, server.Options{Observer: observer, Logger: log})
	must(t, err)
	loop, err = control.New(control.Config{Schema: r.schema, Translator: tr, Store: st, Sources: manager, Gate: xds, Log: log})
	must(t, err)
	observer.Observer, r.Loop = loop, loop
	g, err := server.NewGRPC(server.Options{})
	must(t, err)
	xds.Register(g)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = loop.Run(ctx) })
	tasks.Go(func() { _ = manager.Run(ctx) })
	tasks.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() { g.Stop(); cancel(); tasks.Wait() })
	return r
}

// lateObserver stands for the loop until it exists.
type lateObserver struct{ server.Observer }

func (r *replica) put(name, text string) {
	doc := hcl.Parse(hcl.Origin{Name: name, File: true}, []byte(text), r.schema)
	r.Documents(map[string]*gateway.Document{name: doc})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get asks the edge for a path of a host and returns status and body.
func get(addr, host, path string) (int, string) {
	req, _ := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body := new(strings.Builder)
	_, _ = fmt.Fprint(body, resp.Header.Get("x-upstream"))
	return resp.StatusCode, body.String()
}

func awaitStatus(t *testing.T, addr, host, path string, want int) time.Duration {
	t.Helper()
	start := time.Now()
	testenv.Eventually(t, 15*time.Second, func() error {
		if got, said := get(addr, host, path); got != want {
			return fmt.Errorf("%s%s: status %d (%s), want %d", host, path, got, said, want)
		}
		return nil
	})
	return time.Since(start)
}
