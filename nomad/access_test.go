package nomad

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/nomad/policies"
)

// TestShippedPolicy: under default deny, the policy suffices for everything, and without it nothing is seen.
func TestShippedPolicy(t *testing.T) {
	n := startNomad(t, withACL)
	n.SetPolicy(t, "sluice", policies.Reader())
	n.SetChecks("a1", "shop", "success")
	n.Register(shop(n, 1))
	l := listen(t, client(t, n, token(n.NewToken(0, "sluice"))), Spec{Service: "shop", Checks: true})
	l.healthOf(t, "10.0.0.1", gateway.Healthy)
	if n.Calls("/v1/event/stream") == 0 || l.errors() > 0 {
		t.Errorf("streams: %d, errors: %v", n.Calls("/v1/event/stream"), l.errs)
	}
	nothing := listen(t, client(t, n, token(n.NewToken(0))), Spec{Service: "shop"})
	testenv.Eventually(t, 5*time.Second, func() error {
		if nothing.errors() == 0 {
			return errors.New("no error")
		}
		return nil
	})
	want := `list services of namespace default: nomad answered 403: Permission denied (the token is unknown, has expired, or lacks namespace "default" { capabilities = ["read-job"] })`
	if d := cmp.Diff(want, nothing.firstError().Error()); d != "" {
		t.Error(d)
	}
	n.AddNamespace("payments")
	n.SetPolicy(t, "narrow", policies.Reader("payments"))
	pay := n.Service("pay", "p1", "10.3.0.1", 80)
	pay.Namespace = "payments"
	n.Register(pay)
	narrow := listen(t, client(t, n, token(n.NewToken(0, "narrow"))), Spec{Service: "pay", Namespace: "payments"})
	narrow.expect(t, "10.3.0.1")
}

