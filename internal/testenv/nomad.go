package testenv

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// NomadOptions say what kind of Nomad a test wants. The zero value is one region without ACLs.
type NomadOptions struct {
	ACL       bool          // default deny; Token is a management token
	TLS       bool          // HTTPS, with certificates of clients demanded; see Dir
	Socket    bool          // a Unix socket, as the task API is one
	Regions   []string      // default: global
	Buffer    int           // events that a new subscriber can still have; default 100, as Nomad's
	Heartbeat time.Duration // of event streams; default 30 s, as Nomad's
}

// Nomad is a simulated Nomad: its services, event stream, checks and ACLs, as far as their API shows them. It can fail
// in every way that is known of the real one. All methods are safe for concurrent use.
type Nomad struct {
	Addr  string // URL, or unix:///PATH
	Token string // of an operator, with NomadOptions.ACL
	Dir   string // with NomadOptions.TLS: ca.pem, client.pem, client-key.pem

	opts   NomadOptions
	server *httptest.Server
	ended  chan struct{}

	mu         sync.Mutex
	changed    chan struct{} // closed at every change, and made anew
	index      uint64        // of the service table
	services   map[space]map[string]*api.ServiceRegistration
	touched    map[string]uint64 // last index that changed a namespace, or a name of one
	namespaces []string
	checks     map[string]api.AllocCheckStatuses // by allocation
	events     []nomadEvent
	first      int // position of events[0] since the start
	swallow    int
	twice      bool
	mute       bool
	cut        int // generation of streams; older ones end
	cutQueries int // and of queries that wait
	tokens     map[string]*nomadToken
	policies   map[string]nomadPolicy
	faults     []NomadFault
	calls      map[string]int
	open       int // connections
}

// space is one namespace of one region.
type space struct{ region, namespace string }

type nomadEvent struct {
	index uint64
	space space
	line  []byte
}

// StartNomad starts a simulated Nomad on a port of its own; it ends with the test.
func StartNomad(t testing.TB, options ...NomadOptions) *Nomad {
	t.Helper()
	n := &Nomad{
		ended: make(chan struct{}), changed: make(chan struct{}), index: 10, services: map[space]map[string]*api.ServiceRegistration{},
		touched: map[string]uint64{}, namespaces: []string{"default"}, checks: map[string]api.AllocCheckStatuses{},
		tokens: map[string]*nomadToken{}, policies: map[string]nomadPolicy{}, calls: map[string]int{},
	}
	if len(options) > 0 {
		n.opts = options[0]
	}
	if len(n.opts.Regions) == 0 {
		n.opts.Regions = []string{"global"}
	}
	if n.opts.Buffer == 0 {
		n.opts.Buffer = 100
	}
	if n.opts.Heartbeat == 0 {
		n.opts.Heartbeat = 30 * time.Second
	}
	if n.opts.ACL {
		n.Token = "7d3ff5f0-5d0c-4e4d-8f5b-6f4f7e4fd0a1"
		n.tokens[n.Token] = &nomadToken{ACLToken: api.ACLToken{AccessorID: "bootstrap", Name: "operator", Type: "management"}}
	}
	n.listen(t)
	t.Cleanup(func() {
		close(n.ended)
		n.server.CloseClientConnections()
		n.server.Close()
	})
	return n
}

func (n *Nomad) listen(t testing.TB) {
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	n.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		n.mu.Lock()
		defer n.mu.Unlock()
		switch s {
		case http.StateNew:
			n.open++
		case http.StateClosed, http.StateHijacked:
			n.open--
		}
	}
	switch {
	case n.opts.Socket:
		path := filepath.Join(t.TempDir(), "api.sock")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatalf("listen on a socket: %v", err)
		}
		n.server.Listener.Close()
		n.server.Listener = l
		n.server.Start()
		n.Addr = "unix://" + path
	case n.opts.TLS:
		n.Dir = t.TempDir()
		WriteCertificates(t, n.Dir)
		n.server.TLS = mutualTLS(t, n.Dir)
		n.server.StartTLS()
		n.Addr = n.server.URL
	default:
		n.server.Start()
		n.Addr = n.server.URL
	}
}

// Service is a registration as Nomad makes one: of an allocation of its own, on node n1 of datacenter dc1.
func (*Nomad) Service(name, id, address string, port int, tags ...string) *api.ServiceRegistration {
	return &api.ServiceRegistration{
		ID: "_nomad-task-" + id + "-" + name, ServiceName: name, Namespace: "default", NodeID: "n1", Datacenter: "dc1",
		JobID: name, AllocID: id, Tags: tags, Address: address, Port: port,
	}
}

