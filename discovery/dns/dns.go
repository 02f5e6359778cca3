// Package dns is the source of endpoints that a name resolves to.
//
//   - dns.go: the block and the source made of it.
//   - check.go: what can be wrong in the block.
//   - resolve.go: one answer out of several questions: addresses, SRV records and their targets.
//   - exchange.go: one question to the configured servers.
//   - doctor.go: whether the names of blocks resolve.
package dns

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is a dns block.
//
//sluice:block dns
type Spec struct {
	Name     string        `hcl:"name"`
	Type     string        `hcl:"type,optional" oneof:"A AAAA SRV"` // none: A and AAAA
	Port     int           `hcl:"port,optional" min:"1" max:"65535"`
	Server   string        `hcl:"server,optional"`   // "IP" or "IP:port"; none: those of /etc/resolv.conf
	Interval time.Duration `hcl:"interval,optional"` // overrides the records' time to live
	Range    hcl.Range     `hcl:",def_range"`
}

// SourceKey is the text of all attributes.
func (s *Spec) SourceKey() gateway.SourceKey {
	parts := []string{strings.ToLower(s.Name)}
	if s.Type != "" {
		parts = append(parts, "type="+s.Type)
	}
	if s.Port != 0 {
		parts = append(parts, "port="+strconv.Itoa(s.Port))
	}
	if s.Server != "" {
		parts = append(parts, "server="+s.Server)
	}
	if s.Interval != 0 {
		parts = append(parts, "interval="+s.Interval.String())
	}
	return gateway.SourceKey{Kind: "dns", Query: strings.Join(parts, " ")}
}

// The bounds of a time to live, and when an answer without records is asked for again: soon, since it is held until
// it is confirmed.
const (
	shortest   = time.Second
	longest    = 5 * time.Minute
	emptyAgain = 5 * time.Second
)

// source asks again and again.
type source struct {
	spec       Spec
	resolvConf string        // path; read anew for each answer
	timeout    time.Duration // of one question to one server
	tries      int           // rounds over the servers
	deadline   time.Duration // of one answer
}

var _ discovery.Source = (*source)(nil)

func newSource(spec Spec) *source {
	return &source{spec: spec, resolvConf: "/etc/resolv.conf", timeout: 2 * time.Second, tries: 2, deadline: 10 * time.Second}
}

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	p := &discovery.Poll{List: s.list, Deadline: s.deadline}
	return p.Run(ctx, update, alive)
}

func (s *source) list(ctx context.Context) ([]gateway.Endpoint, time.Duration, error) {
	servers, names, err := s.servers()
	if err != nil {
		return nil, 0, err
	}
	r := &resolver{source: s, servers: servers, names: names, ttl: longest}
	endpoints, err := r.endpoints(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("resolve %s: %w", s.spec.Name, err)
	}
	switch {
	case s.spec.Interval > 0:
		return endpoints, s.spec.Interval, nil
	case len(endpoints) == 0:
		return endpoints, emptyAgain, nil
	}
	return endpoints, max(r.ttl, shortest), nil
}

// servers is who is asked, and the names that are tried in turn.
func (s *source) servers() (servers, names []string, err error) {
	if s.spec.Server != "" {
		at, err := parseServer(s.spec.Server)
		return []string{at}, []string{dns.Fqdn(s.spec.Name)}, err
	}
	conf, err := dns.ClientConfigFromFile(s.resolvConf)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", s.resolvConf, err)
	}
	for _, server := range conf.Servers {
		at, err := parseServer(server)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", s.resolvConf, err)
		}
		servers = append(servers, at)
	}
	if len(servers) == 0 {
		return nil, nil, fmt.Errorf("read %s: it names no server", s.resolvConf)
	}
	return servers, conf.NameList(s.spec.Name), nil
}

// Kind is the kind "dns". An answer that loses many records is doubted.
func Kind() discovery.Kind {
	return discovery.Kind{
		Name: "dns",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("a dns source cannot be made of %T", spec)
			}
			return newSource(*s), nil
		},
		Guard:  &discovery.Guard{},
		Doctor: diagnose,
	}
}
