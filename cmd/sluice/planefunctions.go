package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/secrets"
)

// newSecrets makes what fetches secrets. It does no I/O.
func (p *plane) newSecrets() (err error) {
	p.secrets, err = secrets.New(secrets.Config{
		Vaults: p.cfg.vaults, Mesh: p.cfg.platforms.mesh, Log: p.cfg.log.Named("secrets"), Metrics: p.registry,
		Publish: func(versions map[gateway.ID]string) { p.loop.SecretVersions(versions) },
	})
	if err == nil {
		p.cfg.platforms.reveal = p.secrets.Reveal
	}
	return err
}

// newFinders makes what finds functions. They ask the endpoints that take traffic.
func (p *plane) newFinders() {
	p.finders = discovery.NewFinders(discovery.FinderOptions{
		Kinds: finderKinds(p.cfg, p.leftOut.set), Log: p.cfg.log.Named("discovery"),
		Near: func(k gateway.FinderKey) discovery.Surroundings {
			return discovery.Surroundings{
				Endpoints: func() []gateway.Endpoint { return takingTraffic(p.loop.World(), k.Upstream) },
				Material:  p.secrets.Reveal,
			}
		},
		Publish: func(found map[gateway.FinderKey][]*gateway.Function) { p.loop.Functions(found) },
	})
}

// wantedFinders are the finders, and what they left out while somebody asks for them.
type wantedFinders struct {
	*discovery.Finders
	leftOut *omissions
}

// Want implements control.Finders.
func (w wantedFinders) Want(finders map[gateway.FinderKey]gateway.Finder) {
	w.leftOut.keep(finders)
	w.Finders.Want(finders)
}

// omissions remembers what finders left out of their last answers, of those that are wanted. It is safe for concurrent
// use.
type omissions struct {
	mu     sync.Mutex
	wanted map[gateway.FinderKey]bool
	lists  map[gateway.FinderKey][]string
}

// keep forgets all finders but these.
func (p *omissions) keep(finders map[gateway.FinderKey]gateway.Finder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = make(map[gateway.FinderKey]bool, len(finders))
	for k := range finders {
		p.wanted[k] = true
	}
	maps.DeleteFunc(p.lists, func(k gateway.FinderKey, _ []string) bool { return !p.wanted[k] })
}

func (p *omissions) set(k gateway.FinderKey, list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted[k] {
		return // the last words of one that is stopped
	}
	if p.lists == nil {
		p.lists = map[gateway.FinderKey][]string{}
	}
	p.lists[k] = list
}

func (p *omissions) of(k gateway.FinderKey) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lists[k])
}

// takingTraffic lists the endpoints of an upstream that take traffic, the preferred ones first.
func takingTraffic(w *gateway.World, upstream string) (out []gateway.Endpoint) {
	groups, _ := w.Merged(upstream)
	for _, g := range groups {
		for _, e := range g.Endpoints {
			if e.Health == gateway.Healthy || e.Health == gateway.Warning {
				out = append(out, e)
			}
		}
	}
	return out
}
