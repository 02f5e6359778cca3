package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/oklog/run"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// generationVariable holds the filter list at an older generation: what an older release can serve that is to be
// started next.
const generationVariable = "SLUICE_GENERATION"

// newestGeneration is the generation of the filter list that this process serves at most.
func newestGeneration() (int, error) {
	text := os.Getenv(generationVariable)
	if text == "" {
		return translate.Generation, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, usage("%s is %q: it must be a number from 1 to %d", generationVariable, text, translate.Generation)
	}
	return min(n, translate.Generation), nil
}

// generations agrees with the other replicas on the generation of the filter list.
type generations struct {
	p       *plane
	newest  int
	rollout *control.Rollout
	says    *catalog.Announcer
}

// newGenerations makes what a plane with documents in Consul needs; any other serves the newest by itself.
func (p *plane) newGenerations() error {
	newest, err := newestGeneration()
	if err != nil {
		return err
	}
	p.generations = &generations{p: p, newest: newest}
	if p.cfg.kv == nil {
		p.loop.Generation(newest)
		return nil
	}
	p.generations.says = p.cfg.kv.NewAnnouncer(replicaName(), catalog.Replica{Generation: newest, Version: version})
	p.generations.rollout = control.NewRollout(control.RolloutConfig{
		Newest: newest, Hold: p.cfg.kv.HoldTime(), Set: p.generations.set,
	})
	return nil
}

func (g *generations) set(generation int) {
	g.p.loop.Generation(generation)
	g.p.inputs.answered(control.InputReplicas)
	g.says.Set(catalog.Replica{Generation: g.newest, InForce: generation, Version: version})
}

// add adds what runs.
func (g *generations) add(group *run.Group) {
	actor(group, g.says.Run)
	actor(group, g.rollout.Run)
	actor(group, func(ctx context.Context) error {
		return g.p.cfg.kv.Replicas(ctx, func(alive map[string]catalog.Replica) {
			peers := make(map[string]control.Peer, len(alive))
			for name, r := range alive {
				peers[name] = control.Peer{Generation: r.Generation, InForce: r.InForce}
			}
			g.p.facts.setReplicas(alive)
			g.rollout.Heard(peers)
		}, nil)
	})
}

// Generation implements console.Facts.
func (f *facts) Generation() console.Generation {
	out := console.Generation{InForce: f.plane.loop.World().Generation(), Newest: f.plane.generations.newest, Replicas: []console.Replica{}}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(f.replicas)) {
		r := f.replicas[name]
		out.Replicas = append(out.Replicas, console.Replica{Name: name, Version: r.Version, Newest: r.Generation, InForce: r.InForce})
	}
	return out
}

func (f *facts) setReplicas(alive map[string]catalog.Replica) {
	f.mu.Lock()
	f.replicas = alive
	f.mu.Unlock()
}

// replicaName names this process in a key of Consul.
func replicaName() string { return strings.ReplaceAll(holder(), "/", "-") }
