package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/secrets/policies"
)

// clinic is a Vault with an engine of AWS, and what the doctor is given.
type clinic struct {
	vault  *testenv.Vault
	config string
}

const clinicDocuments = `gateway "edge" {
  listener "http" { port = 8080 }
}
secret "key" {
  vault_kv { path = "sluice/shop" }
}
secret "aws" {
  vault_aws {
    role         = "sluice-role"
    type         = "assumed_role"
    region       = %[1]q
    sts_endpoint = %[2]q
  }
}
secret "user" {
  vault_aws {
    role         = "sluice-user"
    region       = %[1]q
    sts_endpoint = %[2]q
  }
}
upstream "shop" {
  static { endpoints = ["127.0.0.1:1"] }
  credential { secret = secret.key }
}
upstream "math" {
  lambda {
    region      = "us-east-1"
    endpoint    = %[3]q
    credentials = secret.aws
  }
}
upstream "more" {
  lambda {
    region      = "us-east-1"
    endpoint    = %[3]q
    credentials = secret.user
  }
}
route "shop" {
  match { path = "/shop" }
  to { upstream = upstream.shop }
}
route "divide" {
  match { path = "/divide" }
  to { function = function.math.divide }
}
route "again" {
  match { path = "/again" }
  to { function = function.more.divide }
}
`

func newClinic(t *testing.T) *clinic {
	t.Helper()
	sim := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	sim.Put(testenv.SimulatedFunction{Name: "divide"})
	a := testenv.StartAWS(t)
	v := testenv.StartVault(t, testenv.VaultOptions{})
	v.PutKV("sluice/shop", map[string]any{"value": "canary-of-the-shop"})
	v.UseAWS(a)
	root := a.CreateUser("engine", policies.AWSEngine)
	v.Write("aws/config/root", map[string]any{
		"access_key": root.ID, "secret_key": root.Secret, "region": a.Region, "iam_endpoint": a.Endpoint, "sts_endpoint": a.Endpoint, "sts_region": a.Region,
	})
	v.Write("aws/roles/sluice-role", map[string]any{"credential_type": "assumed_role", "role_arns": a.CreateRole("sluice-lambda", policies.AWSLambda)})
	v.Write("aws/roles/sluice-user", map[string]any{"credential_type": "iam_user", "policy_document": policies.AWSLambda})
	v.EnableAuth("approle", "approle")
	v.Write("auth/approle/role/sluice", map[string]any{"token_policies": "sluice", "token_no_default_policy": true, "token_ttl": "1h"})
	c := &clinic{vault: v}
	c.allow(policies.Vault)
	dir := t.TempDir()
	c.config = filepath.Join(dir, "agent.hcl")
	secret := v.Write("auth/approle/role/sluice/secret-id", nil)["secret_id"].(string)
	for name, text := range map[string]string{
		"secret-id": secret, "docs/shop.hcl": fmt.Sprintf(clinicDocuments, a.Region, a.Endpoint, sim.Endpoint),
		"agent.hcl": fmt.Sprintf(`config {
  path = %q
}
vault {
  address = %q
  timeout = "2s"
  auth "approle" {
    role_id        = %q
    secret_id_file = %q
  }
}
`, filepath.Join(dir, "docs"), v.Addr, v.Read("auth/approle/role/sluice/role-id")["role_id"], filepath.Join(dir, "secret-id")),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *clinic) allow(policy string) { c.vault.WritePolicy("sluice", policy) }

// visit runs the doctor, which has to be done in time.
func (c *clinic) visit(t *testing.T, within time.Duration) (bad []finding, code int) {
	t.Helper()
	start := time.Now()
	list, code := diagnosed(t, c.config)
	if took := time.Since(start); took > within {
		t.Errorf("it took %s", took)
	}
	for _, f := range list {
		if !f.OK {
			bad = append(bad, f)
		}
		if strings.Contains(fmt.Sprint(f), "canary") {
			t.Errorf("a secret is shown: %+v", f)
		}
	}
	if len(list) == 0 {
		t.Error("nothing was asked")
	}
	return bad, code
}

// leases lists what Vault has given out below a path.
func (c *clinic) leases(t *testing.T, prefix string) []any {
	t.Helper()
	s, err := c.vault.Client().Logical().ListWithContext(t.Context(), "sys/leases/lookup/"+prefix)
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		return nil
	}
	return s.Data["keys"].([]any)
}

// The doctor is content with the shipped policy, and names each rule that is missing from another.
func TestDoctorAsksARealVault(t *testing.T) {
	c := newClinic(t)
	bad, code := c.visit(t, 40*time.Second)
	if len(bad) > 0 || code != codeFine {
		t.Fatalf("with the shipped policy: exit code %d, %+v", code, bad)
	}
	testenv.Eventually(t, 10*time.Second, func() error { // Vault revokes in its own time
		for _, path := range []string{"aws/sts/sluice-role/", "aws/creds/sluice-user/", "auth/approle/login/"} {
			if left := c.leases(t, path); len(left) > 0 {
				return fmt.Errorf("leases below %s are left: %v", path, left)
			}
		}
		return nil
	})

	for rule, need := range map[string]string{
		`path "secret/data/sluice/*" { capabilities = ["read"] }`: `path "secret/data/sluice/shop" { capabilities = ["read"] }`,
		`path "aws/sts/sluice-*" { capabilities = ["read"] }`:     `path "aws/sts/sluice-role" { capabilities = ["read"] }`,
	} {
		less := strings.Replace(policies.Vault, rule, "", 1)
		if less == policies.Vault {
			t.Fatalf("the shipped policy has no rule %s", rule)
		}
		c.allow(less)
		bad, code := c.visit(t, 40*time.Second)
		if code != codeWorld || !slices.ContainsFunc(bad, func(f finding) bool { return f.Need == need }) {
			t.Errorf("without %s: exit code %d, %+v", rule, code, bad)
		}
	}
	c.allow(policies.Vault)

	c.vault.Seal()
	bad, code = c.visit(t, 40*time.Second)
	if code != codeWorld || !slices.ContainsFunc(bad, func(f finding) bool { return strings.Contains(f.Error, "sealed") }) {
		t.Errorf("sealed: exit code %d, %+v", code, bad)
	}
	c.vault.Kill()
	bad, code = c.visit(t, 40*time.Second)
	if code != codeWorld || !slices.ContainsFunc(bad, func(f finding) bool {
		return strings.Contains(f.Check, "it answers at") && strings.Contains(f.Need, "unsealed")
	}) {
		t.Errorf("away: exit code %d, %+v", code, bad)
	}
}
