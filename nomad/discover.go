package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// discover lists the services of every namespace that the connections may see.
func discover(ctx context.Context, clients []*Client) (out []discovery.Found, err error) {
	for _, c := range clients {
		found, e := c.discover(ctx, len(clients) > 1)
		out = append(out, found...)
		if e != nil && c.Name != "" {
			e = fmt.Errorf("nomad %s: %w", c.Name, e)
		}
		err = errors.Join(err, e)
	}
	slices.SortStableFunc(out, func(a, b discovery.Found) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), discovery.CompareKey(a.Spec.SourceKey(), b.Spec.SourceKey()))
	})
	return out, err
}

func (c *Client) discover(ctx context.Context, several bool) (out []discovery.Found, err error) {
	namespaces, err := c.namespaces(ctx)
	for _, ns := range namespaces {
		at := scope{c.cfg.Region, ns}
		l, e := c.list(ctx, at, 0, 0)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		names := slices.Sorted(maps.Keys(l.tags))
		counts, e := c.counts(ctx, at, names)
		err = errors.Join(err, e)
		for _, name := range names {
			spec := &Spec{Service: name}
			if ns != c.cfg.Namespace {
				spec.Namespace = ns
			}
			if several {
				spec.Connection = c.Name
			}
			out = append(out, discovery.Found{
				Name: name, Spec: spec, Count: counts[name], Note: note(ns, l.tags[name]), Covered: c.covers(spec, several),
			})
		}
	}
	return out, err
}

// covers says which other blocks list a service already: those of the same connection, whatever their tags.
func (c *Client) covers(found *Spec, several bool) func(gateway.SourceSpec) bool {
	return func(other gateway.SourceSpec) bool {
		s, ok := other.(*Spec)
		return ok && s.Service == found.Service && c.scope(s) == c.scope(found) && (!several || s.Connection == c.Name)
	}
}

func note(namespace string, tags []string) string {
	text := "namespace " + namespace
	if len(tags) > 0 {
		text += ", tags " + strings.Join(slices.Sorted(slices.Values(tags)), ", ")
	}
	return text
}

// namespaces are those that the token may see, and the connection's own.
func (c *Client) namespaces(ctx context.Context) ([]string, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	all, _, err := c.api.Namespaces().List(c.options(ctx, scope{region: c.cfg.Region}))
	names := []string{c.cfg.Namespace}
	for _, ns := range all {
		names = append(names, ns.Name)
	}
	slices.Sort(names)
	if err != nil {
		err = fmt.Errorf("list namespaces: %w", plain(ctx, err, "", scope{}))
	}
	return slices.Compact(names), err
}

// counts reads how many instances services have, a few services at a time.
func (c *Client) counts(ctx context.Context, at scope, names []string) (map[string]int, error) {
	var mu sync.Mutex
	var work sync.WaitGroup
	var failed error
	out := map[string]int{}
	queue := make(chan string)
	for range min(readsAtOnce, len(names)) {
		work.Go(func() {
			for name := range queue {
				_, rows, err := c.instances(ctx, at, name)
				mu.Lock()
				if out[name] = len(rows); err != nil && failed == nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		if c.budget.Wait(ctx) != nil {
			break
		}
		queue <- name
	}
	close(queue)
	work.Wait()
	return out, cmp.Or(failed, ctx.Err())
}