// Register puts registrations in, or changes them, in one transaction of the first region.
func (n *Nomad) Register(list ...*api.ServiceRegistration) { n.RegisterIn(n.opts.Regions[0], list...) }

// RegisterIn is Register for a region.
func (n *Nomad) RegisterIn(region string, list ...*api.ServiceRegistration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.index++
	told := map[space][]map[string]any{}
	for _, r := range list {
		r := *r
		at := space{region, r.Namespace}
		if n.services[at] == nil {
			n.services[at] = map[string]*api.ServiceRegistration{}
		}
		r.CreateIndex, r.ModifyIndex = n.index, n.index
		if old := n.services[at][r.ID]; old != nil {
			r.CreateIndex = old.CreateIndex
		}
		n.services[at][r.ID] = &r
		n.touch(at, r.ServiceName)
		told[at] = append(told[at], n.event("ServiceRegistration", &r))
	}
	for at, events := range told {
		n.publish(at, events)
	}
	n.wake()
}

// Deregister takes registrations of the first region out, by ID, in one transaction.
func (n *Nomad) Deregister(namespace string, ids ...string) {
	n.deregister("ServiceDeregistration", namespace, ids)
}

// Lose takes registrations out as Nomad does for an allocation that has ended: by an event of another type.
func (n *Nomad) Lose(namespace string, ids ...string) {
	n.deregister("AllocationUpdated", namespace, ids)
}

func (n *Nomad) deregister(kind, namespace string, ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := space{n.opts.Regions[0], namespace}
	n.index++
	var events []map[string]any
	for _, id := range ids {
		if r := n.services[at][id]; r != nil {
			delete(n.services[at], id)
			n.touch(at, r.ServiceName)
			events = append(events, n.event(kind, r))
		}
	}
	if len(events) > 0 {
		n.publish(at, events)
	}
	n.wake()
}

func (n *Nomad) touch(at space, name string) {
	n.touched[at.region+"/"+at.namespace] = n.index
	n.touched[at.region+"/"+at.namespace+"/"+name] = n.index
}

func (n *Nomad) event(kind string, r *api.ServiceRegistration) map[string]any {
	return map[string]any{
		"Topic": "Service", "Type": kind, "Key": r.ID, "Namespace": r.Namespace, "FilterKeys": []string{r.JobID, r.ServiceName},
		"Index": n.index, "Payload": map[string]any{"Service": r},
	}
}

// publish appends the events of one transaction to the log, unless they are to be swallowed; n.mu is held.
func (n *Nomad) publish(at space, events []map[string]any) {
	if n.swallow > 0 {
		n.swallow--
		return
	}
	line, err := json.Marshal(map[string]any{"Index": n.index, "Events": events})
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	for range 1 + map[bool]int{true: 1}[n.twice] {
		n.events = append(n.events, nomadEvent{n.index, at, append(line, '\n')})
	}
	if keep := 4 * n.opts.Buffer; len(n.events) > 2*keep {
		n.first += len(n.events) - keep
		n.events = slices.Clone(n.events[len(n.events)-keep:])
	}
}

// wake tells everyone who waits; n.mu is held.
func (n *Nomad) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// SetChecks says what the checks of an allocation say: one check of the service for each status. None: no checks.
func (n *Nomad) SetChecks(alloc, service string, statuses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := api.AllocCheckStatuses{}
	for i, s := range statuses {
		id := fmt.Sprintf("%s-%d", alloc, i)
		all[id] = api.AllocCheckStatus{ID: id, Check: "check", Group: "g", Mode: "healthiness", Service: service, Status: s}
	}
	n.checks[alloc] = all
}

// AddNamespace makes a namespace.
func (n *Nomad) AddNamespace(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.namespaces = append(n.namespaces, name)
}

// Restore puts an older index in force, as a restored snapshot does, and keeps of the services those that keep says.
func (n *Nomad) Restore(index uint64, keep func(*api.ServiceRegistration) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.index = index
	for at, list := range n.services {
		for id, r := range list {
			if !keep(r) {
				delete(list, id)
			}
		}
		n.touched[at.region+"/"+at.namespace] = index
	}
	n.events, n.first = nil, n.first+len(n.events)
	n.wake()
}

// Index is that of the service table.
func (n *Nomad) Index() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.index
}

// Calls is how many requests were made, by the beginning of their path: "/v1/services".
func (n *Nomad) Calls(prefix string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := 0
	for path, count := range n.calls {
		if strings.HasPrefix(path, prefix) {
			sum += count
		}
	}
	return sum
}

// Connections is how many are open now.
func (n *Nomad) Connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open
}
