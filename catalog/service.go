package catalog

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// ServiceSpec is the consul source of an upstream: the instances of one service.
//
//sluice:block consul
type ServiceSpec struct {
	Service     string   `hcl:"service"`
	Tags        []string `hcl:"tags,optional"`         // an instance has all of them
	PassingOnly bool     `hcl:"passing_only,optional"` // an instance in state warning takes no traffic; default: at its warning weight
	Datacenter  string   `hcl:"datacenter,optional"`   // default: the agent's
	Failover    []string `hcl:"failover,optional"`     // further datacenters, in order: each has the next priority
	Connect     bool     `hcl:"connect,optional"`      // the service in the mesh: over mutual TLS with its proxies, or with itself where it is native
	Namespace   string   `hcl:"namespace,optional"`    // Consul Enterprise
	Partition   string   `hcl:"partition,optional"`    // Consul Enterprise
	Connection  string   `hcl:"connection,optional"`   // which Consul, where several are configured
}

// SourceKey names every field of the listing; tags in any order are the same. What Failover lists are listings of their
// own.
func (s *ServiceSpec) SourceKey() gateway.SourceKey {
	parts := []string{plain(s.Service)}
	tags := slices.Clone(s.Tags)
	slices.Sort(tags)
	for _, t := range slices.Compact(tags) {
		parts = append(parts, "tag="+plain(t))
	}
	for _, p := range [][2]string{{"dc", s.Datacenter}, {"namespace", s.Namespace}, {"partition", s.Partition}, {"connection", s.Connection}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+plain(p[1]))
		}
	}
	if s.PassingOnly {
		parts = append(parts, "passing_only")
	}
	if s.Connect {
		parts = append(parts, "connect")
	}
	return gateway.SourceKey{Kind: "consul", Query: strings.Join(parts, " ")}
}

// plain quotes what could be taken for something else in a source key.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

// Check implements gateway.Checker.
func (s *ServiceSpec) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	wrong := func(attribute, summary, format string, args ...any) {
		r, ok := ranges[attribute]
		if !ok {
			r = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &r})
	}
	if s.Service == "" || strings.Contains(s.Service, "/") {
		wrong("service", "Invalid service name", "%q is no name of a Consul service: it must not be empty or contain a slash.", s.Service)
	}
	seen := map[string]bool{s.Datacenter: true}
	for _, dc := range s.Failover {
		switch {
		case !datacenterName.MatchString(dc):
			wrong("failover", "Invalid datacenter", "%q is no name of a datacenter.", dc)
		case seen[dc]:
			wrong("failover", "Invalid datacenter", "The datacenter %q is there already. Each is used once, in the order of failover.", dc)
		}
		seen[dc] = true
	}
	if len(s.Failover) > maxFailover {
		wrong("failover", "Too many datacenters", "There are %d datacenters to fail over to, and %d are the most.", len(s.Failover), maxFailover)
	}
	return diags
}

// maxFailover bounds the priorities of an upstream.
const maxFailover = 15

var datacenterName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

var (
	_ gateway.SourceSpec = (*ServiceSpec)(nil)
	_ gateway.Checker    = (*ServiceSpec)(nil)
	_ gateway.Expander   = (*ServiceSpec)(nil)
	_ gateway.Meshed     = (*ServiceSpec)(nil)
	_ discovery.Source   = (*Services)(nil)
)

// Kind is the consul source over the configured Consuls. A block may leave its connection out where there is one.
func Kind(clients ...*Client) discovery.Kind {
	return discovery.Kind{
		Name: "consul",
		New:  func() gateway.SourceSpec { return &ServiceSpec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*ServiceSpec)
			if !ok {
				return nil, fmt.Errorf("open consul source: %T is no consul block", spec)
			}
			c, err := Connection(clients, s.Connection)
			if err != nil {
				return nil, fmt.Errorf("open consul source: %w", err)
			}
			return c.Service(*s), nil
		},
		Discover: func(ctx context.Context) ([]discovery.Found, error) { return discover(ctx, clients) },
	}
}

// Connection finds the client of a connection. Its name may be empty where there is one.
func Connection(clients []*Client, name string) (*Client, error) {
	return discovery.Connection("consul", clients, func(c *Client) string { return c.Name }, name)
}

// Services is the source of one service's instances.
type Services struct {
	c    *Client
	spec ServiceSpec
}

// Service makes the source of spec. It does no I/O.
func (c *Client) Service(spec ServiceSpec) *Services { return &Services{c: c, spec: spec} }

