package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestShippedPoliciesAreEnough(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	prefix := "edge/"
	consul.Register(&api.CatalogRegistration{Node: "n1", Address: "127.0.0.1", Service: &api.AgentService{ID: "w", Service: "web", Port: 80}})
	replica := client(t, catalog.Config{
		Addresses: []string{consul.Addr}, Prefix: prefix,
		Token: consul.CreateToken(policies.Reader(prefix) + policies.Writer(prefix)),
	})
	operator := client(t, catalog.Config{Addresses: []string{consul.Addr}, Prefix: prefix, Token: consul.CreateToken(policies.Apply(prefix))})

	for _, f := range append(replica.Doctor(t.Context(), true), operator.Doctor(t.Context(), false)...) {
		if !f.OK {
			t.Errorf("%s: %v, needs %s", f.Check, f.Err, f.Need)
		}
	}
	if keys := keysBelow(t, consul, prefix); len(keys) > 0 {
		t.Errorf("the doctor left %v", keys)
	}
	ch := docs(t, replica)
	if first := next(t, ch); !first.Complete {
		t.Fatalf("the first answer is %+v", first)
	}
	w := replica.NewWriter("one")
	w.Set(catalog.Desired{
		Accepted: map[gateway.ID]catalog.LedgerEntry{{Kind: "route", Name: "r"}: {}},
		Status:   map[string][]byte{"a.hcl": []byte("fine")}, Values: map[string][]byte{"v": []byte("fine")},
		History: map[string]catalog.Version{"a.hcl": {N: 1, Text: []byte("x")}}, Complete: true,
	})
	run(t, w.Run)
	expectKeys(t, consul, prefix+"status/", "a.hcl=fine", "values/v=fine")
	expectKeys(t, consul, prefix+"history/", "a.hcl/1=x")
	ref := gateway.FormRef{ID: gateway.ID{Kind: "route", Name: "r"}, Hash: "h"}
	for range 2 {
		if err := replica.PutQuarantine(t.Context(), ref, "refused"); err != nil {
			t.Fatal(err)
		}
	}
	if err := operator.Apply(t.Context(), []catalog.KVChange{{Key: "routes/a.hcl", Value: []byte("x")}}, catalog.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, ch); len(got.Set) != 1 {
		t.Fatalf("after an apply: %+v", got)
	}
	operatorMarks(t, operator)
	services := instances(t, replica, catalog.ServiceSpec{Service: "web"})
	if got := next(t, services); len(got) != 1 || got[0].ID != "n1/w" {
		t.Fatalf("web has %+v", got)
	}
	// Least privilege: what is not theirs is refused.
	if err := replica.Apply(t.Context(), []catalog.KVChange{{Key: "routes/b.hcl"}}, catalog.ApplyOptions{}); err == nil {
		t.Error("a replica may write documents")
	}
}

// operatorMarks sets and clears what an operator may.
func operatorMarks(t *testing.T, operator *catalog.Client) {
	t.Helper()
	for _, err := range []error{
		operator.SetFreeze(t.Context(), "x"), operator.ClearFreeze(t.Context()),
		operator.SetDrain(t.Context(), "127.0.0.1:80", "x"), operator.ClearDrain(t.Context(), "127.0.0.1:80"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestDoctorNamesEachMissingRule(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	full := policies.Reader("sluice/") + policies.Writer("sluice/")
	blocks := strings.SplitAfter(full, "}\n")
	for i, b := range blocks {
		head, ok := ruleHead(b)
		if !ok {
			continue
		}
		t.Run(head, func(t *testing.T) {
			without := strings.Join(blocks[:i], "") + strings.Join(blocks[i+1:], "")
			c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Token: consul.CreateToken(without)})
			missing := 0
			for _, f := range c.Doctor(t.Context(), true) {
				if f.OK {
					continue
				}
				missing++
				if !strings.HasPrefix(f.Need, head+" {") {
					t.Errorf("%s (%v) asks for %s", f.Check, f.Err, f.Need)
				}
			}
			if missing == 0 {
				t.Error("the doctor found nothing")
			}
		})
	}
}

// ruleHead is `key_prefix "sluice/"` of a rule.
func ruleHead(block string) (string, bool) {
	for line := range strings.Lines(block) {
		if head, ok := strings.CutSuffix(strings.TrimSpace(line), " {"); ok {
			return head, true
		}
	}
	return "", false
}

func TestRowsFilteredByACLsAreHeld(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	consul.Register(&api.CatalogRegistration{Node: "n1", Address: "127.0.0.1", Service: &api.AgentService{ID: "w", Service: "web", Port: 80}})
	consul.Put("sluice/routes/a.hcl", "a")
	consul.Put("sluice/routes/b.hcl", "b")
	policy, token := consul.CreatePolicy(policies.Reader("sluice/"))
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Token: token, Hold: 200 * time.Millisecond, Wait: 200 * time.Millisecond})
	ch := docs(t, c)
	services := make(chan []gateway.Endpoint, 100)
	run(t, func(ctx context.Context) error {
		return c.Service(catalog.ServiceSpec{Service: "web"}).Run(ctx, func(e []gateway.Endpoint) { services <- e }, nil)
	})
	if len(next(t, ch).Set) != 2 || len(next(t, services)) != 1 {
		t.Fatal("not all was seen at first")
	}
	consul.UpdatePolicy(policy, `key "sluice/routes/a.hcl" { policy = "read" }`)
	began := time.Now()
	testenv.Eventually(t, 10*time.Second, func() error {
		for _, s := range c.Statuses() {
			if s.Name == "service web" && s.State == catalog.StateFiltered && len(s.Held) == 1 && time.Since(began) > time.Second {
				return nil
			}
		}
		return fmt.Errorf("%+v", c.Statuses())
	})
	select {
	case got := <-ch:
		t.Errorf("documents changed: %+v", got)
	case got := <-services:
		t.Errorf("instances changed: %+v", got)
	default:
	}
	consul.UpdatePolicy(policy, policies.Reader("sluice/"))
	testenv.Eventually(t, 10*time.Second, func() error {
		for _, s := range c.Statuses() {
			if s.State != catalog.StateOK && s.State != catalog.StateAbsent {
				return fmt.Errorf("%+v", s)
			}
		}
		return nil
	})
}

func TestDocumentsThatMayNotAllBeReadAreNotComplete(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	consul.Put("sluice/routes/a/a.hcl", "a")
	consul.Put("sluice/routes/b/b.hcl", "b")
	policy, token := consul.CreatePolicy(`key_prefix "sluice/routes/a/" { policy = "read" }`)
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Token: token, Wait: 200 * time.Millisecond})
	ch := docs(t, c)
	if got := next(t, ch); len(got.Set) != 1 || got.Complete {
		t.Fatalf("with half of the rights: %+v", got)
	}
	consul.UpdatePolicy(policy, policies.Reader("sluice/"))
	if got := next(t, ch); len(got.Set) != 1 || got.Set[0].Key != "b/b.hcl" || !got.Complete {
		t.Fatalf("with all rights: %+v", got)
	}
	silent(t, ch)
}
