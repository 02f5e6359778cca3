package server_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// step is one thing that happens. All of it is drawn before the run.
type step struct {
	what     string // publish, connect, leave, ask, drop, wait
	client   int
	name     string
	sets     []set
	removes  []store.Key
	holds    []store.Key
	duration time.Duration
}

type set struct {
	key      store.Key
	revision int
	inside   bool // the second gateway sees it too
	need     string
}

var (
	propertyKeys = []store.Key{
		key(cds, "a"), key(cds, "b"), key(cds, "c"), key(eds, "a"), key(eds, "b"), key(eds, "c"),
		key(vhds, "edge.web/x"), key(vhds, "edge.web/y"), key(vhds, "edge.admin/x"), key(lds, "l"),
	}
	propertyNames = []string{"a", "a@1", "a@2", "b@1", "c@1", "d@1"}
)

// Clients refuse this revision of everything.
const badRevision = 3

func drawStep(t *rapid.T, n int) step {
	s := step{what: rapid.SampledFrom([]string{"publish", "publish", "publish", "connect", "leave", "ask", "drop", "wait"}).Draw(t, fmt.Sprint("what", n))}
	s.client = rapid.IntRange(0, 2).Draw(t, "client")
	s.name = rapid.SampledFrom(propertyNames).Draw(t, "name")
	s.duration = time.Duration(rapid.IntRange(0, 8000).Draw(t, "ms")) * time.Millisecond
	if s.what != "publish" {
		return s
	}
	for _, k := range propertyKeys {
		switch rapid.IntRange(0, 9).Draw(t, k.String()) {
		case 0, 1, 2:
			s.sets = append(s.sets, set{
				key: k, revision: rapid.IntRange(0, badRevision).Draw(t, "revision"), inside: rapid.Bool().Draw(t, "inside"),
				need: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "need"),
			})
		case 3:
			s.removes = append(s.removes, k)
		case 4:
			s.holds = append(s.holds, k)
		}
	}
	return s
}

func (s set) resource(t testing.TB) *store.Resource {
	gateways := []string{"edge"}
	if s.inside {
		gateways = append(gateways, "inside")
	}
	var needs []store.Key
	if s.need != "" {
		needs = []store.Key{key(cds, s.need), key(eds, s.need)}
	}
	switch s.key.Type {
	case cds:
		return cluster(t, s.key.Name, s.revision, fmt.Sprintf("%s@%d", s.key.Name, s.revision), gateways...)
	case eds:
		return assignment(t, s.key.Name, 1000+s.revision, gateways...)
	case vhds:
		return host(t, s.key.Name, s.revision, needs, gateways...)
	}
	return must(t, lds, s.key.Name, bigListener(s.revision), needs, gateways...)
}

// run is one run of the steps.
type run struct {
	t       *testing.T
	rig     *rig
	clients [3]*client
	have    [3]map[string]map[string]string // of clients that left
	wanted  [3]map[string]bool
	bad     map[string]bool // versions that clients refuse
}

func gatewayOf(i int) string { return []string{"edge", "edge", "inside"}[i] }

func (r *run) do(s step) {
	switch c := r.clients[s.client]; {
	case s.what == "publish":
		change := store.Change{Remove: s.removes, Hold: s.holds}
		for _, x := range s.sets {
			change.Set = append(change.Set, x.resource(r.t))
		}
		r.rig.publish(change)
	case s.what == "wait":
		time.Sleep(s.duration)
		synctest.Wait()
	case s.what == "connect" && c == nil:
		r.connect(s.client)
	case s.what == "leave" && c != nil:
		c.close()
		r.have[s.client], r.clients[s.client] = c.have, nil
	case s.what == "ask" && c != nil && !r.wanted[s.client][s.name]:
		c.mu.Lock()
		r.wanted[s.client][s.name] = true
		c.mu.Unlock()
		c.subscribe(eds, s.name)
	case s.what == "drop" && c != nil && r.wanted[s.client][s.name]:
		c.mu.Lock()
		delete(r.wanted[s.client], s.name)
		delete(c.have[eds], s.name)
		c.mu.Unlock()
		c.unsubscribe(eds, s.name)
	}
}

func (r *run) connect(i int) {
	c := r.rig.connect(fmt.Sprint("e", i), gatewayOf(i))
	r.clients[i] = c
	c.setAnswer(func(resp *discoveryv3.DeltaDiscoveryResponse) (bool, string) {
		for _, x := range resp.GetResources() {
			if r.bad[x.GetVersion()] {
				return true, "no"
			}
		}
		if resp.GetTypeUrl() == eds { // what arrives for a name that was dropped meanwhile is ignored
			resp.Resources = slices.DeleteFunc(resp.Resources, func(x *discoveryv3.Resource) bool { return !r.wanted[i][x.GetName()] })
		}
		return true, ""
	})
	for _, typeURL := range []string{cds, lds, vhds} {
		c.resume(typeURL, maps.Clone(r.have[i][typeURL]))
	}
	c.resume(eds, maps.Clone(r.have[i][eds]), slices.Sorted(maps.Keys(r.wanted[i]))...)
}

// release lets go of what is held.
func (r *run) release() {
	var change store.Change
	for _, k := range r.rig.store.Held() {
		if res := r.rig.store.Get(k); res != nil {
			change.Set = append(change.Set, res)
		} else {
			change.Remove = append(change.Remove, k)
		}
	}
	r.rig.publish(change)
}

// check compares what a client has with what its gateway sees.
func (r *run) check(i int) error {
	c := r.clients[i]
	v := r.rig.store.View(gatewayOf(i))
	defer v.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range propertyKeys {
		names := []string{k.Name}
		if k.Type == eds {
			names = propertyNames
		}
		for _, name := range names {
			has, f := c.have[k.Type][name], v.Find(key(k.Type, name))
			want := ""
			if f.Resource != nil {
				want = f.Resource.Version
			}
			switch {
			case k.Type == eds && !r.wanted[i][name]:
			case r.bad[want] && has == want:
				return fmt.Errorf("client %d has a version of %s that it refused", i, name)
			case !r.bad[want] && has != want:
				return fmt.Errorf("client %d has version %q of %s %s, want %q", i, has, k.Type, name, want)
			}
		}
	}
	return nil
}

// Whatever happens, every connected client ends with exactly what its gateway sees.
func TestClientsConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 3, 100}).Draw(rt, "log limit")
		var steps []step
		for n := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			steps = append(steps, drawStep(rt, n))
		}
		var failure error
		synctest.Test(t, func(t *testing.T) {
			r := &run{t: t, rig: newRigOn(t, store.NewLimited(limit), server.Options{}), bad: map[string]bool{}}
			r.rig.set(listener(t, "anchor", "edge", "inside"))
			for i := range r.clients {
				r.wanted[i] = map[string]bool{}
			}
			for _, s := range steps {
				for _, x := range s.sets {
					r.bad[x.resource(t).Version] = x.revision == badRevision
				}
			}
			for _, s := range steps {
				r.do(s)
			}
			r.release()
			time.Sleep(time.Hour)
			synctest.Wait()
			for i, c := range r.clients {
				if c != nil && failure == nil {
					failure = r.check(i)
				}
			}
		})
		if failure != nil {
			rt.Fatalf("%v, after %+v", failure, steps)
		}
	})
}
