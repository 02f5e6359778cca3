package control

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixedSpec is a source whose endpoints the test gives to the loop itself.
type fixedSpec struct {
	Name  string      `hcl:"name"`
	Range hclv2.Range `hcl:",def_range"`
}

func (s *fixedSpec) SourceKey() gateway.SourceKey {
	return gateway.SourceKey{Kind: "fixed", Query: s.Name}
}

func testSchema() *hcl.Schema {
	return hcl.NewSchema(nil, []hcl.SourceType{{Name: "fixed", New: func() gateway.SourceSpec { return &fixedSpec{} }}})
}

// rig is a running loop with its store.
type rig struct {
	*Loop
	t      *testing.T
	schema *hcl.Schema
	store  *store.Store
	gate   *fakeGate
	rec    *fakeRecorder
	stop   func()
}

type fakeGate struct {
	open    atomic.Bool
	refused atomic.Int64
}

func (g *fakeGate) Open()                     { g.open.Store(true) }
func (g *fakeGate) RefuseResumed(t time.Time) { g.refused.Store(t.Unix()) }

type fakeRecorder struct {
	mu       sync.Mutex
	desired  catalog.Desired
	convicts map[gateway.FormRef]string
}

func (r *fakeRecorder) Set(d catalog.Desired) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.desired = d
}

func (r *fakeRecorder) PutQuarantine(_ context.Context, ref gateway.FormRef, words string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.convicts[ref] = words
	return nil
}

func (r *fakeRecorder) last() catalog.Desired {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.desired
}

func newRig(t *testing.T, adjust func(*Config)) *rig {
	t.Helper()
	tr, err := translate.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, schema: testSchema(), store: store.New(), gate: &fakeGate{}, rec: &fakeRecorder{convicts: map[gateway.FormRef]string{}}}
	cfg := Config{Schema: r.schema, Translator: tr, Store: r.store, Gate: r.gate, Recorder: r.rec}
	if adjust != nil {
		adjust(&cfg)
	}
	if r.Loop, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

// put gives the loop a document; an empty text deletes it.
func (r *rig) put(name, text string) {
	r.Documents(map[string]*gateway.Document{name: r.parse(name, text)})
}

func (r *rig) parse(name, text string) *gateway.Document {
	if text == "" {
		return nil
	}
	return hcl.Parse(hcl.Origin{Name: name, File: !strings.HasPrefix(name, "consul:")}, []byte(text), r.schema)
}

// endpoints gives every source of the world one endpoint.
func (r *rig) endpoints(names ...string) {
	in := map[gateway.SourceKey][]gateway.Endpoint{}
	for _, n := range names {
		in[gateway.SourceKey{Kind: "fixed", Query: n}] = []gateway.Endpoint{{ID: n, Address: "127.0.0.1", Port: 8080}}
	}
	r.Endpoints(in)
}

// eventually waits for a condition after changes.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	changed, cancel := r.Subscribe()
	defer cancel()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-changed:
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("not %s; blocks: %s", what, r.blocks())
		}
	}
}

func (r *rig) blocks() string {
	var out []string
	for _, b := range r.World().Blocks() {
		out = append(out, b.ID.String()+"="+string(b.State)+" "+b.Diags.Error())
	}
	return strings.Join(out, "\n")
}

func (r *rig) state(kind, name string) gateway.State {
	if b := r.World().Block(gateway.ID{Kind: kind, Name: name}); b != nil {
		return b.State
	}
	return ""
}

// content is every resource's key and version: what an Envoy would have.
func (r *rig) content() (out []string) {
	for _, res := range r.store.List("") {
		out = append(out, res.Key.Type+" "+res.Key.Name+" "+res.Version)
	}
	return out
}

// fakeEnvoy acknowledges what the store holds for a gateway, and refuses what the test says.
type fakeEnvoy struct {
	node   server.Node
	refuse func(*store.Resource) bool
	done   chan struct{}
}

func (r *rig) envoy(id uint64, gw string, refuse func(*store.Resource) bool) {
	e := &fakeEnvoy{node: server.Node{Stream: id, ID: "n", Gateway: gw}, refuse: refuse, done: make(chan struct{})}
	w := r.store.Watch(gw)
	ctx, cancel := context.WithCancel(r.t.Context())
	r.Connected(e.node)
	go func() {
		defer close(e.done)
		defer w.Close()
		have := map[store.Key]string{}
		for {
			for _, res := range r.store.List(gw) {
				if have[res.Key] == res.Version {
					continue
				}
				v := []server.Versioned{{Key: res.Key, Version: res.Version}}
				have[res.Key] = res.Version
				if e.refuse != nil && e.refuse(res) {
					r.Nacked(e.node, v, "cannot take that")
				} else {
					r.Acked(e.node, v)
				}
			}
			select {
			case <-w.C():
			case <-ctx.Done():
				return
			}
		}
	}()
	r.t.Cleanup(func() { cancel(); <-e.done })
}

func sameStrings(a, b []string) bool { return slices.Equal(a, b) }
