package control

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

func operation(name, short string) *gateway.Function {
	return &gateway.Function{Name: name, Short: short, Kind: gateway.FunctionREST, REST: &gateway.RESTOperation{Method: "GET", Path: "/" + name}}
}

const functionBase = `
gateway "g" {
  listener "http" { port = 80 }
}
upstream "u" {
  fixed { name = "s" }
  openapi { path = "/openapi.json" }
}
`

const functionCaller = `
route "r" {
  hosts = ["h.example.com"]
  match { path = "/r" }
  to { function = function.u.get }
}
`

// finds is what the finder of upstream u says.
func (r *rig) finds(list ...*gateway.Function) {
	for k := range r.World().Finders() {
		r.Functions(map[gateway.FinderKey][]*gateway.Function{k: list})
	}
}

// entries is what a Consul would give back of what a replica wanted to stand there.
func entries(t *testing.T, d catalog.Desired) map[gateway.ID]*gateway.Led {
	t.Helper()
	out := map[gateway.ID]*gateway.Led{}
	for id, e := range d.Functions {
		if e.Value == nil {
			out[id] = nil
			continue
		}
		_, l, err := catalog.DecodeFunction(catalog.Pair{Key: "u/x", Value: e.Value, ModifyIndex: 7})
		if err != nil {
			t.Fatal(err)
		}
		out[id] = l
	}
	return out
}

// settle lets everything happen that needs no news, records too.
func (r *rig) settle() {
	<-time.After(time.Second)
	synctest.Wait()
}

func (r *rig) calls(want string) {
	r.t.Helper()
	got := "nothing"
	if table := r.World().Table(gateway.ListenerKey{Gateway: "g", Listener: "http"}, "h.example.com"); len(table) == 1 && table[0].Destinations[0].Function != nil {
		got = table[0].Destinations[0].Function.Name
	}
	if got != want {
		r.t.Errorf("the route calls %s, want %s", got, want)
	}
}

// ledgerOf is what a ledger holds after what a replica wanted to stand there.
func ledgerOf(t *testing.T, r *rig, d catalog.Desired) map[gateway.ID]*gateway.Form {
	t.Helper()
	out := map[gateway.ID]*gateway.Form{}
	for id, e := range d.Accepted {
		e.ID = id
		f, err := DecodeForm(e, r.schema)
		if err != nil {
			t.Fatal(err)
		}
		out[id] = f
	}
	return out
}

// TestReplicasShareWhatReferencesLedTo runs one replica whose finder answers, and one that starts without any state while
// the finder is silent; it waits for the references before it takes documents.
func TestReplicasShareWhatReferencesLedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newRig(t, nil)
		one.put("base.hcl", functionBase)
		one.put("r.hcl", functionCaller)
		one.settle()
		one.finds(operation("v2.get", "get"))
		one.settle()
		one.calls("v2.get")
		shared := one.rec.last()
		if e := shared.Functions[gateway.FunctionID("u", "get")]; e.Value == nil || e.Seen != 0 || len(shared.Functions) != 1 {
			t.Fatalf("to be shared: %+v", shared.Functions)
		}
		one.Led(entries(t, shared))
		one.settle()
		if e := one.rec.last().Functions[gateway.FunctionID("u", "get")]; e.Seen != 7 || string(e.Value) != string(shared.Functions[gateway.FunctionID("u", "get")].Value) {
			t.Errorf("after it is written: %+v", e)
		}

		two := newRig(t, func(c *Config) { c.Expect = []string{InputLedger, InputReferences} })
		two.put("base.hcl", functionBase)
		two.put("r.hcl", functionCaller)
		two.Ledger(ledgerOf(t, two, shared))
		two.Answered(InputLedger)
		two.settle()
		if n := len(two.World().Blocks()); n != 0 {
			t.Fatalf("%d blocks before the references are known", n)
		}
		two.Led(entries(t, shared))
		two.Answered(InputReferences)
		two.settle()
		two.calls("v2.get")
		two.finds(operation("v1.get", "get"), operation("v2.get", "get"))
		two.settle()
		two.calls("v2.get")

		one.put("r.hcl", "")
		one.settle()
		if e, ok := one.rec.last().Functions[gateway.FunctionID("u", "get")]; !ok || e.Value != nil || e.Seen != 7 {
			t.Errorf("nobody names it any more: %+v, %v", e, ok)
		}
	})
}

// counted counts how often secrets are asked for.
type counted struct{ secrets int }

func (c *counted) Want(map[gateway.ID]*gateway.Secret) { c.secrets++ }

func (*counted) Settled(map[gateway.ID]string) {}

func TestSecretsAreAskedForWhenBlocksThatCanNameThemChange(t *testing.T) {
	c := &counted{}
	l := &Loop{cfg: Config{Secrets: c}, w: gateway.New(&gateway.Rules{}), wanted: true}
	for kind, want := range map[string]int{
		gateway.KindRoute: 1, gateway.KindGateway: 1, gateway.KindPolicy: 1, gateway.KindFunction: 1, gateway.KindSecret: 1, gateway.KindUpstream: 1,
		gateway.KindLocal: 0, gateway.KindTeam: 0,
	} {
		c.secrets = 0
		l.want(gateway.Change{Blocks: []gateway.ID{{Kind: kind, Name: "x"}}})
		if c.secrets != want {
			t.Errorf("a %s: asked %d times, want %d", kind, c.secrets, want)
		}
	}
}

// BenchmarkWantedSecrets is what a changed route of 10,000 costs to know which secrets are in force.
func BenchmarkWantedSecrets(b *testing.B) {
	for _, secrets := range []int{0, 10, 100} {
		b.Run(fmt.Sprint(secrets), func(b *testing.B) {
			w := largeWorld(b, testSchema())
			in := gateway.Input{Documents: map[string]*gateway.Document{}}
			for n := range secrets {
				name := fmt.Sprint("s", n)
				in.Documents[name] = hcl.Parse(hcl.Origin{Name: name, Index: 1, Modify: 1}, fmt.Appendf(nil, `
secret %[1]q {
  vault_kv { path = "x" }
}
upstream %[1]q {
  lambda {
    region      = "us-east-1"
    credentials = secret.%[1]s
  }
}
`, name), testSchema())
			}
			w, _ = gateway.Apply(w, in)
			if n := len(w.Secrets()); n != secrets {
				b.Fatalf("%d secrets are in force", n)
			}
			for b.Loop() {
				w.Secrets()
			}
		})
	}
}
