package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/gateway"
)

// facts tells the API what the parts of a plane know beside the world.
type facts struct {
	plane *plane

	mu     sync.Mutex
	frozen bool
	reason string

	replicas map[string]catalog.Replica // that are alive, by the names of their keys
	first    map[string]bool            // documents that the loop was given and not told to drop, until the endpoints have answered
}

var _ console.Facts = (*facts)(nil)

func (f *facts) setFrozen(frozen bool, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case frozen && !f.frozen:
		f.plane.cfg.log.Info("changes are frozen", "reason", reason)
	case !frozen && f.frozen:
		f.plane.cfg.log.Info("changes are accepted again")
	}
	f.frozen, f.reason = frozen, reason
}

// noteDocuments remembers what the loop was given.
func (f *facts) noteDocuments(docs map[string]*gateway.Document) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		f.first = map[string]bool{}
	}
	for name, d := range docs {
		if d == nil {
			delete(f.first, name)
		} else {
			f.first[name] = true
		}
	}
}

func (f *facts) firstDocuments() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.first))
}

// Frozen implements console.Facts.
func (f *facts) Frozen() (bool, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.frozen, f.reason
}

// Gate implements console.Facts.
func (f *facts) Gate() console.Gate {
	return console.Gate{Open: f.plane.xds.IsOpen(), Waiting: f.plane.inputs.names()}
}

// Nodes implements console.Facts.
func (f *facts) Nodes() []console.Node {
	out := []console.Node{}
	for _, n := range f.plane.xds.Nodes() {
		j := console.Node{
			ID: n.ID, Gateway: n.Gateway, Version: n.Version, Address: n.Address, Since: n.Since, Unknown: n.Unknown, Lacks: n.Lacks,
			Types: map[string]console.NodeType{},
		}
		var last time.Time
		for url, c := range n.Types {
			short := url[strings.LastIndexByte(url, '.')+1:]
			j.Types[short] = console.NodeType{Sent: c.Sent, Acked: c.Acked, Nacked: c.Nacked}
			j.InFlight += c.InFlight
			j.Waiting += c.Waiting
			if c.LastNack != "" && c.LastNackAt.After(c.LastAck) && c.LastNackAt.After(last) {
				last = c.LastNackAt
				j.LastNack, j.NackedAt = c.LastNack, &last
			}
		}
		out = append(out, j)
	}
	return out
}

// Sources implements console.Facts.
func (f *facts) Sources() []console.Source {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	status, err := f.plane.manager.Snapshot(ctx)
	if err != nil {
		return nil
	}
	now := time.Now()
	out := make([]console.Source, 0, len(status.Sources))
	for _, s := range status.Sources {
		j := console.Source{
			Kind: s.Key.Kind, Query: s.Key.Query, State: s.State.String(), Since: s.Since, Endpoints: s.Endpoints, Held: s.Held,
			Stale: s.Stale, Answered: s.Answered, Restarts: s.Restarts,
		}
		j.Contact, j.Age = console.Contact(s.Contact, now)
		if s.Err != nil {
			j.Error = s.Err.Error()
		}
		out = append(out, j)
	}
	return out
}

// Watches implements console.Facts.
func (f *facts) Watches() []console.Watch {
	now := time.Now()
	out := []console.Watch{}
	for _, c := range f.plane.cfg.platforms.consuls {
		for _, s := range c.Statuses() {
			j := console.Watch{
				Connection: c.Name, Name: s.Name, State: string(s.State), Rows: s.Rows, Held: s.Held, Detail: s.Detail, Faults: s.Faults,
			}
			j.Contact, j.Age = console.Contact(s.LastContact, now)
			if s.Err != nil {
				j.Error = s.Err.Error()
			}
			if n := len(out); n > 0 && out[n-1].Connection == j.Connection && out[n-1].Name == j.Name {
				if j.Age > out[n-1].Age { // documents and values both watch the hold
					out[n-1] = j
				}
				continue
			}
			out = append(out, j)
		}
	}
	return out
}

// Events implements console.Facts.
func (f *facts) Events(since uint64) []console.Event {
	list := f.plane.loop.Events(since)
	out := make([]console.Event, 0, len(list))
	for _, e := range list {
		out = append(out, console.Event{ID: e.Seq, Time: e.Time, Kind: e.Kind, Block: e.Block, Node: e.Node, Text: e.Text})
	}
	return out
}

// actions are what an operator may do: through Consul for all replicas where it has the documents, else here.
func (p *plane) actions() console.Actions {
	if p.cfg.kv != nil {
		return kvActions{p.cfg.kv}
	}
	return localActions{p}
}

type kvActions struct{ kv *catalog.Client }

// Drain implements console.Actions.
func (k kvActions) Drain(ctx context.Context, address string, on bool) error {
	if on {
		return k.kv.SetDrain(ctx, address, "drained by an operator")
	}
	return k.kv.ClearDrain(ctx, address)
}

// Freeze implements console.Actions.
func (k kvActions) Freeze(ctx context.Context, on bool, reason string) error {
	if on {
		return k.kv.SetFreeze(ctx, reason)
	}
	return k.kv.ClearFreeze(ctx)
}

type localActions struct{ p *plane }

// Drain implements console.Actions.
func (l localActions) Drain(_ context.Context, address string, on bool) error {
	l.p.loop.Drain(address, on)
	return nil
}

// Freeze implements console.Actions.
func (l localActions) Freeze(_ context.Context, on bool, reason string) error {
	l.p.facts.setFrozen(on, reason)
	l.p.loop.Freeze(on)
	return nil
}

var _ control.Sources = (*wanted)(nil)
