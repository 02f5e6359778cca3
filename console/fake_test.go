package console_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// block is a written block whose value is known.
type block struct {
	id    gateway.ID
	doc   string
	line  int
	text  string
	value any
	refs  []gateway.Ref
	reads []gateway.ID
	diags hcl.Diagnostics
}

func (b *block) ID() gateway.ID                  { return b.id }
func (b *block) Document() string                { return b.doc }
func (b *block) Text() string                    { return b.text }
func (b *block) Range() hcl.Range                { return at(b.doc, b.line) }
func (b *block) Defaults() map[gateway.ID]string { return nil }

func (b *block) Eval(s gateway.Scope) (gateway.Value, hcl.Diagnostics) {
	for _, id := range b.reads {
		s.Get(id)
	}
	return gateway.Value{Instances: map[string]any{b.id.Name: b.value}, Refs: b.refs}, b.diags
}

func at(doc string, line int) hcl.Range {
	p := hcl.Pos{Line: line, Column: 1, Byte: 100 * line}
	return hcl.Range{Filename: doc, Start: p, End: hcl.Pos{Line: line, Column: 9, Byte: 100*line + 8}}
}

// spec is a source block.
type spec struct{ Service string }

func (s *spec) SourceKey() gateway.SourceKey {
	return gateway.SourceKey{Kind: "fake", Query: s.Service}
}

// limit is a feature.
type limit struct {
	gateway.FeatureBase
	Requests int          `hcl:"requests"`
	Key      gateway.Expr `hcl:"key,optional"`
}

func (*limit) FeatureType() string { return "limit" }

var testRules = &gateway.Rules{Features: []gateway.FeatureRule{{Type: "limit", Combine: gateway.Nearest, Levels: gateway.AllLevels}}}

const shopText = "route \"shop\" {\n  match { prefix = \"/api\" }\n}"

// shop is a route to two upstreams, 1 to 3.
func shop(doc string, second string) *block {
	ref := func(name string) gateway.Ref {
		return gateway.Ref{ID: gateway.ID{Kind: gateway.KindUpstream, Name: name}, Range: at(doc, 13)}
	}
	one, three, rewrite := 1, 3, "/v1"
	header := "red"
	r := &gateway.Route{
		Name: "shop", Hosts: []string{"shop.example.com"}, Range: at(doc, 10),
		Matches: []*gateway.Match{
			{Prefix: "/api", Range: at(doc, 11)},
			{Path: "/orders/{id}", Method: "GET", Headers: []*gateway.ValueMatch{{Name: "x-team", Exact: &header}}, Range: at(doc, 12)},
		},
		To: []*gateway.Destination{
			{Upstream: ref("old"), Weight: &one, PrefixRewrite: &rewrite, Range: at(doc, 13)},
			{Upstream: ref(second), Weight: &three, Range: at(doc, 14)},
		},
		Features: []gateway.Feature{&limit{FeatureBase: gateway.FeatureBase{Range: at(doc, 15)}, Requests: 7,
			Key: gateway.Expr{Op: gateway.OpRequest, Path: []string{"client_ip"}}}},
	}
	return &block{id: gateway.ID{Kind: gateway.KindRoute, Name: "shop"}, doc: doc, line: 10, text: shopText, value: r, refs: []gateway.Ref{ref("old"), ref(second)}}
}

func upstream(doc, name string, line int) *block {
	u := &gateway.Upstream{Name: name, Range: at(doc, line), Sources: []*gateway.Source{{Kind: "fake", Spec: &spec{name}, Range: at(doc, line)}}}
	return &block{id: gateway.ID{Kind: gateway.KindUpstream, Name: name}, doc: doc, line: line, text: "upstream \"" + name + "\" {\n}", value: u}
}

func edge(doc string) *block {
	g := &gateway.Gateway{Name: "edge", Range: at(doc, 1), Listeners: []*gateway.Listener{{Name: "http", Port: 8080, Range: at(doc, 2)}}}
	return &block{id: gateway.ID{Kind: gateway.KindGateway, Name: "edge"}, doc: doc, line: 1, text: "gateway \"edge\" {\n}", value: g}
}

func document(name string, blocks ...*block) *gateway.Document {
	d := &gateway.Document{Name: name, Index: 3, Modify: 5}
	var texts []string
	for _, b := range blocks {
		d.Blocks = append(d.Blocks, b)
		texts = append(texts, b.text)
	}
	d.Text = strings.Join(texts, "\n")
	return d
}

