package secrets_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/secrets"
	"github.com/sluice-gateway/sluice/secrets/policies"
)

func onAWS(a *testenv.AWS, role, kind string) *gateway.Secret {
	return &gateway.Secret{VaultAWS: &gateway.VaultAWS{Mount: "aws", Role: role, Type: kind, Region: a.Region, Endpoint: a.Endpoint}}
}

// works asks AWS who the credentials are that are in force.
func (k *keeper) works(a *testenv.AWS, name string) error {
	key := &testenv.AWSKey{ID: k.field(name, "access_key"), Secret: k.field(name, "secret_key"), Session: k.field(name, "security_token")}
	if key.ID == "" {
		return fmt.Errorf("there are no credentials of %s: %+v", name, k.status(name))
	}
	_, err := sts.NewFromConfig(a.Config(key)).GetCallerIdentity(k.t.Context(), nil)
	return err
}

// useAWS makes the engine and a role of each kind. The engine runs as a user of its own with the shipped policy.
func useAWS(t *testing.T, v *testenv.Vault, a *testenv.AWS, lease, most string) {
	t.Helper()
	v.UseAWS(a)
	key := a.CreateUser("engine-of-"+string(v.Product), policies.AWSEngine)
	v.Write("aws/config/root", map[string]any{
		"access_key": key.ID, "secret_key": key.Secret, "region": a.Region, "iam_endpoint": a.Endpoint, "sts_endpoint": a.Endpoint, "sts_region": a.Region,
	})
	v.Write("aws/config/lease", map[string]any{"lease": lease, "lease_max": most})
	v.Write("aws/roles/sluice-user", map[string]any{"credential_type": "iam_user", "policy_document": policies.AWSLambda})
	v.Write("aws/roles/sluice-role", map[string]any{
		"credential_type": "assumed_role", "role_arns": a.CreateRole("sluice-"+string(v.Product), policies.AWSLambda),
	})
	v.Write("aws/roles/sluice-federation", map[string]any{"credential_type": "federation_token", "policy_document": policies.AWSLambda})
	v.Write("aws/roles/sluice-session", map[string]any{"credential_type": "session_token"})
}

func TestEveryTypeOfCredentials(t *testing.T) {
	a := testenv.StartAWS(t)
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		useAWS(t, v, a, "1h", "2h")
		all := map[string]*gateway.Secret{
			"iam_user": onAWS(a, "sluice-user", "iam_user"), "assumed_role": onAWS(a, "sluice-role", "assumed_role"),
			"federation_token": onAWS(a, "sluice-federation", "federation_token"), "session_token": onAWS(a, "sluice-session", "session_token"),
		}
		for _, s := range all {
			if s.VaultAWS.Type != "iam_user" {
				s.VaultAWS.TTL = 20 * time.Minute
			}
		}
		k := run(t, at(v, secrets.Auth{AppRole: appRole(t, v, "1h")}), all)
		for name, s := range all {
			testenv.Eventually(t, 30*time.Second, func() error { return k.works(a, name) })
			left := time.Until(k.status(name).Expires)
			if most := max(s.VaultAWS.TTL, 20*time.Minute); s.VaultAWS.TTL > 0 && (left > most || left < most/2) {
				t.Errorf("%s: %s are left: %+v", name, left, k.status(name))
			}
		}
	})
}

func TestCredentialsOfAWSRotateUnderTheShippedPolicies(t *testing.T) {
	a := testenv.StartAWS(t)
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		useAWS(t, v, a, "8s", "16s")
		role := appRole(t, v, "1h")
		k := run(t, at(v, secrets.Auth{AppRole: role}), map[string]*gateway.Secret{
			"user": onAWS(a, "sluice-user", "iam_user"), "role": onAWS(a, "sluice-role", "assumed_role"), "app": kv2("sluice/app"),
		})
		for _, name := range []string{"user", "role"} {
			testenv.Eventually(t, 30*time.Second, func() error { return k.works(a, name) })
		}
		k.hide = append(k.hide, k.field("user", "secret_key"), k.field("role", "secret_key"), k.field("role", "security_token"))
		// A user lives for 16 s: it is renewed, then replaced in time, and whatever is in force works.
		first := k.field("user", "access_key")
		old := &testenv.AWSKey{ID: first, Secret: k.field("user", "secret_key")}
		testenv.Eventually(t, 40*time.Second, func() error {
			if err := k.works(a, "user"); err != nil && k.works(a, "user") != nil { // it may change in between
				t.Fatalf("what is in force does not work: %v, %+v", err, k.status("user"))
			}
			if k.field("user", "access_key") == first {
				return fmt.Errorf("the user is still the same: %+v", k.status("user"))
			}
			return nil
		})
		testenv.Eventually(t, 20*time.Second, func() error {
			if _, err := sts.NewFromConfig(a.Config(old)).GetCallerIdentity(t.Context(), nil); err == nil {
				return errors.New("the lease that was replaced is not revoked")
			}
			return nil
		})
		if s := k.status("user"); s.Renewals == 0 || s.Rotations == 0 {
			t.Errorf("status: %+v", s)
		}
		// Leases end with the token that they were made with.
		first = k.field("user", "access_key")
		revokeLogins(t, v)
		testenv.Eventually(t, 40*time.Second, func() error {
			if k.field("user", "access_key") == first {
				return fmt.Errorf("the user is still the same: %+v", k.status("user"))
			}
			return k.works(a, "user")
		})
		for _, f := range secrets.Doctor(t.Context(), at(v, secrets.Auth{AppRole: role}), map[gateway.ID]*gateway.Secret{
			{Kind: "secret", Name: "user"}:  onAWS(a, "sluice-user", "iam_user"),
			{Kind: "secret", Name: "other"}: onAWS(a, "other", "assumed_role"),
			{Kind: "secret", Name: "app"}:   kv2("other/app"),
		}) {
			denied := f.Need == `path "aws/sts/other" { capabilities = ["read"] }` || f.Need == `path "secret/data/other/app" { capabilities = ["read"] }` ||
				f.Need == `path "secret/metadata/other/app" { capabilities = ["read"] }`
			if f.OK == denied || f.OK != (f.Need == "") {
				t.Errorf("the doctor says %+v", f)
			}
			t.Log(f)
		}
	})
}

func TestASealedVaultTakesNothingButWhatEnds(t *testing.T) {
	a := testenv.StartAWS(t)
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		useAWS(t, v, a, "10s", "1h")
		k := run(t, at(v, secrets.Auth{AppRole: appRole(t, v, "1h")}), map[string]*gateway.Secret{
			"user": onAWS(a, "sluice-user", "iam_user"), "role": onAWS(a, "sluice-role", "assumed_role"), "app": kv2("sluice/app"),
		})
		for _, name := range []string{"user", "role"} {
			testenv.Eventually(t, 30*time.Second, func() error { return k.works(a, name) })
		}
		k.has("app", "key", canary+"-1")
		v.Seal()
		testenv.Eventually(t, 30*time.Second, func() error {
			if s := k.status("user"); s.State != secrets.Expired || s.Version != "" || k.field("user", "access_key") != "" {
				return fmt.Errorf("the status says %+v", s)
			}
			return nil
		})
		if k.field("app", "key") != canary+"-1" || k.field("role", "access_key") == "" {
			t.Errorf("more was taken away: %+v", k.Status())
		}
		v.Unseal()
		testenv.Eventually(t, 40*time.Second, func() error { return k.works(a, "user") })
	})
}
