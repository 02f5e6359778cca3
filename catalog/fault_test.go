package catalog_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

func silent[T any](t *testing.T, ch <-chan T) {
	t.Helper()
	select {
	case v := <-ch:
		t.Errorf("a change was reported: %+v", v)
	default:
	}
}

// failing waits until every watch, or one at least, is in a state.
func eventuallyState(t *testing.T, c *catalog.Client, within time.Duration, want catalog.State, all bool) {
	t.Helper()
	testenv.Eventually(t, within, func() error {
		n := 0
		statuses := c.Statuses()
		for _, s := range statuses {
			if s.State == want {
				n++
			} else if all && s.State != catalog.StateAbsent {
				return fmt.Errorf("%+v", s)
			}
		}
		if n == 0 {
			return fmt.Errorf("none is %s: %+v", want, statuses)
		}
		return nil
	})
}

func instances(t *testing.T, c *catalog.Client, spec catalog.ServiceSpec) <-chan []gateway.Endpoint {
	t.Helper()
	ch := make(chan []gateway.Endpoint, 1000)
	run(t, func(ctx context.Context) error {
		return c.Service(spec).Run(ctx, func(e []gateway.Endpoint) { ch <- e }, nil)
	})
	return ch
}

func TestKilledConsulLosesNothing(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{Keep: true})
	consul.Put("sluice/routes/a.hcl", "a")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	ch := docs(t, c)
	next(t, ch)
	consul.Kill()
	eventuallyState(t, c, 5*time.Second, catalog.StateFailing, false)
	consul.Start()
	began := time.Now()
	consul.Put("sluice/routes/a.hcl", "changed")
	if got := next(t, ch); string(got.Set[0].Value) != "changed" {
		t.Fatalf("after the restart: %+v", got)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("recovery took %s", took)
	}
	silent(t, ch)
}

func TestFrozenConsulIsNoticedAndComesBack(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/routes/a.hcl", "a")
	log := &lockedLog{}
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Logger: hclog.New(&hclog.LoggerOptions{Output: log})})
	ch := docs(t, c)
	next(t, ch)
	consul.Pause()
	defer consul.Resume()
	testenv.Eventually(t, 15*time.Second, func() error {
		if c.Reachable() {
			return fmt.Errorf("a frozen consul counts as reachable")
		}
		return nil
	})
	consul.Resume()
	consul.Put("sluice/routes/a.hcl", "changed")
	if got := next(t, ch); string(got.Set[0].Value) != "changed" {
		t.Fatalf("after the thaw: %+v", got)
	}
	testenv.Eventually(t, 15*time.Second, func() error {
		if !strings.Contains(log.String(), "consul answers again") {
			return fmt.Errorf("the log does not say that it is over:\n%s", log)
		}
		return nil
	})
	if text := log.String(); strings.Count(text, "consul does not answer") != 1 || strings.Contains(text, "watch failed") {
		t.Errorf("an outage is not one line of the log:\n%s", text)
	}
}

func TestEmptyStateIsHeldThenConfirmed(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	for i := range 20 { // so that the index goes back
		consul.Put("sluice/routes/a.hcl", fmt.Sprint(i))
	}
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Hold: 4 * time.Second})
	ch := docs(t, c)
	next(t, ch)
	consul.Restart()
	eventuallyState(t, c, 10*time.Second, catalog.StateHeld, false)
	silent(t, ch)
	if got := next(t, ch); len(got.Deleted) != 1 {
		t.Fatalf("after the hold: %+v", got)
	}
}

func TestPrefixDeletedAndPutBack(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	put := func() {
		consul.Put("sluice/routes/root.hcl", "r")
		consul.Put("sluice/routes/a/a.hcl", "a")
		consul.Put("sluice/routes/a/b.hcl", "b")
	}
	put()
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	ch := docs(t, c)
	next(t, ch)
	consul.Delete("sluice/")
	testenv.Eventually(t, 5*time.Second, func() error {
		held := 0
		for _, s := range c.Statuses() {
			held += len(s.Held)
		}
		if held != 5 { // three documents, two names
			return fmt.Errorf("%d rows are held", held)
		}
		return nil
	})
	silent(t, ch)
	put()
	set := map[string]bool{} // new indexes, old text
	for len(set) < 3 {
		got := next(t, ch)
		if len(got.Deleted) > 0 {
			t.Fatalf("deleted: %v", got.Deleted)
		}
		for _, p := range got.Set {
			set[p.Key] = true
		}
	}
	eventuallyState(t, c, 5*time.Second, catalog.StateOK, true)
}

