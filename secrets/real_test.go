package secrets_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/secrets"
	"github.com/sluice-gateway/sluice/secrets/policies"
)

// canary is in every secret that the tests write, and in nothing that is shown.
const canary = "c4nary-Wq7"

// keeper runs a Keeper until the end of a test, and looks whether it shows a secret.
type keeper struct {
	*secrets.Keeper
	t *testing.T

	mu   sync.Mutex
	told map[gateway.ID]string
	log  strings.Builder
	hide []string // more that must not be shown
}

func (k *keeper) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.Write(p)
}

func run(t *testing.T, cfg secrets.Config, want map[string]*gateway.Secret) *keeper {
	t.Helper()
	k := &keeper{t: t, told: map[gateway.ID]string{}, hide: []string{canary}}
	registry := prometheus.NewRegistry()
	cfg.Metrics = registry
	cfg.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: k})
	cfg.Publish = func(versions map[gateway.ID]string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		maps.Copy(k.told, versions)
	}
	var err error
	if k.Keeper, err = secrets.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		found, err := registry.Gather()
		if err != nil {
			t.Error(err)
		}
		shown := k.log.String() + fmt.Sprintf("%+v %+v %v", k.Status(), k.Connections(), found)
		for _, h := range k.hide {
			if strings.Contains(shown, h) {
				t.Errorf("a secret is shown: %q in %s", h, shown)
			}
		}
		if t.Failed() {
			t.Log(shown)
		}
	})
	k.want(want)
	return k
}

func (k *keeper) want(all map[string]*gateway.Secret) {
	m := map[gateway.ID]*gateway.Secret{}
	for name, s := range all {
		m[gateway.ID{Kind: "secret", Name: name}] = s
	}
	k.Want(m)
}

func (k *keeper) field(name, field string) string {
	m, _ := k.Reveal(gateway.ID{Kind: "secret", Name: name})
	v, _ := m.Reveal(field)
	return string(v)
}

func (k *keeper) status(name string) secrets.Status {
	for _, s := range k.Status() {
		if s.ID.Name == name {
			return s
		}
	}
	return secrets.Status{}
}

// has waits until a field of a secret has a value.
func (k *keeper) has(name, field, value string) {
	k.t.Helper()
	testenv.Eventually(k.t, 40*time.Second, func() error {
		if got := k.field(name, field); got != value {
			return fmt.Errorf("%s of %s is %q: %+v", field, name, got, k.status(name))
		}
		return nil
	})
}

// fails waits until the status of a secret has an error with some text; what is in force must be this all the while.
func (k *keeper) fails(name, text, field, value string) {
	k.t.Helper()
	testenv.Eventually(k.t, 40*time.Second, func() error {
		if got := k.field(name, field); got != value {
			k.t.Fatalf("%s of %s became %q", field, name, got)
		}
		if s := k.status(name); !strings.Contains(s.LastError, text) {
			return fmt.Errorf("the status says %+v", s)
		}
		return nil
	})
}

func kv2(path string) *gateway.Secret {
	return &gateway.Secret{VaultKV: &gateway.VaultKV{Mount: "secret", Path: path, Version: 2, Interval: time.Second}}
}

func kv1(path string) *gateway.Secret {
	return &gateway.Secret{VaultKV: &gateway.VaultKV{Mount: "kv", Path: path, Version: 1, Interval: time.Second}}
}

// vault starts a server with the shipped policy, both kinds of KV, and something to read.
func vault(t *testing.T, p testenv.VaultProduct) *testenv.Vault {
	t.Helper()
	v := testenv.StartVault(t, testenv.VaultOptions{Product: p, Keep: true, TLS: true})
	v.WritePolicy("sluice", policies.Vault)
	v.Mount("kv", "kv", map[string]string{"version": "1"})
	v.PutKV("sluice/app", map[string]any{"key": canary + "-1"})
	v.Write("kv/sluice/app", map[string]any{"key": canary + "-1"})
	return v
}

