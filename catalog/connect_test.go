package catalog_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestOtherDatacentersAreListed follows a service in two datacenters, and loses the other one.
func TestOtherDatacentersAreListed(t *testing.T) {
	t.Parallel()
	here := testenv.StartConsul(t, testenv.ConsulOptions{WAN: true})
	there := testenv.StartConsul(t, testenv.ConsulOptions{WAN: true, Keep: true, Datacenter: "dc2", Federate: here})
	register := func(c *testenv.Consul, id string, port int) {
		c.Register(&api.CatalogRegistration{Node: "n-" + id, Address: "127.0.0.1", Service: &api.AgentService{ID: id, Service: "shop", Port: port}})
	}
	register(here, "a", 1)
	register(there, "b", 2)
	c := client(t, catalog.Config{Addresses: []string{here.Addr}})
	sources := (&gateway.Source{Spec: &catalog.ServiceSpec{Service: "shop", Failover: []string{"dc2"}}}).Expand()
	if len(sources) != 2 || sources[0].Priority != 0 || sources[1].Priority != 1 {
		t.Fatalf("one block became %+v", sources)
	}
	var lists []<-chan []gateway.Endpoint
	for _, s := range sources {
		lists = append(lists, instances(t, c, *s.Spec.(*catalog.ServiceSpec)))
	}
	awaitEndpoints(t, lists[0], "n-a/a")
	awaitEndpoints(t, lists[1], "n-b/b")
	register(there, "c", 3)
	awaitEndpoints(t, lists[1], "n-b/b", "n-c/c")
	there.Kill()
	register(here, "d", 4)
	awaitEndpoints(t, lists[0], "n-a/a", "n-d/d")
	testenv.Eventually(t, 30*time.Second, func() error {
		for _, s := range c.Statuses() {
			if s.Name == "service shop@dc2" && s.State == catalog.StateFailing {
				return nil
			}
		}
		return fmt.Errorf("the watches are %+v", c.Statuses())
	})
	select {
	case list := <-lists[1]:
		t.Errorf("the datacenter that is away was reported with %v", list)
	default:
	}
	there.Start()
	register(there, "e", 5)
	awaitEndpoints(t, lists[1], "n-b/b", "n-c/c", "n-e/e")
}

// awaitEndpoints waits until a watch says exactly these IDs.
func awaitEndpoints(t *testing.T, ch <-chan []gateway.Endpoint, ids ...string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case list := <-ch:
			got := []string{}
			for _, e := range list {
				got = append(got, e.ID)
			}
			if strings.Join(got, " ") == strings.Join(ids, " ") {
				return
			}
		case <-deadline:
			t.Fatalf("%v did not come", ids)
		}
	}
}

// identities follows an identity until the end of a test.
type identities struct {
	updates chan catalog.Identity
	errs    chan error
	alive   chan struct{}
}

func identity(t *testing.T, c *catalog.Client) identities {
	t.Helper()
	i := identities{make(chan catalog.Identity, 100), make(chan error, 1000), make(chan struct{}, 1000)}
	run(t, func(ctx context.Context) error {
		c.WatchIdentity(ctx, func(x catalog.Identity) { i.updates <- x }, func() { i.alive <- struct{}{} }, func(err error) { i.errs <- err })
		return ctx.Err()
	})
	return i
}

// proves verifies that an identity's certificate is that of a service, by the authorities that came with it.
func proves(i catalog.Identity, service string) error {
	pair, err := tls.X509KeyPair(i.Fields["certificate"], i.Fields["private_key"])
	if err != nil {
		return errors.New("the certificate and the key are no pair")
	}
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(i.Fields["ca"])
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			middle.AddCert(c)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return err
	}
	if len(pair.Leaf.URIs) != 1 || pair.Leaf.URIs[0].String() != string(i.Fields["name"]) || !strings.HasSuffix(string(i.Fields["name"]), "/svc/"+service) {
		return fmt.Errorf("the certificate is of %v, and the name is %s", pair.Leaf.URIs, i.Fields["name"])
	}
	if !i.Expires.Equal(pair.Leaf.NotAfter) {
		return fmt.Errorf("it expires at %s, the certificate at %s", i.Expires, pair.Leaf.NotAfter)
	}
	return nil
}

