// Package static is the source of endpoints that are written down.
//
//   - static.go: the block and the source made of it.
//   - check.go: what can be wrong in the block.
package static

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is a static block: a list of addresses, one address with its port, blocks, or any of them together.
//
//sluice:block static
type Spec struct {
	Endpoints []string    `hcl:"endpoints,optional"` // "IP:port"
	Address   string      `hcl:"address,optional"`   // one IP; with Port
	Port      int         `hcl:"port,optional" min:"1" max:"65535"`
	Entries   []*Endpoint `hcl:"endpoint,block"`
	Range     hcl.Range   `hcl:",def_range"`
}

// Endpoint is one endpoint of which more than the address is said.
type Endpoint struct {
	At     string            `hcl:"at,label"` // "IP:port"
	Weight int               `hcl:"weight,optional" min:"1" max:"10000" default:"1"`
	Tags   []string          `hcl:"tags,optional"`
	Meta   map[string]string `hcl:"meta,optional"`
	Zone   string            `hcl:"zone,optional"`
	Range  hcl.Range         `hcl:",def_range"`
}

// SourceKey is the text of all endpoints.
func (s *Spec) SourceKey() gateway.SourceKey {
	endpoints, err := s.list()
	if err != nil {
		return gateway.SourceKey{Kind: "static", Query: "invalid: " + err.Error()}
	}
	parts := make([]string, len(endpoints))
	for i, e := range endpoints {
		parts[i] = e.ID
		if bare := endpoint(netip.MustParseAddrPort(e.ID)); !reflect.DeepEqual(e, bare) {
			text, err := json.Marshal(e)
			if err != nil {
				return gateway.SourceKey{Kind: "static", Query: "invalid: " + err.Error()}
			}
			parts[i] = string(text)
		}
	}
	return gateway.SourceKey{Kind: "static", Query: strings.Join(parts, " ")}
}

// list is all endpoints, sorted, each once: the last word on an address is that of its own block.
func (s *Spec) list() ([]gateway.Endpoint, error) {
	byID := make(map[string]gateway.Endpoint)
	texts := s.Endpoints
	if s.Address != "" {
		texts = append(slices.Clone(texts), net.JoinHostPort(s.Address, strconv.Itoa(s.Port)))
	}
	for _, text := range texts {
		at, err := parse(text)
		if err != nil {
			return nil, err
		}
		byID[at.String()] = endpoint(at)
	}
	for _, b := range s.Entries {
		at, err := parse(b.At)
		if err != nil {
			return nil, err
		}
		e := endpoint(at)
		e.Weight = uint32(max(b.Weight, 0))
		e.Tags = slices.Compact(slices.Sorted(slices.Values(b.Tags)))
		e.Meta, e.Locality.Zone = b.Meta, b.Zone
		byID[e.ID] = e
	}
	out := make([]gateway.Endpoint, 0, len(byID))
	for _, e := range byID {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b gateway.Endpoint) int {
		return netip.MustParseAddrPort(a.ID).Compare(netip.MustParseAddrPort(b.ID))
	})
	return out, nil
}

func endpoint(at netip.AddrPort) gateway.Endpoint {
	return gateway.Endpoint{ID: at.String(), Address: at.Addr().String(), Port: at.Port()}
}

func parse(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	switch {
	case err != nil:
		return at, fmt.Errorf("%q is no IP address with a port", text)
	case at.Port() == 0:
		return at, fmt.Errorf("%q has the port 0", text)
	case at.Addr().Zone() != "":
		return at, fmt.Errorf("%q names an interface", text)
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// source says its endpoints once.
type source struct{ endpoints []gateway.Endpoint }

var _ discovery.Source = (*source)(nil)

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, update func([]gateway.Endpoint), _ func()) error {
	update(slices.Clone(s.endpoints))
	<-ctx.Done()
	return ctx.Err()
}

// Kind is the kind "static".
func Kind() discovery.Kind {
	return discovery.Kind{
		Name: "static",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("a static source cannot be made of %T", spec)
			}
			endpoints, err := s.list()
			if err != nil {
				return nil, err
			}
			return &source{endpoints: endpoints}, nil
		},
	}
}