// world has a gateway, two upstreams and a route; endpoint 10.0.0.2:80 of "new" is critical.
func world() *gateway.World {
	const doc = "consul:shop.hcl"
	w, _ := gateway.Apply(gateway.New(testRules), gateway.Input{
		Documents: map[string]*gateway.Document{doc: document(doc, edge(doc), upstream(doc, "old", 4), upstream(doc, "new", 7), shop(doc, "new"))},
		Endpoints: map[gateway.SourceKey][]gateway.Endpoint{
			{Kind: "fake", Query: "old"}: {{ID: "a", Address: "10.0.0.1", Port: 80}},
			{Kind: "fake", Query: "new"}: {{ID: "b", Address: "10.0.0.2", Port: 80, Health: gateway.Critical}, {ID: "c", Address: "10.0.0.3", Port: 80, Weight: 5}},
		},
		Leaves:  map[gateway.ID]*string{},
		Settled: true,
	})
	return w
}

// fake is everything behind the API.
type fake struct {
	mu      sync.Mutex
	w       *gateway.World
	subs    map[chan struct{}]bool
	events  []console.Event
	waiting []string
	drained map[string]bool
	frozen  bool
	reason  string
	broken  bool // actions fail
}

func newFake() *fake {
	return &fake{w: world(), subs: map[chan struct{}]bool{}, drained: map[string]bool{}}
}

func (f *fake) World() *gateway.World { f.mu.Lock(); defer f.mu.Unlock(); return f.w }

func (f *fake) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs[c] = true
	return c, func() { f.mu.Lock(); defer f.mu.Unlock(); delete(f.subs, c) }
}

func (f *fake) say(e console.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
	for c := range f.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (f *fake) subscribers() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.subs) }

func (f *fake) Generation() console.Generation {
	return console.Generation{InForce: 1, Newest: 2, Replicas: []console.Replica{{Name: "vm-7", Version: "1.0", Newest: 1, InForce: 1}}}
}

func (f *fake) Gate() console.Gate {
	return console.Gate{Open: len(f.waiting) == 0, Waiting: f.waiting}
}
func (f *fake) Frozen() (bool, string) { return f.frozen, f.reason }
func (f *fake) Nodes() []console.Node {
	return []console.Node{{ID: "one", Gateway: "edge"}, {ID: "two", Gateway: "edge", InFlight: 1}, {ID: "three", Gateway: "edge", LastNack: "no"}}
}

func (f *fake) Sources() []console.Source {
	return []console.Source{{Kind: "fake", Query: "old", State: "ok", Age: 2}, {Kind: "fake", Query: "new", State: "failing", Age: 90, Error: "refused"}}
}
func (f *fake) Watches() []console.Watch { return nil }

func (f *fake) Finders() []console.Finder { return nil }

func (f *fake) Secrets() []console.Secret { return nil }

func (f *fake) Events(since uint64) (out []console.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e.ID > since {
			out = append(out, e)
		}
	}
	return out
}

func (f *fake) Drain(_ context.Context, address string, on bool) error {
	if f.broken {
		return errors.New("consul is away")
	}
	f.drained[address] = on
	return nil
}

func (f *fake) Freeze(_ context.Context, on bool, reason string) error {
	f.frozen, f.reason = on, reason
	return nil
}

// parse makes documents of three words: "good" routes to new, "bad" to nowhere, "none" is empty.
func parse(name, text string) *gateway.Document {
	switch text {
	case "good":
		b := shop(name, "old")
		b.text = "route \"shop\" { changed }"
		return document(name, edge(name), upstream(name, "old", 4), upstream(name, "new", 7), b)
	case "bad":
		b := shop(name, "nowhere")
		b.text = "route \"shop\" { to nowhere }"
		return document(name, edge(name), upstream(name, "old", 4), upstream(name, "new", 7), b)
	case "broken":
		return &gateway.Document{Name: name, Broken: true, Diags: hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid block definition"}}}
	}
	return document(name)
}

func (f *fake) server(change func(*console.Config)) *console.Server {
	cfg := console.Config{Version: "test", Origin: "consul", World: f, Facts: f, Actions: f, Parse: parse, Programs: program}
	if change != nil {
		change(&cfg)
	}
	return console.New(cfg)
}

// program is what a destination says by itself: no feature of these tests changes messages.
func program(e *gateway.TableRoute, d *gateway.TableDestination) (*gateway.Program, error) {
	return &gateway.Program{Path: e.Match.Path, Call: d.Call}, nil
}
