package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// readsAtOnce is how many services of one Consul are read at a time.
const readsAtOnce = 8

// ownService is what Consul's servers register themselves as.
const ownService = "consul"

// discover lists the services that the connections may see, each in its own datacenter.
func discover(ctx context.Context, clients []*Client) (out []discovery.Found, err error) {
	for _, c := range clients {
		found, e := c.discover(ctx, len(clients) > 1)
		out = append(out, found...)
		if e != nil && c.Name != "" {
			e = fmt.Errorf("consul %s: %w", c.Name, e)
		}
		err = errors.Join(err, e)
	}
	slices.SortStableFunc(out, func(a, b discovery.Found) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), discovery.CompareKey(a.Spec.SourceKey(), b.Spec.SourceKey()))
	})
	return out, err
}

func (c *Client) discover(ctx context.Context, several bool) ([]discovery.Found, error) {
	tags, err := c.services(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	var out []discovery.Found
	queue := make(chan string)
	for range min(readsAtOnce, len(tags)) {
		work.Go(func() {
			for name := range queue {
				found, ok, e := c.found(ctx, name, tags[name], several)
				mu.Lock()
				if ok {
					out = append(out, found)
				}
				err = cmp.Or(err, e) // one is enough: they are alike
				mu.Unlock()
			}
		})
	}
	for name := range tags {
		queue <- name
	}
	close(queue)
	work.Wait()
	return out, err
}

// services are the names in the catalog and all tags of their instances.
func (c *Client) services(ctx context.Context) (map[string][]string, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	all, _, err := c.api.Catalog().Services(query(ctx))
	if err != nil {
		return nil, fmt.Errorf("list services: %w", bare(err))
	}
	delete(all, ownService)
	return all, nil
}

// found is one service as the block that lists it; ok is false for what nobody calls by its name: proxies, gateways, and
// services that are gone by now.
func (c *Client) found(ctx context.Context, name string, tags []string, several bool) (f discovery.Found, ok bool, err error) {
	ctx, cancel := within(ctx)
	defer cancel()
	entries, _, err := c.api.Health().Service(name, "", false, query(ctx))
	if err != nil {
		return f, false, fmt.Errorf("list instances of service %s: %w", name, bare(err))
	}
	entries = slices.DeleteFunc(entries, func(e *api.ServiceEntry) bool {
		return e.Service == nil || e.Node == nil || e.Service.Kind != api.ServiceKindTypical
	})
	if len(entries) == 0 || strings.Contains(name, "/") {
		return f, false, nil
	}
	datacenter := entries[0].Node.Datacenter
	spec := &ServiceSpec{Service: name}
	if several {
		spec.Connection = c.Name
	}
	note := "datacenter " + datacenter
	if len(tags) > 0 {
		note += ", tags " + strings.Join(slices.Sorted(slices.Values(tags)), ", ")
	}
	unfit := 0
	for _, e := range entries {
		if _, err := newEndpoint(e, false); err != nil {
			unfit++
		}
	}
	if unfit > 0 {
		note += fmt.Sprintf("; %d more without an IP address or a port", unfit)
	}
	return discovery.Found{
		Name: name, Spec: spec, Count: len(entries) - unfit, Note: note, Covered: c.covers(name, datacenter, several),
	}, true, nil
}

// covers says which other blocks list a service already: those of the same connection and datacenter, whatever their tags.
func (c *Client) covers(name, datacenter string, several bool) func(gateway.SourceSpec) bool {
	return func(other gateway.SourceSpec) bool {
		s, ok := other.(*ServiceSpec)
		return ok && s.Service == name && (s.Datacenter == "" || s.Datacenter == datacenter) &&
			(s.Connection == c.Name || s.Connection == "" && !several) &&
			cmp.Or(s.Namespace, c.cfg.Namespace) == c.cfg.Namespace && cmp.Or(s.Partition, c.cfg.Partition) == c.cfg.Partition
	}
}
