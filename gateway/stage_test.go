package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// stage is a world that a test changes step by step.
type stage struct {
	t *testing.T
	w *World
}

func newStage(t *testing.T) *stage { return &stage{t, New(&Rules{})} }

func (s *stage) apply(in Input) Change {
	next, change := Apply(s.w, in)
	s.w = next
	return change
}

// doc writes a document; its CreateIndex is the number.
func (s *stage) doc(name string, index uint64, lines ...string) {
	d := fakeDoc(name, index, lines...)
	d.Text = strings.Join(lines, "\n")
	s.apply(Input{Documents: map[string]*Document{name: d}})
}

func (s *stage) delete(names ...string) {
	in := Input{Documents: map[string]*Document{}}
	for _, n := range names {
		in.Documents[n] = nil
	}
	s.apply(in)
}

func (s *stage) breakDoc(name string, index uint64) {
	s.apply(Input{Documents: map[string]*Document{name: {Name: name, Index: index, Text: "{{{", Broken: true}}})
}

func (s *stage) value(key, raw string) {
	s.apply(Input{Leaves: map[ID]*string{{KindValue, key}: &raw}})
}

func (s *stage) noValue(key string) {
	s.apply(Input{Leaves: map[ID]*string{{KindValue, key}: nil}})
}

// ack accepts all that is in force.
func (s *stage) ack() {
	in := Input{Ledger: map[ID]*Form{}}
	for _, b := range s.w.Blocks() {
		if b.InForce != nil && b.State == StatePending {
			in.Ledger[b.ID] = b.InForce
		}
	}
	s.apply(in)
}

func (s *stage) refuse(address string) {
	said := "no such thing"
	s.apply(Input{Quarantine: map[FormRef]*string{{id(address), s.w.Block(id(address)).Newest.Hash}: &said}})
}

func id(address string) ID {
	kind, name, _ := strings.Cut(address, ".")
	return ID{kind, name}
}

// is checks a block's state, and the text that is in force, in part; "-" is nothing, an empty text anything.
func (s *stage) is(address string, state State, text string) {
	s.t.Helper()
	b := s.w.Block(id(address))
	if b == nil {
		if state != "" {
			s.t.Errorf("%s does not exist, want %s", address, state)
		}
		return
	}
	if b.State != state {
		s.t.Errorf("%s is %q, want %q: %v", address, b.State, state, b.Diags)
	}
	got := "-"
	if b.InForce != nil {
		got = b.InForce.Written.Document() + ": " + b.InForce.Written.Text()
	}
	if !strings.Contains(got, text) {
		s.t.Errorf("%s: in force is %q, want %q", address, got, text)
	}
}

// says checks that a block has a diagnostic with a text.
func (s *stage) says(address, text string) {
	s.t.Helper()
	if b := s.w.Block(id(address)); b == nil || !strings.Contains(b.Diags.Error(), text) {
		s.t.Errorf("%s does not say %q: %+v", address, text, b)
	}
}

// table checks what the table of a host on g.http does: ROUTE>UPSTREAM:WEIGHT in deciding order.
func (s *stage) table(host, want string) {
	s.t.Helper()
	s.tableOn("g.http", host, want)
}

func (s *stage) tableOn(listener, host, want string) {
	s.t.Helper()
	gw, l, _ := strings.Cut(listener, ".")
	var got []string
	for _, e := range s.w.Table(ListenerKey{gw, l}, host) {
		line := e.Route.Name
		if e.Variant != nil {
			line += "/" + e.Variant.Name
		}
		for _, d := range e.Destinations {
			line += fmt.Sprintf(">%s:%d", d.Upstream.Name, d.Weight)
		}
		got = append(got, line)
	}
	if have := strings.Join(got, " "); have != want {
		s.t.Errorf("table of %s on %s is %q, want %q", host, listener, have, want)
	}
}

const (
	aGateway  = "gateway.g listeners=http"
	anUp      = "upstream.u src=s"
	aRoute    = "route.r host=h;path=/a;up=u;weight=1"
	aNewRoute = "route.r host=h;path=/b;up=u;weight=2"
	aBadRoute = "route.r bad=1"
)