// appRole makes a role, and the files to log in with it.
func appRole(t *testing.T, v *testenv.Vault, ttl string) *secrets.AppRole {
	t.Helper()
	v.EnableAuth("approle", "approle")
	v.Write("auth/approle/role/sluice", map[string]any{"token_policies": "sluice", "token_no_default_policy": true, "token_ttl": ttl, "token_max_ttl": "24h"})
	role := v.Read("auth/approle/role/sluice/role-id")["role_id"].(string)
	secret := v.Write("auth/approle/role/sluice/secret-id", nil)["secret_id"].(string)
	return &secrets.AppRole{RoleID: role, SecretIDFile: file(t, "secret-id", secret+"\n")}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func at(v *testenv.Vault, auth secrets.Auth) secrets.Config {
	return secrets.Config{
		Vaults: map[string]secrets.VaultConfig{"main": {Address: v.Addr, Timeout: 2 * time.Second, Auth: auth}},
		Grace:  2 * time.Second, Limit: 2 * time.Second, Settle: 100 * time.Millisecond,
	}
}

func TestEveryWayToLogIn(t *testing.T) {
	a := testenv.StartAWS(t)
	key := a.CreateUser("gateway", "")
	t.Setenv("AWS_ACCESS_KEY_ID", key.ID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", key.Secret)
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		v := vault(t, p)
		tried := func(name string, cfg secrets.Config, hide ...string) {
			t.Helper()
			t.Run(name, func(t *testing.T) {
				k := run(t, cfg, map[string]*gateway.Secret{"app": kv2("sluice/app")})
				k.hide = append(k.hide, hide...)
				k.has("app", "key", canary+"-1")
				for _, f := range secrets.Doctor(t.Context(), cfg, map[gateway.ID]*gateway.Secret{{Kind: "secret", Name: "app"}: kv2("sluice/app")}) {
					if !f.OK {
						t.Errorf("the doctor says %+v", f)
					}
				}
			})
		}
		token := v.CreateToken(time.Hour, "sluice")
		tried("token", at(v, secrets.Auth{Token: token}), token)
		tried("token file", at(v, secrets.Auth{TokenFile: file(t, "token", token+"\n")}), token)
		role := appRole(t, v, "1h")
		tried("approle", at(v, secrets.Auth{AppRole: role}), role.RoleID)

		v.EnableAuth("jwt", "jwt")
		jwt, public := signedJWT(t)
		v.Write("auth/jwt/config", map[string]any{"jwt_validation_pubkeys": public})
		v.Write("auth/jwt/role/sluice", map[string]any{
			"role_type": "jwt", "bound_audiences": "vault.test", "user_claim": "sub", "token_policies": "sluice", "token_ttl": "1h",
		})
		tried("jwt", at(v, secrets.Auth{JWT: &secrets.JWT{Role: "sluice", File: file(t, "jwt", jwt)}}), jwt)

		v.EnableAuth("cert", "cert")
		dir := filepath.Dir(v.CAFile)
		ca, err := os.ReadFile(v.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		v.Write("auth/cert/certs/sluice", map[string]any{"certificate": string(ca), "token_policies": "sluice", "token_ttl": "1h"})
		withCert := at(v, secrets.Auth{Cert: &secrets.CertLogin{Role: "sluice"}})
		one := withCert.Vaults["main"]
		one.Address, one.TLS.CAFile = v.TLSAddr, v.CAFile
		one.TLS.CertFile, one.TLS.KeyFile = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client-key.pem")
		withCert.Vaults["main"] = one
		tried("cert", withCert)

		v.TrustAWS(a, "gateway", "arn:aws:iam::"+a.Account+":user/gateway", "vault.test", "sluice")
		tried("aws", at(v, secrets.Auth{AWS: &secrets.AWSLogin{Role: "gateway", Region: a.Region, Endpoint: a.Endpoint, ServerID: "vault.test"}}), key.Secret)
	})
}

// signedJWT makes a token as a workload gets it, and the key to check it with.
func signedJWT(t *testing.T) (token, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	text := part(map[string]any{"alg": "RS256", "typ": "JWT"}) + "." +
		part(map[string]any{"aud": "vault.test", "sub": "sluice", "iat": now, "nbf": now - 5, "exp": now + 3600})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestAWrappedSecretIDIsTakenOnce(t *testing.T) {
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		role := appRole(t, v, "1h")
		wrap := func(path string) string {
			client := v.Client()
			client.SetWrappingLookupFunc(func(string, string) string { return "5m" })
			s, err := client.Logical().Write(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			return s.WrapInfo.Token
		}
		role.Wrapped = true
		role.SecretIDFile = file(t, "wrapped", wrap("auth/approle/role/sluice/secret-id"))
		k := run(t, at(v, secrets.Auth{AppRole: role}), map[string]*gateway.Secret{"app": kv2("sluice/app")})
		k.has("app", "key", canary+"-1")
		// The next login has to do with what was unwrapped.
		revokeLogins(t, v)
		v.PutKV("sluice/app", map[string]any{"key": canary + "-2"})
		k.has("app", "key", canary+"-2")

		other := *role
		other.SecretIDFile = file(t, "other", wrap("auth/token/create"))
		k = run(t, at(v, secrets.Auth{AppRole: &other}), map[string]*gateway.Secret{"app": kv2("sluice/app")})
		k.fails("app", "may have been replaced", "key", "")
	})
}

// revokeLogins revokes all tokens of the approle method, with their leases.
func revokeLogins(t *testing.T, v *testenv.Vault) {
	t.Helper()
	if err := v.Client().Sys().RevokePrefix("auth/approle/login"); err != nil {
		t.Fatal(err)
	}
}

func TestATokenFileIsReadAgain(t *testing.T) {
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		first, second := v.CreateToken(time.Hour, "sluice"), v.CreateToken(time.Hour, "sluice")
		path := file(t, "token", first)
		k := run(t, at(v, secrets.Auth{TokenFile: path}), map[string]*gateway.Secret{"app": kv2("sluice/app")})
		k.has("app", "key", canary+"-1")
		v.RevokeToken(first)
		k.fails("app", "403", "key", canary+"-1")
		if err := os.WriteFile(path+".new", []byte(second), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		v.PutKV("sluice/app", map[string]any{"key": canary + "-2"})
		k.has("app", "key", canary+"-2")
	})
}

