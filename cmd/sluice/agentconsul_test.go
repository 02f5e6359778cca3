package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
)

func TestConsulLogin(t *testing.T) {
	for _, name := range []string{"CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE", "NOMAD_SECRETS_DIR"} {
		t.Setenv(name, "")
	}
	read := func(block string) (*agentConfig, []string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "agent.hcl")
		if err := os.WriteFile(path, []byte("consul \"main\" {\n"+block+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, diags, _, err := readAgentConfig([]string{path})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, d := range diags {
			said = append(said, d.Summary)
		}
		return cfg, said
	}
	cfg, said := read(`auth "jwt" {
  method = "workloads"
  path   = "/secrets/identity"
}`)
	if said != nil {
		t.Fatalf("%q", said)
	}
	want := &catalog.JWTLogin{Method: "workloads", File: "/secrets/identity"}
	if diff := cmp.Diff(want, cfg.Consuls[0].catalog(hclog.NewNullLogger()).Login); diff != "" {
		t.Error(diff)
	}
	for block, want := range map[string]string{
		`auth "jwt" {}`: "Invalid auth",
		`auth "oidc" {
  path = "x"
}`: "Invalid auth",
		`auth "jwt" {
  path = "x"
}
token_file = "y"`: "Two ways to log in",
		`auth "jwt" {
  path = "x"
}
auth "jwt" {
  path = "y"
}`: "Two ways to log in",
		`auth "jwt" {
  mount = "x"
}`: "Unsupported argument",
	} {
		if _, said := read(block); !slices.Equal(said, []string{want}) {
			t.Errorf("%s: %q", block, said)
		}
	}
	t.Setenv("NOMAD_SECRETS_DIR", "/secrets") // a Nomad task needs no path
	if _, said := read(`auth "jwt" {}`); said != nil {
		t.Errorf("in a task: %q", said)
	}
}
