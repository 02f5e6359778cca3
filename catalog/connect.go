package catalog

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/gateway"
)

// Further implements gateway.Expander: the same service in each datacenter of Failover.
func (s *ServiceSpec) Further() (out []gateway.SourceSpec) {
	for _, dc := range s.Failover {
		there := *s
		there.Datacenter, there.Failover = dc, nil
		out = append(out, &there)
	}
	return out
}

// Mesh implements gateway.Meshed.
func (s *ServiceSpec) Mesh() *gateway.Mesh {
	if !s.Connect {
		return nil
	}
	return &gateway.Mesh{Connection: s.Connection, Service: gateway.MeshService{
		Partition: s.Partition, Namespace: s.Namespace, Datacenter: s.Datacenter, Service: s.Service,
	}}
}

// Identity is who sluice is in the mesh of a Consul: a leaf certificate and its key, and the authorities of the mesh. Its
// fields are those of gateway.MeshIdentity. It is never printed or written.
type Identity struct {
	Fields  map[string][]byte
	Expires time.Time // of the leaf
	Note    string    // which leaf, under which authorities
}

// String keeps what an Identity holds from being printed.
func (Identity) String() string { return "[redacted]" }

// GoString is String.
func (Identity) GoString() string { return "[redacted]" }

// ConnectService is who sluice is in the service mesh.
func (c *Client) ConnectService() string { return c.cfg.ConnectService }

// WatchIdentity watches sluice's leaf certificate and the authorities until ctx ends. It calls update with the two, as
// soon as both are known and after each change of one; alive when the agent answered and nothing changed; failed with what
// the agent says instead, after which what was known stays. The calls come one at a time.
func (c *Client) WatchIdentity(ctx context.Context, update func(Identity), alive func(), failed func(error)) {
	w := &identityWatch{c: c, update: update, alive: alive, failed: failed, errs: map[string]error{}}
	var both sync.WaitGroup
	both.Go(func() {
		_ = follow(ctx, c, watchOne(w, "mesh leaf "+c.cfg.ConnectService, c.leafRule(), c.leaf, sameLeaf, &w.leaf)) // it ends with ctx
	})
	both.Go(func() {
		_ = follow(ctx, c, watchOne(w, "mesh roots", "no permission, and a mesh: connect { enabled = true } in its servers", c.roots, sameRoots, &w.roots))
	})
	both.Wait()
}

// leafRule is what the token needs to be given the leaf.
func (c *Client) leafRule() string {
	return fmt.Sprintf("service %q { policy = \"write\" }", c.cfg.ConnectService)
}

// identityWatch joins what the two watches of an identity say.
type identityWatch struct {
	c      *Client
	update func(Identity)
	alive  func()
	failed func(error)

	mu    sync.Mutex // held during calls of the above
	leaf  *api.LeafCert
	roots *api.CARootList
	errs  map[string]error // of the last calls, by watch
}

// said notes how a call of one watch ended, and tells what that means for both.
func (w *identityWatch) said(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.errs, name)
	if err != nil {
		w.errs[name] = err
	}
	for _, name := range slices.Sorted(maps.Keys(w.errs)) {
		w.failed(w.errs[name])
		return
	}
	if w.leaf != nil && w.roots != nil {
		w.alive()
	}
}

// only is the row of what is one answer and no list.
const only = ""

// watchOne is the listing of one answer, which is kept in last.
func watchOne[V any](
	w *identityWatch, name, rule string, read func(*api.QueryOptions) (V, *api.QueryMeta, error), same func(a, b V) bool, last *V,
) listing[V] {
	return listing[V]{
		name: name, rule: rule, same: same,
		read: func(o *api.QueryOptions) (map[string]V, *api.QueryMeta, error) {
			v, meta, err := read(o)
			if err != nil {
				if cause := context.Cause(o.Context()); cause == nil || errors.Is(cause, context.DeadlineExceeded) {
					w.said(name, err)
				}
				return nil, nil, err
			}
			meta.KnownLeader = meta.KnownLeader || w.c.beat.leader() // which answers of the agent itself do not say
			return map[string]V{only: v}, meta, nil
		},
		changed: func(known map[string]V, _ offered) {
			w.mu.Lock()
			*last = known[only]
			w.tell()
			w.mu.Unlock()
			w.said(name, nil)
		},
		alive: func() { w.said(name, nil) },
	}
}

// tell hands over what is known, once it is all.
func (w *identityWatch) tell() {
	if w.leaf == nil || w.roots == nil {
		return
	}
	fields := map[string][]byte{
		"certificate": []byte(w.leaf.CertPEM), "private_key": []byte(w.leaf.PrivateKeyPEM), "ca": authorities(w.roots),
		"name": []byte(w.leaf.ServiceURI),
	}
	note := fmt.Sprintf("%s, leaf %s", w.leaf.Service, w.leaf.SerialNumber)
	if n := len(w.roots.Roots); n > 1 {
		note += fmt.Sprintf(", %d roots", n)
	}
	w.update(Identity{Fields: fields, Expires: w.leaf.ValidBefore, Note: note})
}

// authorities are all roots that Consul names, those included that are on their way in or out: while they cross-sign,
// members of the mesh have certificates of both.
func authorities(list *api.CARootList) (out []byte) {
	for _, r := range list.Roots {
		out = append(out, strings.TrimSpace(r.RootCertPEM)+"\n"...)
	}
	return out
}

// leaf asks for the certificate. No error holds a part of the answer.
func (c *Client) leaf(o *api.QueryOptions) (*api.LeafCert, *api.QueryMeta, error) {
	o.Namespace, o.Partition = c.cfg.Namespace, c.cfg.Partition
	leaf, meta, err := c.api.Agent().ConnectCALeaf(c.cfg.ConnectService, o)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for the leaf certificate of service %s: %w", c.cfg.ConnectService, bare(err))
	}
	for _, text := range []string{leaf.CertPEM, leaf.PrivateKeyPEM} {
		if b, _ := pem.Decode([]byte(text)); b == nil {
			return nil, nil, fmt.Errorf("ask for the leaf certificate of service %s: the answer has no certificate with a key", c.cfg.ConnectService)
		}
	}
	return leaf, meta, nil
}

func sameLeaf(a, b *api.LeafCert) bool {
	return a.CertPEM == b.CertPEM && a.PrivateKeyPEM == b.PrivateKeyPEM && a.ServiceURI == b.ServiceURI
}

func (c *Client) roots(o *api.QueryOptions) (*api.CARootList, *api.QueryMeta, error) {
	list, meta, err := c.api.Agent().ConnectCARoots(o)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for the authorities of the mesh: %w", bare(err))
	}
	if len(list.Roots) == 0 {
		return nil, nil, errors.New("ask for the authorities of the mesh: there is none yet")
	}
	slices.SortFunc(list.Roots, func(a, b *api.CARoot) int { return strings.Compare(a.ID, b.ID) })
	return list, meta, nil
}

func sameRoots(a, b *api.CARootList) bool {
	return slices.EqualFunc(a.Roots, b.Roots, func(x, y *api.CARoot) bool { return x.RootCertPEM == y.RootCertPEM })
}