func TestKeysRotateAndNothingTakesThemAway(t *testing.T) {
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		k := run(t, at(v, secrets.Auth{AppRole: appRole(t, v, "1h")}), map[string]*gateway.Secret{"two": kv2("sluice/app"), "one": kv1("sluice/app")})
		n := 1
		rotates := func() {
			t.Helper()
			n++
			value := fmt.Sprintf("%s-%d", canary, n)
			v.PutKV("sluice/app", map[string]any{"key": value})
			v.Write("kv/sluice/app", map[string]any{"key": value})
			k.has("two", "key", value)
			k.has("one", "value", value)
		}
		stays := func(text string) {
			t.Helper()
			k.fails("two", text, "key", fmt.Sprintf("%s-%d", canary, n))
			k.fails("one", text, "key", fmt.Sprintf("%s-%d", canary, n))
		}
		rotates()
		v.Delete("secret/data/sluice/app")
		v.Delete("kv/sluice/app")
		k.fails("two", "deleted", "key", canary+"-2")
		k.fails("one", "404", "key", canary+"-2")
		rotates()
		v.Delete("secret/metadata/sluice/app")
		k.fails("two", "404", "key", canary+"-3")
		rotates() // its version is 1 again

		v.Seal()
		stays("503")
		v.Unseal()
		rotates()
		if err := v.Freeze(); err != nil {
			t.Fatal(err)
		}
		stays("no answer in time")
		if err := v.Thaw(); err != nil {
			t.Fatal(err)
		}
		rotates()
		v.Kill()
		stays("connection refused")
		v.Start()
		rotates()
		revokeLogins(t, v) // a new login takes a moment
		rotates()
		v.WritePolicy("sluice", `path "auth/token/lookup-self" { capabilities = ["read"] }`)
		stays("permission denied")
		v.WritePolicy("sluice", policies.Vault)
		rotates()
	})
}

func TestAStandbyPassesOn(t *testing.T) {
	testenv.EachVault(t, func(t *testing.T, p testenv.VaultProduct) {
		t.Parallel()
		v := vault(t, p)
		standby := testenv.StartVault(t, testenv.VaultOptions{Product: p, Keep: true, Join: v})
		cfg := at(v, secrets.Auth{AppRole: appRole(t, v, "1h")})
		one := cfg.Vaults["main"]
		one.Address = standby.Addr
		cfg.Vaults["main"] = one
		k := run(t, cfg, map[string]*gateway.Secret{"app": kv2("sluice/app")})
		k.has("app", "key", canary+"-1")
		v.StepDown()
		testenv.Eventually(t, 30*time.Second, func() error {
			if !standby.Leads() {
				return errors.New("the standby does not lead")
			}
			return nil
		})
		standby.PutKV("sluice/app", map[string]any{"key": canary + "-2"})
		k.has("app", "key", canary+"-2")
	})
}