func TestTokenFileIsRead(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	consul.Put("sluice/routes/a.hcl", "a")
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	old := consul.CreateToken(policies.Reader("sluice/"))
	write(old)
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, TokenFile: file, Wait: 200 * time.Millisecond})
	ch := docs(t, c)
	next(t, ch)
	consul.DeleteToken(old)
	eventuallyState(t, c, 10*time.Second, catalog.StateFailing, false)
	silent(t, ch)
	write(consul.CreateToken(policies.Reader("sluice/")))
	consul.Put("sluice/routes/a.hcl", "changed")
	if got := next(t, ch); string(got.Set[0].Value) != "changed" {
		t.Fatalf("with the new token: %+v", got)
	}
}

func TestServiceBecomesEndpoints(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	register := func(node, id, addr, status string, tags ...string) {
		t.Helper()
		consul.Register(&api.CatalogRegistration{
			Node: node, Address: "127.0.0.9", NodeMeta: map[string]string{"region": "eu", "zone": "eu-1"},
			Service: &api.AgentService{ID: id, Service: "web", Port: 8080, Address: addr, Tags: tags, Meta: map[string]string{"version": "2"}, Weights: api.AgentWeights{Passing: 10, Warning: 3}},
			Check:   &api.AgentCheck{Node: node, CheckID: node + id, ServiceID: id, Status: status},
		})
	}
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	ch := instances(t, c, catalog.ServiceSpec{Service: "web"})
	if got := next(t, ch); len(got) != 0 {
		t.Fatalf("nothing is registered, got %v", got)
	}
	register("n1", "w", "", api.HealthPassing, "v2", "a")
	got := next(t, ch)[0]
	if got.ID != "n1/w" || got.Address != "127.0.0.9" || got.Port != 8080 || got.Weight != 10 || got.Health != gateway.Healthy ||
		fmt.Sprint(got.Tags) != "[a v2]" || got.Meta["version"] != "2" || got.Locality != (gateway.Locality{Region: "eu", Zone: "eu-1"}) {
		t.Fatalf("got %+v", got)
	}
	register("n2", "w", "127.0.0.2", api.HealthWarning)
	if got := next(t, ch); len(got) != 2 || got[1].Health != gateway.Warning || got[1].Weight != 3 || got[1].Address != "127.0.0.2" {
		t.Fatalf("got %+v", got)
	}
	register("n1", "w", "", api.HealthCritical)
	if got := next(t, ch); len(got) != 2 || got[0].Health != gateway.Critical {
		t.Fatalf("got %+v", got)
	}
	tagged := instances(t, c, catalog.ServiceSpec{Service: "web", Tags: []string{"a"}, PassingOnly: true})
	next(t, tagged)
	register("n1", "w", "", api.HealthPassing, "a", "b")
	for { // the check and the tags change in one registration, seen once or twice
		if got := next(t, tagged); len(got) == 1 && got[0].Health == gateway.Healthy {
			break
		}
	}
	register("n3", "w", "web.example.com", api.HealthPassing, "a")
	testenv.Eventually(t, 5*time.Second, func() error {
		for _, s := range c.Statuses() {
			if len(s.Faults) == 1 {
				return nil
			}
		}
		return fmt.Errorf("a hostname is no fault")
	})
}

func TestMissingInstancesAreConfirmed(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	for _, n := range []string{"n1", "n2"} {
		consul.Register(&api.CatalogRegistration{Node: n, Address: "127.0.0.1", Service: &api.AgentService{ID: "w", Service: "web", Port: 80}})
	}
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Hold: time.Second})
	ch := instances(t, c, catalog.ServiceSpec{Service: "web"})
	next(t, ch)
	deregister := func(node string) time.Duration {
		t.Helper()
		began := time.Now()
		if _, err := consul.Client().Catalog().Deregister(&api.CatalogDeregistration{Node: node}, nil); err != nil {
			t.Fatal(err)
		}
		next(t, ch)
		return time.Since(began)
	}
	if d := deregister("n1"); d > 500*time.Millisecond {
		t.Errorf("one of two was dropped after %s", d)
	}
	if d := deregister("n2"); d < time.Second {
		t.Errorf("the last instance was dropped after %s, before its hold ended", d)
	}
}

