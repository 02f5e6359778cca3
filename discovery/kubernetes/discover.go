package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// lookTime bounds the listing of one cluster.
const lookTime = time.Minute

// discover lists the services of all namespaces; of the connection's own alone where it may not list all.
func discover(ctx context.Context, opts Options) (out []discovery.Found, err error) {
	for _, c := range opts.Clients {
		found, e := c.discover(ctx, opts, len(opts.Clients) > 1)
		out = append(out, found...)
		if e != nil && c.Name != "" {
			e = fmt.Errorf("kubernetes %s: %w", c.Name, e)
		}
		err = errors.Join(err, e)
	}
	slices.SortStableFunc(out, func(a, b discovery.Found) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), discovery.CompareKey(a.Spec.SourceKey(), b.Spec.SourceKey()))
	})
	return out, err
}

func (c *Client) discover(ctx context.Context, opts Options, several bool) ([]discovery.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	all, err := c.everything(ctx, opts, "*")
	if said, ok := errors.AsType[*apiError](err); ok && said.code == http.StatusForbidden {
		all, err = c.everything(ctx, opts, c.namespace())
	}
	if err != nil {
		return nil, err
	}
	type service struct{ namespace, name string }
	services := map[service][]*slice{}
	for _, s := range all {
		services[service{s.namespace, s.service}] = append(services[service{s.namespace, s.service}], s)
	}
	delete(services, service{"default", "kubernetes"}) // the API server itself
	var out []discovery.Found
	for _, at := range slices.SortedFunc(maps.Keys(services), func(a, b service) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.namespace, b.namespace))
	}) {
		spec := &Spec{Service: at.name}
		if at.namespace != c.namespace() {
			spec.Namespace = at.namespace
		}
		if several {
			spec.Connection = c.Name
		}
		out = append(out, c.found(spec, at.namespace, services[at]))
	}
	return out, nil
}

// everything is all slices of a namespace.
func (c *Client) everything(ctx context.Context, opts Options, namespace string) ([]*slice, error) {
	q := question{namespace: namespace, limit: opts.pace.pageSize}
	var out []*slice
	for {
		p, err := c.page(ctx, q, opts.Timeout)
		if err != nil {
			return nil, err
		}
		out = append(out, p.slices...)
		if q.next = p.next; q.next == "" {
			return out, nil
		}
	}
}

// found is a service as the block that lists it. Of several ports the first by name is proposed.
func (c *Client) found(spec *Spec, namespace string, list []*slice) discovery.Found {
	names := map[string]bool{}
	for _, s := range list {
		for _, p := range s.ports {
			names[p.name] = true
		}
	}
	note := "namespace " + namespace
	if all := slices.Sorted(maps.Keys(names)); len(all) > 1 {
		spec.Port = all[0]
		note += ", ports " + strings.Join(all, " ")
	}
	endpoints, err := spec.endpoints(list)
	if err != nil {
		note += "; " + err.Error()
	}
	return discovery.Found{
		Name: spec.Service, Spec: spec, Count: len(endpoints), Note: note,
		Covered: func(other gateway.SourceSpec) bool {
			s, ok := other.(*Spec)
			return ok && s.Service == spec.Service && cmp.Or(s.Namespace, c.namespace()) == namespace && (s.Connection == "" || s.Connection == c.Name)
		},
	}
}
