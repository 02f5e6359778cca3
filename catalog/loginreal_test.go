package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// trust lets identities of the job "sluice" log in by the auth method "workloads", for what a replica needs.
func trust(t *testing.T, consul *testenv.Consul, i *testenv.Issuer) {
	t.Helper()
	acl := consul.Client().ACL()
	policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "replica", Rules: policies.Reader("sluice/") + policies.Writer("sluice/")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	role, _, err := acl.RoleCreate(&api.ACLRole{Name: "replica", Policies: []*api.ACLRolePolicyLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = acl.AuthMethodCreate(&api.ACLAuthMethod{Name: "workloads", Type: "jwt", MaxTokenTTL: time.Minute, Config: map[string]any{
		"JWTValidationPubKeys": []string{i.PEM}, "BoundAudiences": []string{"consul.io"}, "JWTSupportedAlgs": []string{"RS256"},
		"ClaimMappings": map[string]string{"nomad_job_id": "nomad_job_id"},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = acl.BindingRuleCreate(&api.ACLBindingRule{
		AuthMethod: "workloads", BindType: api.BindingRuleBindTypeRole, BindName: role.Name, Selector: `value.nomad_job_id == "sluice"`,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// made are the tokens that logins made and that exist.
func made(t *testing.T, consul *testenv.Consul) (secrets []string) {
	t.Helper()
	acl := consul.Client().ACL()
	all, _, err := acl.TokenList(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.AuthMethod == "workloads" {
			secrets = append(secrets, one.SecretID)
		}
	}
	return secrets
}

func TestLoginByAWorkloadIdentity(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	issuer := testenv.StartIssuer(t)
	trust(t, consul, issuer)
	file := filepath.Join(t.TempDir(), "identity")
	identity := func(job string, life time.Duration) {
		if err := os.WriteFile(file, []byte(issuer.Workload("default", job, "server", "consul.io", life)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	identity("sluice", time.Minute)
	consul.Put("sluice/routes/a.hcl", "one")
	log := &lockedLog{}
	c, err := catalog.New(catalog.Config{
		Addresses: []string{consul.Addr}, Login: &catalog.JWTLogin{Method: "workloads", File: file}, Logger: hclog.New(&hclog.LoggerOptions{Output: log}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if keys := made(t, consul); len(keys) > 0 {
		t.Errorf("a client that nobody asked has logged in: %d tokens", len(keys))
	}
	for _, f := range c.Doctor(t.Context(), true) {
		if !f.OK {
			t.Errorf("%s: %v, needs %s", f.Check, f.Err, f.Need)
		}
	}
	ch := docs(t, c)
	if first := next(t, ch); !first.Complete || len(first.Set) != 1 {
		t.Fatalf("the first answer is %+v", first)
	}
	if keys := made(t, consul); len(keys) != 1 {
		t.Fatalf("%d tokens", len(keys))
	}
	// A token that is taken away is replaced, by reads and by writes alike.
	for _, value := range []string{"two", "three"} {
		consul.DeleteToken(made(t, consul)[0])
		if ok, _, err := c.API().KV().CAS(&api.KVPair{Key: "sluice/status/x", Value: []byte(value)}, nil); err != nil {
			t.Errorf("write with a token that is gone: %t, %v", ok, err)
		}
		consul.Put("sluice/routes/a.hcl", value)
		if got := next(t, ch); len(got.Set) != 1 || string(got.Set[0].Value) != value {
			t.Fatalf("after the token was deleted: %+v", got)
		}
		if keys := made(t, consul); len(keys) != 1 {
			t.Errorf("%d tokens", len(keys))
		}
	}
	// The identity of another job is let in by nobody, until the right one is back.
	identity("batch", time.Minute)
	consul.DeleteToken(made(t, consul)[0])
	if _, _, err := c.API().KV().Get("sluice/routes/a.hcl", nil); err == nil {
		t.Error("another job's identity reads documents")
	}
	if !strings.Contains(log.String(), "login to consul failed") {
		t.Errorf("the log does not say so:\n%s", log)
	}
	identity("sluice", time.Minute)
	consul.Put("sluice/routes/a.hcl", "four")
	if got := next(t, ch); len(got.Set) != 1 || string(got.Set[0].Value) != "four" {
		t.Fatalf("after the identity was right again: %+v", got)
	}
	c.Close()
	if keys := made(t, consul); len(keys) > 0 {
		t.Errorf("%d tokens are left", len(keys))
	}
	if strings.Contains(log.String(), "eyJ") {
		t.Errorf("the log holds an identity:\n%s", log)
	}
}

func TestALoginSurvivesItsConsul(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true, Keep: true, TLS: true})
	issuer := testenv.StartIssuer(t)
	trust(t, consul, issuer)
	file := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte(issuer.Workload("default", "sluice", "server", "consul.io", time.Hour)), 0o600); err != nil {
		t.Fatal(err)
	}
	consul.Put("sluice/routes/a.hcl", "one")
	c := client(t, catalog.Config{
		Addresses: []string{"https://" + consul.TLSAddr}, TLS: tlsfiles.Config{CAFile: consul.CAFile}, Login: &catalog.JWTLogin{Method: "workloads", File: file},
	})
	ch := docs(t, c)
	next(t, ch)
	consul.Kill()
	consul.Start()
	consul.DeleteToken(made(t, consul)[0])
	consul.Put("sluice/routes/a.hcl", "two")
	if got := next(t, ch); len(got.Set) != 1 || string(got.Set[0].Value) != "two" {
		t.Fatalf("after a restart: %+v", got)
	}
}
