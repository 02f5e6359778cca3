package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// health changes the state of one of two instances in every way that Consul has.
func health(t *testing.T, s *stack) {
	one, two := s.service("pool"), testenv.StartUpstream(s.t, "pool")
	s.register("pool", two, api.HealthCritical)
	s.put("pool.hcl", upstream("pool")+route("pool", "pool.example.com", "/", "pool"))
	s.serve(t, "pool.example.com", "/", "pool")
	s.calm(t, "pool.example.com", "/", func() {
		out(t, two)
		s.register("pool", two, api.HealthPassing)
		in(t, two)
		s.register("pool", one, api.HealthCritical)
		out(t, one)
		s.register("pool", one, api.HealthWarning)
		in(t, one)
		s.register("pool", one, api.HealthPassing)
		s.maintain("pool", two, true)
		out(t, two)
		s.maintain("pool", two, false)
		in(t, two)
		s.deregister("pool", one)
		out(t, one)
		one.Close() // nobody calls it any more
	})
	s.remove("pool.hcl")
	s.answer(t, "pool.example.com", "/", 404)
}

// maintain puts an instance into maintenance, as `consul maint -service` does, or takes it out.
func (s *stack) maintain(service string, u *testenv.Upstream, on bool) {
	s.t.Helper()
	id := fmt.Sprintf("%s-%d", service, u.Port())
	check := "_service_maintenance:" + id
	if !on {
		d := &api.CatalogDeregistration{Node: "vm-" + id, CheckID: check}
		if _, err := s.consul.Client().Catalog().Deregister(d, nil); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	s.consul.Register(&api.CatalogRegistration{
		Node: "vm-" + id, Address: "127.0.0.1", SkipNodeUpdate: true,
		Check: &api.AgentCheck{Node: "vm-" + id, CheckID: check, Name: "maintenance", Status: api.HealthCritical, ServiceID: id},
	})
}

// in waits until an instance takes part in a load that is under way.
func in(t *testing.T, u *testenv.Upstream) {
	t.Helper()
	before := u.Requests()
	testenv.Eventually(t, time.Minute, func() error {
		if u.Requests() == before {
			return fmt.Errorf("%s at %s takes no part", u.Name, u.Address)
		}
		return nil
	})
}

// out waits until an instance takes no part in a load that is under way: the others alone answer for a while.
func out(t *testing.T, u *testenv.Upstream) {
	t.Helper()
	seen, since := u.Requests(), time.Now()
	testenv.Eventually(t, time.Minute, func() error {
		if n := u.Requests(); n != seen {
			seen, since = n, time.Now()
		}
		if time.Since(since) < 500*time.Millisecond {
			return fmt.Errorf("%s at %s still takes part", u.Name, u.Address)
		}
		return nil
	})
}
