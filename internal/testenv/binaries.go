// Package testenv starts the real Consul and Envoy for tests. It fails a test, never skips it, when one is missing.
package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// The versions that tools/ pins; the cache is keyed by them.
const (
	ConsulVersion = "1.22.0"
	EnvoyVersion  = "1.40.0"
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