func TestManyWatchesShareTLSConnections(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{TLS: true})
	c := client(t, catalog.Config{Addresses: []string{"https://" + consul.TLSAddr}, TLS: tlsfiles.Config{CAFile: consul.CAFile}})
	const n = 450
	all := make(chan string, 10*n)
	for i := range n {
		name := fmt.Sprintf("s%03d", i)
		run(t, func(ctx context.Context) error {
			return c.Service(catalog.ServiceSpec{Service: name}).Run(ctx, func(e []gateway.Endpoint) { all <- fmt.Sprint(name, len(e)) }, nil)
		})
	}
	for range n {
		next(t, all)
	}
	if conns := established(t, consul.TLSAddr); conns > 8 {
		t.Errorf("%d watches use %d connections", n, conns)
	}
	if c.Lag() != 0 {
		t.Errorf("lag %s", c.Lag())
	}
	consul.Register(&api.CatalogRegistration{Node: "n", Address: "127.0.0.1", Service: &api.AgentService{ID: "w", Service: "s449", Port: 1}})
	if got := next(t, all); got != "s4491" {
		t.Errorf("got %s", got)
	}
}

func TestPlainHTTPRotatesWithinItsBudget(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	const n = 200
	all := make(chan string, 10*n)
	for i := range n {
		name := fmt.Sprintf("s%03d", i)
		run(t, func(ctx context.Context) error {
			return c.Service(catalog.ServiceSpec{Service: name}).Run(ctx, func(e []gateway.Endpoint) { all <- fmt.Sprint(name, len(e)) }, nil)
		})
	}
	for range n {
		next(t, all)
	}
	if c.Lag() == 0 {
		t.Error("more watches than slots, and no lag is shown")
	}
	for _, id := range []string{"000", "199"} {
		consul.Register(&api.CatalogRegistration{Node: "n" + id, Address: "127.0.0.1", Service: &api.AgentService{ID: "w", Service: "s" + id, Port: 1}})
		if got := next(t, all); got != "s"+id+"1" {
			t.Errorf("got %s", got)
		}
	}
	if conns := established(t, consul.Addr); conns > 170 {
		t.Errorf("%d watches use %d connections", n, conns)
	}
}

// established counts connections of this process to an address.
func established(t *testing.T, addr string) int {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	return countConnections(string(table), fmt.Sprintf("0100007F:%04X", tcp.Port))
}

func TestLoneChangeIsNotDelayed(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/routes/a.hcl", "a")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	ch := docs(t, c)
	next(t, ch)
	kv := consul.Client().KV()
	index := uint64(0)
	var ours, bare []time.Duration
	for i := range 60 {
		_, meta, err := kv.Get("sluice/routes/a.hcl", &api.QueryOptions{WaitIndex: index, WaitTime: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		index = meta.LastIndex
		arrived := make(chan time.Time, 1)
		go func() {
			_, _, _ = kv.Get("sluice/routes/a.hcl", &api.QueryOptions{WaitIndex: index, WaitTime: 10 * time.Second})
			arrived <- time.Now()
		}()
		began := time.Now()
		consul.Put("sluice/routes/a.hcl", fmt.Sprint(i))
		next(t, ch)
		ours = append(ours, time.Since(began))
		bare = append(bare, (<-arrived).Sub(began))
	}
	t.Logf("median: put to callback %s, put to bare answer %s", median(ours), median(bare))
	if median(ours) > median(bare)+5*time.Millisecond {
		t.Errorf("a change arrives after %s, a bare query's answer after %s", median(ours), median(bare))
	}
}

func TestNextAddressIsTaken(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{TLS: true})
	consul.Put("sluice/routes/a.hcl", "a")
	c := client(t, catalog.Config{
		Addresses: []string{testenv.Unused(t), "https://" + testenv.Unused(t), "https://" + consul.TLSAddr}, TLS: tlsfiles.Config{CAFile: consul.CAFile},
	})
	if got := next(t, docs(t, c)); len(got.Set) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestAuthorityFileIsReadAtEachHandshake(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{TLS: true, Keep: true})
	consul.Put("sluice/routes/a.hcl", "a")
	mine := filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, testenv.WriteCertificates(t, t.TempDir()), mine) // another authority
	c := client(t, catalog.Config{Addresses: []string{"https://" + consul.TLSAddr}, TLS: tlsfiles.Config{CAFile: mine}})
	ch := docs(t, c)
	eventuallyState(t, c, 5*time.Second, catalog.StateFailing, false)
	copyFile(t, consul.CAFile, mine)
	if got := next(t, ch); len(got.Set) != 1 {
		t.Errorf("got %+v", got)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
