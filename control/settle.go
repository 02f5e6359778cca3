package control

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// awayFor is how long an Envoy that left counts as one that serves with what it has. After that it is taken to be gone.
const awayFor = 5 * time.Minute

// settling knows which version of each secret every Envoy has, so that what was before it may be given back. The loop's
// goroutine owns it.
type settling struct {
	latest  map[gateway.ID]string // version of each secret that arrived last; those that expired are left out
	told    map[gateway.ID]string // what was said to be settled
	pending map[gateway.ID]bool   // latest is not told yet

	carry map[gateway.ID]map[store.Key]*carrier // what the Envoys get of each secret
	of    map[store.Key]gateway.ID

	has  map[uint64]map[store.Key]string // what streams acknowledged last, of resources that can carry a secret
	away map[string]time.Time            // Envoys that left, and have not come back: until when they count
	news bool                            // something changed since settled was asked
}

// carrier is a resource with material of a secret in it, as it was published last.
type carrier struct {
	version  string // of the material; "": what there is cannot be used, and the Envoys keep what they have
	resource *store.Resource
}

func newSettling() *settling {
	return &settling{
		latest: map[gateway.ID]string{}, told: map[gateway.ID]string{}, pending: map[gateway.ID]bool{},
		carry: map[gateway.ID]map[store.Key]*carrier{}, of: map[store.Key]gateway.ID{},
		has: map[uint64]map[store.Key]string{}, away: map[string]time.Time{},
	}
}

// versions takes what a store of secrets says.
func (s *settling) versions(arrived map[gateway.ID]string) {
	for id, version := range arrived {
		s.latest[id], s.news = version, true
		if s.told[id] != version {
			s.pending[id] = true
		}
		if version == "" {
			delete(s.latest, id)
			delete(s.pending, id)
			delete(s.told, id)
		}
	}
}

// built takes the outcome of building a unit; r is nil when it is gone, or could not be built.
func (s *settling) built(key store.Key, in gateway.Inputs, r *store.Resource, failed bool) {
	if was, ok := s.of[key]; ok && (was != in.Secret || r == nil && !failed) {
		s.news = true
		delete(s.of, key)
		if delete(s.carry[was], key); len(s.carry[was]) == 0 {
			delete(s.carry, was)
		}
	}
	if in.Secret.IsZero() || r == nil && !failed {
		return
	}
	s.news, s.of[key] = true, in.Secret
	if s.carry[in.Secret] == nil {
		s.carry[in.Secret] = map[store.Key]*carrier{}
	}
	c := &carrier{version: in.Version, resource: r}
	if failed {
		c.version = ""
	}
	s.carry[in.Secret][key] = c
}

// hear takes what an Envoy said. nodes are those that were connected before.
func (s *settling) hear(a answer, nodes map[uint64]server.Node) {
	stream := a.node.Stream
	switch a.kind {
	case connected:
		s.news = true
		s.has[stream] = map[store.Key]string{}
		delete(s.away, a.node.ID)
	case disconnected:
		s.news = true
		delete(s.has, stream)
		for other, n := range nodes {
			if n.ID == a.node.ID && other != stream {
				return // it has come back on another stream
			}
		}
		s.away[a.node.ID] = time.Now().Add(awayFor)
	case acked:
		for _, v := range a.keys {
			if has := s.has[stream]; has != nil && (v.Type == translate.SecretType || v.Type == translate.ExtensionType) {
				has[v.Key], s.news = v.Version, true
			}
		}
	}
}

// next is how long until an Envoy that is away no longer counts; 0: nobody waits for that.
func (s *settling) next() (d time.Duration) {
	if len(s.pending) == 0 {
		return 0
	}
	for _, until := range s.away {
		d = sooner(d, max(time.Until(until), time.Millisecond))
	}
	return d
}

// settled returns the versions that have come to be those of every Envoy since it was asked last; nil: none.
func (s *settling) settled(nodes map[uint64]server.Node) map[gateway.ID]string {
	now := time.Now()
	for id, until := range s.away {
		if !now.Before(until) {
			delete(s.away, id)
			s.news = true
		}
	}
	if !s.news || len(s.pending) == 0 || len(s.away) > 0 {
		return nil
	}
	s.news = false
	var out map[gateway.ID]string
	for id := range s.pending {
		if version := s.latest[id]; s.everywhere(id, version, nodes) {
			if out == nil {
				out = map[gateway.ID]string{}
			}
			out[id], s.told[id] = version, version
			delete(s.pending, id)
		}
	}
	return out
}

// everywhere says that every connected Envoy that is sent a secret has a version of it.
func (s *settling) everywhere(id gateway.ID, version string, nodes map[uint64]server.Node) bool {
	for key, c := range s.carry[id] {
		if c.version != version {
			return false
		}
		for stream, n := range nodes {
			if slices.Contains(c.resource.Gateways, n.Gateway) && n.Lacks(c.resource) == "" && s.has[stream][key] != c.resource.Version {
				return false
			}
		}
	}
	return true
}

// settle tells who fetches secrets which versions every Envoy has. An Envoy that is away for a moment serves with what it
// has, so nothing is settled until it is back, or has been away for long.
func (l *Loop) settle() {
	if l.cfg.Secrets == nil {
		return
	}
	if done := l.settling.settled(l.book.nodes); len(done) > 0 {
		for _, id := range slices.SortedFunc(maps.Keys(done), func(a, b gateway.ID) int { return cmp.Compare(a.Name, b.Name) }) {
			l.log.Debug("every Envoy has the new version of a secret", "secret", id.Name, "version", done[id])
		}
		l.cfg.Secrets.Settled(done)
	}
}