// TestWorkloadIdentity may list services without any policy, and events only with one. A stream is tried again at once
// when the policy comes with a new token.
func TestWorkloadIdentity(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("refused late %t", late), func(t *testing.T) {
			n := startNomad(t, withACL)
			n.Break(testenv.NomadFault{Path: "/v1/event", Late: late})
			n.SetPolicy(t, "sluice", policies.Reader())
			n.Register(shop(n, 1))
			secrets := t.TempDir()
			file := filepath.Join(secrets, identityFile)
			write(t, file, n.NewIdentity())
			p := hasty
			p.refused, p.longest = time.Hour, time.Hour
			c := client(t, n, at(p), func(c *Config) { c.Token, c.TokenFile = "", file })
			l := listen(t, c, Spec{Service: "shop"})
			l.expect(t, "10.0.0.1")
			n.Register(shop(n, 2))
			l.expect(t, "10.0.0.1", "10.0.0.2")
			l.stays(t, "10.0.0.1", "10.0.0.2")
			if tried := n.Calls("/v1/event/stream"); tried != 1 {
				t.Errorf("%d streams were tried", tried)
			}
			write(t, file, n.NewIdentity("sluice")+"\n")
			testenv.Eventually(t, 5*time.Second, func() error {
				if n.Calls("/v1/event/stream") < 2 {
					return errors.New("no stream was tried with the new token")
				}
				return nil
			})
			n.Register(shop(n, 3))
			l.expect(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
			if l.errors() > 0 {
				t.Errorf("errors: %v", l.errs)
			}
		})
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRevokedToken: nothing is lost, and the next token in the file is used.
func TestRevokedToken(t *testing.T) {
	n := startNomad(t, withACL)
	n.SetPolicy(t, "sluice", policies.Reader())
	n.Register(shop(n, 1))
	file := filepath.Join(t.TempDir(), "token")
	first := n.NewToken(0, "sluice")
	write(t, file, first)
	l := listen(t, client(t, n, func(c *Config) { c.Token, c.TokenFile = "", file }), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	n.Revoke(first)
	l.stays(t, "10.0.0.1")
	write(t, file, n.NewToken(0, "sluice")+"x")
	write(t, file, "")
	l.stays(t, "10.0.0.1")
	write(t, file, n.NewToken(0, "sluice"))
	n.Register(shop(n, 2))
	l.expect(t, "10.0.0.1", "10.0.0.2")
}

func TestTaskAPI(t *testing.T) {
	n := startNomad(t, withACL, func(o *testenv.NomadOptions) { o.Socket = true })
	n.SetPolicy(t, "sluice", policies.Reader())
	n.Register(shop(n, 1))
	l := listen(t, client(t, n), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	n.Register(shop(n, 2))
	l.expect(t, "10.0.0.1", "10.0.0.2")
}

func TestMutualTLS(t *testing.T) {
	n := startNomad(t, func(o *testenv.NomadOptions) { o.TLS = true })
	n.Register(shop(n, 1))
	c := client(t, n)
	l := listen(t, c, Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	// The client's certificate is of another authority now, and later of the right one again.
	names := []string{"client.pem", "client-key.pem"}
	kept := map[string][]byte{}
	for _, f := range names {
		text, err := os.ReadFile(filepath.Join(n.Dir, f))
		if err != nil {
			t.Fatal(err)
		}
		kept[f] = text
	}
	other := t.TempDir()
	testenv.WriteCertificates(t, other)
	for _, f := range names {
		text, err := os.ReadFile(filepath.Join(other, f))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(n.Dir, f), string(text))
	}
	n.CutStreams()
	c.Close()
	testenv.Eventually(t, 5*time.Second, func() error {
		c.Close()
		if l.errors() == 0 {
			n.CutStreams()
			return errors.New("the new certificate is not used")
		}
		return nil
	})
	l.stays(t, "10.0.0.1")
	for f, text := range kept {
		write(t, filepath.Join(n.Dir, f), string(text))
	}
	n.Register(shop(n, 2))
	l.expect(t, "10.0.0.1", "10.0.0.2")
}

func TestClustersRegionsNamespaces(t *testing.T) {
	east := startNomad(t, func(o *testenv.NomadOptions) { o.Regions = []string{"east", "north"} })
	west := startNomad(t)
	east.AddNamespace("team")
	inTeam := shop(east, 2)
	inTeam.Namespace = "team"
	east.Register(shop(east, 1), inTeam)
	east.RegisterIn("north", shop(east, 3))
	west.Register(shop(west, 4))
	clients := []*Client{
		client(t, east, func(c *Config) { c.Name, c.Region = "east", "east" }),
		client(t, west, func(c *Config) { c.Name = "west" }),
	}
	kind := Kind(Options{Clients: clients})
	for address, spec := range map[string]Spec{
		"10.0.0.1": {Service: "shop", Connection: "east"},
		"10.0.0.2": {Service: "shop", Connection: "east", Namespace: "team"},
		"10.0.0.3": {Service: "shop", Connection: "east", Region: "north"},
		"10.0.0.4": {Service: "shop", Connection: "west"},
	} {
		source, err := kind.Open(&spec)
		if err != nil {
			t.Fatal(err)
		}
		l := listen(t, source.(*Source).c, spec)
		l.expect(t, address)
		for _, e := range l.now {
			if want := map[bool]string{true: "north", false: "east"}[spec.Region != ""]; spec.Connection == "east" && e.Locality.Region != want {
				t.Errorf("the region of %s is %q", address, e.Locality.Region)
			}
		}
	}
	for want, spec := range map[string]*Spec{
		"open nomad source: several nomads are configured, connection must name one of east, west": {Service: "shop"},
		`open nomad source: no nomad connection is named "south"; there is east, west`:             {Service: "shop", Connection: "south"},
	} {
		if _, err := kind.Open(spec); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Kind(Options{}).Open(&Spec{Service: "shop"}); err == nil || !strings.Contains(err.Error(), "no nomad is configured") {
		t.Error(err)
	}
}

// TestAddresses: one that is dead, or has no leader, makes way for the next.
func TestAddresses(t *testing.T) {
	dead := testenv.Unused(t)
	ill, n := startNomad(t), startNomad(t)
	ill.Break(testenv.NomadFault{Status: 500})
	n.Register(shop(n, 1))
	l := listen(t, client(t, n, func(c *Config) { c.Addresses = []string{"http://" + dead, ill.Addr, n.Addr} }), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	if l.errors() > 0 {
		t.Errorf("errors: %v", l.errs)
	}
}

// TestConnectionBudget: namespaces for which there is no connection that may wait are listed in turn.
func TestConnectionBudget(t *testing.T) {
	n := startNomad(t)
	c := client(t, n)
	var all []*listener
	for i := range streamSlots + 6 {
		ns := fmt.Sprint("ns", i)
		n.AddNamespace(ns)
		r := shop(n, 1)
		r.Namespace = ns
		n.Register(r)
		all = append(all, listen(t, c, Spec{Service: "shop", Namespace: ns}))
	}
	for i, l := range all {
		l.expect(t, "10.0.0.1")
		r := shop(n, 2)
		r.Namespace = fmt.Sprint("ns", i)
		n.Register(r)
	}
	for _, l := range all {
		l.expect(t, "10.0.0.1", "10.0.0.2")
	}
	if open := n.Connections(); open > streamSlots+callSlots || open < streamSlots {
		t.Errorf("%d connections", open)
	}
}

func TestDiscover(t *testing.T) {
	n := startNomad(t, withACL)
	n.AddNamespace("team")
	n.AddNamespace("hidden")
	cart, secret := n.Service("cart", "c1", "10.1.0.1", 80, "v2", "v1"), n.Service("secret", "s1", "10.2.0.1", 80)
	cart.Namespace, secret.Namespace = "team", "hidden"
	n.Register(shop(n, 1), shop(n, 2), cart, secret)
	n.SetPolicy(t, "some", policies.Reader("default", "team"))
	c := client(t, n, token(n.NewToken(0, "some")))
	found, err := Kind(Options{Clients: []*Client{c}}).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Name, Key, Note string
		Count           int
	}
	var have []row
	for _, f := range found {
		have = append(have, row{f.Name, f.Spec.SourceKey().Query, f.Note, f.Count})
	}
	want := []row{{"cart", "cart namespace=team", "namespace team, tags v1, v2", 1}, {"shop", "shop", "namespace default", 2}}
	if d := cmp.Diff(want, have); d != "" {
		t.Error(d)
	}
	for covers, spec := range map[bool]*Spec{true: {Service: "shop", Namespace: "default", Tags: []string{"x"}}, false: {Service: "cart"}} {
		if slices.ContainsFunc(found, func(f discovery.Found) bool { return f.Covered(spec) }) != covers {
			t.Errorf("covered by %v: not %t", spec, covers)
		}
	}
	n.Break(testenv.NomadFault{Path: "/v1/service/cart", Status: 500})
	if found, err = Kind(Options{Clients: []*Client{c}}).Discover(t.Context()); err == nil || len(found) != 2 {
		t.Errorf("%d found, %v", len(found), err)
	}
}

func TestDoctor(t *testing.T) {
	n := startNomad(t, withACL)
	n.SetPolicy(t, "sluice", policies.Reader("default"))
	n.SetPolicy(t, "all", policies.Reader())
	good, weak := n.NewToken(0, "sluice"), n.NewToken(0)
	shopSpec := []gateway.SourceSpec{&Spec{Service: "shop", Checks: true}}
	for name, x := range map[string]struct {
		token  string
		specs  []gateway.SourceSpec
		faults []testenv.NomadFault
		wrong  []string
	}{
		"all is well":        {good, shopSpec, nil, nil},
		"nothing wanted":     {good, nil, nil, nil},
		"operator":           {n.Token, shopSpec, nil, nil},
		"workload":           {n.NewIdentity(), shopSpec, nil, []string{"read the events of namespace default", "read the checks of namespace default"}},
		"refused late":       {n.NewIdentity(), nil, []testenv.NomadFault{{Path: "/v1/event", Late: true}}, []string{"read the events of namespace default", "read the checks of namespace default"}},
		"no rights":          {weak, shopSpec, nil, []string{"find namespace default", "list services of namespace default", "read the events of namespace default", "read the checks of namespace default"}},
		"no such token":      {"nonsense", shopSpec, nil, []string{"token is valid"}},
		"soon expired":       {n.NewToken(time.Hour, "sluice"), shopSpec, nil, []string{"token is valid"}},
		"no such region":     {good, []gateway.SourceSpec{&Spec{Service: "shop", Region: "mars"}}, nil, []string{"know region mars"}},
		"no such namespace":  {n.NewToken(0, "all"), []gateway.SourceSpec{&Spec{Service: "shop", Namespace: "typo"}}, nil, []string{"find namespace typo"}},
		"no such connection": {good, []gateway.SourceSpec{&Spec{Service: "shop", Connection: "typo"}}, nil, []string{"connection of service shop"}},
		"dead":               {good, shopSpec, []testenv.NomadFault{{Status: 500}}, []string{"reach nomad"}},
		"hung":               {good, shopSpec, []testenv.NomadFault{{Hang: true}}, []string{"reach nomad"}},
	} {
		t.Run(name, func(t *testing.T) {
			n.Break(x.faults...)
			found := Kind(Options{Clients: []*Client{client(t, n, token(x.token))}}).Doctor(t.Context(), x.specs)
			var wrong []string
			for _, f := range found {
				if f.OK != (f.Err == nil) || f.OK != (f.Need == "") {
					t.Errorf("%+v", f)
				}
				if strings.Contains(fmt.Sprint(f), x.token) {
					t.Errorf("the token is in %+v", f)
				}
				if _, check, _ := strings.Cut(f.Check, ": "); !f.OK {
					wrong = append(wrong, check)
				}
			}
			if d := cmp.Diff(x.wrong, wrong); d != "" || len(found) == 0 {
				t.Errorf("(-want +got):\n%s\n%+v", d, found)
			}
		})
	}
}