// TestAnIdentityInTheMesh is taken by the shipped policy under default deny, follows a new authority, and outlives the
// agent.
func TestAnIdentityInTheMesh(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true, Mesh: true, Keep: true})
	log := &lockedLog{}
	c := client(t, catalog.Config{
		Addresses: []string{consul.Addr}, ConnectService: "edge", Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace}),
		Token: consul.CreateToken(policies.Reader("sluice/") + policies.Mesh("edge")),
	})
	for _, f := range c.DoctorMesh(t.Context()) {
		if !f.OK {
			t.Errorf("%s: %v, needs %s", f.Check, f.Err, f.Need)
		}
	}
	i := identity(t, c)
	first := next(t, i.updates)
	if err := proves(first, "edge"); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v", first, first, first); strings.Contains(text, "PRIVATE") {
		t.Error("an identity can be printed")
	}
	t.Run("its authority is replaced", func(t *testing.T) {
		newAuthority(t, consul)
		testenv.Eventually(t, 2*time.Minute, func() error {
			now := nextWithin(t, i.updates, time.Minute) // Consul spreads new leaves over half of one
			if err := proves(now, "edge"); err != nil {
				t.Errorf("on the way: %v", err)
			}
			if bytes.Equal(now.Fields["certificate"], first.Fields["certificate"]) || bytes.Count(now.Fields["ca"], []byte("BEGIN")) != 2 {
				return errors.New("the leaf or the authorities are as before")
			}
			return nil
		})
	})
	t.Run("the agent is away", func(t *testing.T) {
		consul.Kill()
		next(t, i.errs)
		if len(i.updates) > 0 {
			t.Error("an outage changed the identity")
		}
		consul.Start()
		testenv.Eventually(t, time.Minute, func() error {
			for len(i.alive) > 0 {
				<-i.alive
			}
			select {
			case <-i.alive:
				return nil
			case u := <-i.updates: // an agent that restarts may make a new leaf
				return proves(u, "edge")
			case <-time.After(time.Second):
				return errors.New("no sign of life")
			}
		})
	})
	if strings.Contains(log.String(), "PRIVATE") {
		t.Error("the key is in the log")
	}
}

// newAuthority has Consul sign with another key from now on.
func newAuthority(t *testing.T, consul *testenv.Consul) {
	t.Helper()
	ca := consul.Client().Connect()
	conf, _, err := ca.CAGetConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	conf.Config["PrivateKeyType"], conf.Config["PrivateKeyBits"] = "rsa", 2048
	if conf.Config["RootCert"] != nil {
		delete(conf.Config, "RootCert")
		delete(conf.Config, "PrivateKey")
	}
	if _, err := ca.CASetConfig(conf, nil); err != nil {
		t.Fatal(err)
	}
}

// TestAMeshThatIsNotThere names what is missing: the right to be the service, and the mesh itself.
func TestAMeshThatIsNotThere(t *testing.T) {
	t.Parallel()
	t.Run("no right", func(t *testing.T) {
		consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true, Mesh: true})
		c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Token: consul.CreateToken(policies.Reader("sluice/"))})
		err := next(t, identity(t, c).errs)
		if !strings.Contains(err.Error(), "leaf certificate of service sluice") || !strings.Contains(err.Error(), "403") {
			t.Errorf("without the right it says %v", err)
		}
		bad := 0
		for _, f := range c.DoctorMesh(t.Context()) {
			if !f.OK {
				bad++
				if f.Need != `service "sluice" { policy = "write" }` {
					t.Errorf("%s (%v) needs %s", f.Check, f.Err, f.Need)
				}
			}
		}
		if bad != 1 {
			t.Errorf("the doctor misses %d things", bad)
		}
		c = client(t, catalog.Config{Addresses: []string{consul.Addr}, Token: consul.CreateToken(policies.Mesh("sluice"))})
		ch := make(chan []gateway.Endpoint, 10)
		run(t, func(ctx context.Context) error {
			return c.Service(catalog.ServiceSpec{Service: "shop", Connect: true}).Run(ctx, func(e []gateway.Endpoint) { ch <- e }, nil)
		})
		eventuallyState(t, c, 10*time.Second, catalog.StateFailing, false)
		if len(ch) > 0 {
			t.Error("403 was taken for an empty list")
		}
	})
	t.Run("no mesh", func(t *testing.T) {
		consul := testenv.StartConsul(t, testenv.ConsulOptions{})
		c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
		next(t, identity(t, c).errs)
		bad := c.DoctorMesh(t.Context())
		for _, f := range bad {
			if f.OK {
				t.Errorf("%s: that is fine without a mesh", f.Check)
			}
		}
	})
}

func TestTheConsulBlockIsChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`dc2 dc3`:     nil,
		`dc2 dc2`:     {"Invalid datacenter"},
		`dc1`:         {"Invalid datacenter"},
		`a/b`:         {"Invalid datacenter"},
		many(16, "x"): {"Too many datacenters"},
	} {
		s := &catalog.ServiceSpec{Service: "shop", Datacenter: "dc1", Failover: strings.Fields(text)}
		var got []string
		for _, d := range s.Check(nil) {
			got = append(got, d.Summary)
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("failover to %s: %v, want %v", text, got, want)
		}
	}
	a, b := catalog.ServiceSpec{Service: "shop"}, catalog.ServiceSpec{Service: "shop", Failover: []string{"dc2"}}
	if a.SourceKey() != b.SourceKey() {
		t.Error("a listing depends on where else the service is listed")
	}
	if b.Connect = true; a.SourceKey() == b.SourceKey() {
		t.Error("a service in the mesh is the same listing as outside")
	}
}

// many are n words.
func many(n int, word string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%d ", word, i)
	}
	return b.String()
}
