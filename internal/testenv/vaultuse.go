package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/vault/api"
)

// Client is a client with the root token, whatever the environment says. It tries nothing again and keeps no
// connection open.
func (v *Vault) Client() *api.Client { return v.ClientWith(v.Token) }

// ClientWith is a client with this token; an empty one is for calls that need none.
func (v *Vault) ClientWith(token string) *api.Client {
	v.t.Helper()
	client, err := api.NewClient(&api.Config{
		Address:    v.Addr,
		Timeout:    30 * time.Second,
		HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		v.t.Fatalf("make a client of %s: %v", v.Product, err)
	}
	client.ClearNamespace()
	client.SetToken(token)
	return client
}

// WritePolicy writes an ACL policy, in HCL.
func (v *Vault) WritePolicy(name, policy string) {
	v.t.Helper()
	if err := v.Client().Sys().PutPolicy(name, policy); err != nil {
		v.t.Fatalf("write policy %s: %v", name, err)
	}
}

// CreateToken makes a renewable token with exactly these policies, and no parent. A ttl of 0 is the server's default.
func (v *Vault) CreateToken(ttl time.Duration, policies ...string) string {
	v.t.Helper()
	request := &api.TokenCreateRequest{Policies: policies, NoDefaultPolicy: true, NoParent: true}
	if ttl > 0 {
		request.TTL = ttl.String()
	}
	made, err := v.Client().Auth().Token().Create(request)
	if err != nil {
		v.t.Fatalf("create token: %v", err)
	}
	return made.Auth.ClientToken
}

// RevokeToken revokes a token, and with it its leases.
func (v *Vault) RevokeToken(token string) {
	v.t.Helper()
	if err := v.Client().Auth().Token().RevokeTree(token); err != nil {
		v.t.Fatalf("revoke token: %v", err)
	}
}

// Mount enables a secrets engine at a path. The engine aws is a plugin, which is registered first.
func (v *Vault) Mount(path, engine string, options map[string]string) {
	v.t.Helper()
	if engine == "aws" {
		v.register("aws", "aws", api.PluginTypeSecrets)
	}
	if err := v.Client().Sys().Mount(path, &api.MountInput{Type: engine, Options: options}); err != nil {
		v.t.Fatalf("mount %s at %s: %v", engine, path, err)
	}
}

// EnableAuth enables an auth method at a path: approle, jwt, cert, userpass or aws, which is a plugin.
func (v *Vault) EnableAuth(path, method string) {
	v.t.Helper()
	if method == "aws" {
		v.register("aws", "aws-auth", api.PluginTypeCredential)
	}
	if err := v.Client().Sys().EnableAuthWithOptions(path, &api.EnableAuthOptions{Type: method}); err != nil {
		v.t.Fatalf("enable %s at auth/%s: %v", method, path, err)
	}
}

func (v *Vault) register(name, command string, kind api.PluginType) {
	v.t.Helper()
	b, err := os.ReadFile(filepath.Join(VaultPluginDir(v.t), command))
	if err != nil {
		v.t.Fatalf("read plugin %s: %v", command, err)
	}
	sum := sha256.Sum256(b)
	err = v.Client().Sys().RegisterPlugin(&api.RegisterPluginInput{
		Name: name, Type: kind, Command: command, SHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		v.t.Fatalf("register plugin %s: %v", command, err)
	}
}

// Write writes at a path, as vault write does, and returns the data of the answer, nil when there is none.
func (v *Vault) Write(path string, data map[string]any) map[string]any {
	v.t.Helper()
	s, err := v.Client().Logical().Write(path, data)
	if err != nil {
		v.t.Fatalf("write %s: %v", path, err)
	}
	if s == nil {
		return nil
	}
	return s.Data
}

// Read reads at a path and returns the data of the answer.
func (v *Vault) Read(path string) map[string]any {
	v.t.Helper()
	s, err := v.Client().Logical().Read(path)
	if err != nil || s == nil {
		v.t.Fatalf("read %s: got %v, %v", path, s, err)
	}
	return s.Data
}

// Delete deletes at a path, as vault delete does.
func (v *Vault) Delete(path string) {
	v.t.Helper()
	if _, err := v.Client().Logical().Delete(path); err != nil {
		v.t.Fatalf("delete %s: %v", path, err)
	}
}

// PutKV writes a new version of a secret below secret/.
func (v *Vault) PutKV(path string, data map[string]any) {
	v.t.Helper()
	v.Write("secret/data/"+path, map[string]any{"data": data})
}