// Run implements discovery.Source. Endpoints are sorted by ID, NODE/SERVICE-ID. A critical instance stays in the list
// as critical, at once; one that is missing goes when a consistent read misses it too; a list that is gone as a whole
// is held first.
func (s *Services) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	name := "service " + s.spec.Service
	if s.spec.Datacenter != "" {
		name += "@" + s.spec.Datacenter
	}
	if len(s.spec.Tags) > 0 {
		name += " [" + strings.Join(s.spec.Tags, " ") + "]"
	}
	if s.spec.Connect {
		name += " (mesh)"
	}
	var faults []string // of the last answer; follow reads and reports in one goroutine
	return follow(ctx, s.c, listing[gateway.Endpoint]{
		name: name, rule: fmt.Sprintf("service_prefix %q and node_prefix \"\" { policy = \"read\" }", s.spec.Service),
		same: sameEndpoint, alive: alive, many: true,
		read: func(o *api.QueryOptions) (rows map[string]gateway.Endpoint, meta *api.QueryMeta, err error) {
			rows, faults, meta, err = s.read(o)
			return rows, meta, err
		},
		changed: func(known map[string]gateway.Endpoint, _ offered) {
			out := make([]gateway.Endpoint, 0, len(known))
			for _, id := range slices.Sorted(maps.Keys(known)) {
				out = append(out, known[id])
			}
			update(out)
		},
		faults: func() []string { return faults },
	})
}

func sameEndpoint(a, b gateway.Endpoint) bool {
	return a.ID == b.ID && a.Address == b.Address && a.Port == b.Port && a.Health == b.Health &&
		a.Weight == b.Weight && a.Locality == b.Locality && slices.Equal(a.Tags, b.Tags) && maps.Equal(a.Meta, b.Meta)
}

// read lists the instances by ID, and says of those that cannot be endpoints why.
func (s *Services) read(o *api.QueryOptions) (map[string]gateway.Endpoint, []string, *api.QueryMeta, error) {
	o.Datacenter, o.Namespace, o.Partition = s.spec.Datacenter, s.spec.Namespace, s.spec.Partition
	list := s.c.api.Health().ServiceMultipleTags
	if s.spec.Connect {
		list = s.c.api.Health().ConnectMultipleTags
	}
	entries, meta, err := list(s.spec.Service, s.spec.Tags, false, o)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("list instances of service %s: %w", s.spec.Service, bare(err))
	}
	var faults []string
	rows := make(map[string]gateway.Endpoint, len(entries))
	for _, e := range entries {
		if e.Service == nil || e.Node == nil {
			continue
		}
		i, err := newEndpoint(e, s.spec.PassingOnly)
		if err != nil {
			faults = append(faults, i.ID+": "+err.Error())
			continue
		}
		rows[i.ID] = i
	}
	slices.Sort(faults)
	return rows, faults, meta, nil
}

// newEndpoint makes an endpoint of an instance; with an error it has its ID alone.
func newEndpoint(e *api.ServiceEntry, passingOnly bool) (gateway.Endpoint, error) {
	id := e.Node.Node + "/" + e.Service.ID
	address := e.Service.Address
	if address == "" {
		address = e.Node.Address
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return gateway.Endpoint{ID: id}, fmt.Errorf("address %q is no IP address; register one, or use a dns source", address)
	}
	if e.Service.Port < 1 || e.Service.Port > 65535 {
		return gateway.Endpoint{ID: id}, fmt.Errorf("port %d is no port", e.Service.Port)
	}
	health, weight := health(e, passingOnly)
	return gateway.Endpoint{
		ID: id, Address: ip.Unmap().String(), Port: uint16(e.Service.Port), Health: health, Weight: weight, //nolint:gosec // checked
		Tags: slices.Sorted(slices.Values(e.Service.Tags)), Meta: e.Service.Meta, Locality: locality(e),
	}, nil
}

// health is the state of an instance and its weight in that state. An instance whose weight is 0 takes no traffic.
func health(e *api.ServiceEntry, passingOnly bool) (gateway.Health, uint32) {
	state, weight := gateway.Critical, e.Service.Weights.Passing
	switch e.Checks.AggregatedStatus() {
	case api.HealthPassing:
		state = gateway.Healthy
	case api.HealthWarning:
		if weight = e.Service.Weights.Warning; !passingOnly && (weight > 0 || e.Service.Weights.Passing == 0) {
			state = gateway.Warning
		}
	case api.HealthMaint:
		state = gateway.Draining
	}
	return state, uint32(max(weight, 1)) //nolint:gosec // Consul bounds weights to 65535
}

// locality is the service's, else the node's, else what the node's metadata says.
func locality(e *api.ServiceEntry) gateway.Locality {
	for _, l := range []*api.Locality{e.Service.Locality, e.Node.Locality} {
		if l != nil {
			return gateway.Locality{Region: l.Region, Zone: l.Zone}
		}
	}
	return gateway.Locality{Region: e.Node.Meta["region"], Zone: e.Node.Meta["zone"], SubZone: e.Node.Meta["sub_zone"]}
}
