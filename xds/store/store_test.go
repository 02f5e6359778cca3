package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/xds/store"
)

const (
	cds = resourcev3.ClusterType
	eds = resourcev3.EndpointType
)

func resource(t testing.TB, name, note string, gateways ...string) *store.Resource {
	t.Helper()
	r, err := store.NewResource(store.Key{Type: cds, Name: name}, &clusterv3.Cluster{Name: name, AltStatName: note}, nil, gateways)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func changed(s *store.Store, after uint64) (names []string, ok bool) {
	v := s.View("edge")
	defer v.Close()
	ok = v.Changed(cds, after, func(name string, _ uint64) { names = append(names, name) })
	return names, ok
}

func woken(w *store.Watch) bool {
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func TestNewResource(t *testing.T) {
	a, b := resource(t, "pets", "x", "b", "a", "b"), resource(t, "pets", "x", "a")
	if a.Version != b.Version || len(a.Version) != 32 {
		t.Errorf("versions %q and %q of equal messages", a.Version, b.Version)
	}
	if c := resource(t, "pets", "y", "a"); c.Version == a.Version {
		t.Error("a changed message has the same version")
	}
	same(t, "gateways", a.Gateways, []string{"a", "b"})
	same(t, "key", a.String(), "Cluster pets")
	if !a.VisibleTo("a") || a.VisibleTo("c") {
		t.Error("visible to the wrong gateways")
	}
	if _, err := store.NewResource(store.Key{Type: eds, Name: "pets"}, &clusterv3.Cluster{}, nil, nil); err == nil {
		t.Error("a cluster passes for an assignment")
	}
	for _, tt := range []struct{ service, want string }{{"pets@1", "pets@1"}, {"", "pets"}} {
		r, err := store.NewResource(store.Key{Type: cds, Name: "pets"}, &clusterv3.Cluster{
			Name: "pets", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: tt.service},
		}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "assignment", r.Assignment(), tt.want)
	}
}

func TestWireRenamesAssignment(t *testing.T) {
	m := &endpointv3.ClusterLoadAssignment{
		ClusterName: "pets", Policy: &endpointv3.ClusterLoadAssignment_Policy{WeightedPriorityHealth: true},
		Endpoints: []*endpointv3.LocalityLbEndpoints{{Priority: 7}},
	}
	r, err := store.NewResource(store.Key{Type: eds, Name: "pets"}, m, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pets", "pets@0123456789abcdef"} {
		w := r.Wire(name)
		var got endpointv3.ClusterLoadAssignment
		if err := w.GetResource().UnmarshalTo(&got); err != nil {
			t.Fatal(err)
		}
		want := proto.Clone(m).(*endpointv3.ClusterLoadAssignment)
		want.ClusterName = name
		if !proto.Equal(&got, want) || w.GetName() != name || w.GetVersion() != r.Version {
			t.Errorf("asked for %s: %v", name, w)
		}
		if r.Wire(name) != w {
			t.Errorf("%s is built twice", name)
		}
	}
}

func TestPublishLogsWhatChangedAlone(t *testing.T) {
	s := store.New()
	w, other := s.Watch("edge"), s.Watch("other")
	defer w.Close()
	defer other.Close()
	first := s.Publish(store.Change{Set: []*store.Resource{resource(t, "a", "", "edge"), resource(t, "b", "", "edge")}})
	if !woken(w) || woken(other) {
		t.Error("the wrong watches were woken")
	}
	same(t, "equal", s.Publish(store.Change{Set: []*store.Resource{resource(t, "a", "", "edge")}}), first)
	if woken(w) {
		t.Error("woken by what did not change")
	}
	s.Publish(store.Change{Set: []*store.Resource{resource(t, "a", "", "edge", "other")}})
	if !woken(w) || !woken(other) {
		t.Error("a changed gateway wakes nobody")
	}
	s.Publish(store.Change{Remove: []store.Key{{Type: cds, Name: "b"}, {Type: cds, Name: "never"}}})
	names, ok := changed(s, first)
	same(t, "log", names, []string{"a", "b"})
	same(t, "log reaches back", ok, true)
	same(t, "gateways", s.Gateways(), []string{"edge", "other"})
	same(t, "log length", s.LogLength(), map[string]int{cds: 4})
	same(t, "list", len(s.List("other")), 1)
	if s.Get(store.Key{Type: cds, Name: "b"}) != nil || s.Get(store.Key{Type: cds, Name: "a"}) == nil {
		t.Error("the wrong resources are there")
	}
}

func TestLogIsCompacted(t *testing.T) {
	s := store.NewLimited(4)
	var at []uint64
	for i := range 20 {
		at = append(at, s.Publish(store.Change{Set: []*store.Resource{resource(t, "a", fmt.Sprint(i), "edge")}}))
	}
	if n := s.LogLength()[cds]; n > 8 {
		t.Errorf("log of limit 4 has %d entries", n)
	}
	if names, ok := changed(s, at[0]); ok || len(names) > 0 {
		t.Errorf("a cursor beyond the log got %v", names)
	}
	names, ok := changed(s, at[17])
	same(t, "recent", names, []string{"a", "a"})
	same(t, "recent", ok, true)
}

func TestHold(t *testing.T) {
	s := store.New()
	a, never := store.Key{Type: cds, Name: "a"}, store.Key{Type: cds, Name: "never"}
	ra := resource(t, "a", "", "edge")
	g := s.Publish(store.Change{Set: []*store.Resource{ra}})
	same(t, "generation", s.Publish(store.Change{Hold: []store.Key{a, never}}), g)
	same(t, "held", s.Held(), []store.Key{a, never})
	v := s.View("edge")
	f, n := v.Find(a), v.Find(never)
	v.Close()
	if !f.Held || f.Resource != ra || !n.Held || n.Resource != nil {
		t.Errorf("found %+v and %+v", f, n)
	}
	w := s.Watch("elsewhere") // its streams may have what is let go, from an earlier process
	defer w.Close()
	s.Publish(store.Change{Set: []*store.Resource{ra}, Remove: []store.Key{never}})
	same(t, "held", s.Held(), []store.Key(nil))
	names, _ := changed(s, g)
	same(t, "let go", names, []string{"a", "never"})
	if !woken(w) {
		t.Error("letting go wakes nobody")
	}
}

func TestAliases(t *testing.T) {
	s := store.New()
	ask := func(base string) (names []string) {
		s.Asked(base, func(n string) { names = append(names, n) })
		slices.Sort(names)
		return names
	}
	for _, n := range []string{"pets@1", "pets@2", "pets@2", "pets", "a@b@1"} {
		s.Ask(n)
	}
	same(t, "asked", ask("pets"), []string{"pets@1", "pets@2"})
	same(t, "asked", ask("a@b"), []string{"a@b@1"})
	s.Unask("pets@1")
	s.Unask("pets@2")
	s.Unask("pets")
	s.Unask("nobody@1")
	same(t, "asked", ask("pets"), []string{"pets@2"})
}

func TestConcurrentUse(t *testing.T) {
	s := store.NewLimited(8)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			w := s.Watch("edge")
			defer w.Close()
			for i := range 200 {
				s.Publish(store.Change{Set: []*store.Resource{resource(t, fmt.Sprint("r", i%7), fmt.Sprint(g, i), "edge")}})
				changed(s, uint64(i))
				v := s.View("edge")
				for range v.Names(cds) {
				}
				v.Close()
				s.List("")
				woken(w)
			}
		})
	}
	wg.Wait()
	same(t, "resources", len(s.List("edge")), 7)
}
