package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// nomadAgent reads a configuration with nothing of the machine's own Nomad in the environment.
func nomadAgent(t *testing.T, text string) (*agentConfig, []string) {
	t.Helper()
	for _, name := range []string{
		"NOMAD_ADDR", "NOMAD_UNIX_ADDR", "NOMAD_SECRETS_DIR", "NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_HTTP_AUTH", "NOMAD_CACERT",
		"NOMAD_CAPATH", "NOMAD_CLIENT_CERT", "NOMAD_CLIENT_KEY", "NOMAD_TLS_SERVER_NAME", "NOMAD_SKIP_VERIFY",
	} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.hcl")
	if err := os.WriteFile(path, []byte("config {\n  path = \""+dir+"\"\n}\n"+text), 0o600); err != nil {
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

func TestNomadConnections(t *testing.T) {
	cfg, said := nomadAgent(t, `
nomad "east" {
  address    = "https://nomad-east.example.com:4646"
  region     = "east"
  token_file = "/run/credentials/nomad-east"
  ca_file    = "/etc/sluice/nomad-ca.pem"
}
nomad "west" {
  addresses = ["http://10.0.0.1:4646", "http://10.0.0.2:4646"]
  namespace = "team"
}
`)
	if said != nil {
		t.Fatalf("%q", said)
	}
	clients, err := cfg.nomads(hclog.NewNullLogger())
	if err != nil || len(clients) != 2 || clients[0].Name != "east" || clients[1].Name != "west" {
		t.Fatalf("%v, %v", clients, err)
	}
	for _, c := range clients {
		c.Close()
	}
}

func TestNomadOfTheEnvironment(t *testing.T) {
	cfg, _ := nomadAgent(t, "")
	if clients, err := cfg.nomads(hclog.NewNullLogger()); err != nil || len(clients) != 0 {
		t.Errorf("%d clients without a block or an environment, %v", len(clients), err)
	}
	t.Setenv("NOMAD_ADDR", "http://127.0.0.1:4646")
	if clients, err := cfg.nomads(hclog.NewNullLogger()); err != nil || len(clients) != 1 {
		t.Errorf("%d clients, %v", len(clients), err)
	}
	t.Setenv("NOMAD_ADDR", "127.0.0.1:4646")
	if _, err := cfg.nomads(hclog.NewNullLogger()); err == nil {
		t.Error("an address without a scheme is taken")
	}
}

func TestNomadBlocksThatCannotWork(t *testing.T) {
	for text, want := range map[string][]string{
		"nomad \"a\" {}\nnomad \"a\" {}\n":                                {"Duplicate nomad"},
		"nomad \"a\" {\n  token      = \"x\"\n  token_file = \"/y\"\n}\n": {"Two tokens"},
		"nomad \"a\" {\n  address = \"127.0.0.1:4646\"\n}\n":              {"Invalid nomad block"},
		"nomad \"a\" {\n  cert_file = \"/c\"\n}\n":                        {"Invalid nomad block"},
		"nomad \"a\" {\n  namespace = \"*\"\n}\n":                         {"Invalid nomad block"},
	} {
		if _, said := nomadAgent(t, text); !slices.Equal(said, want) {
			t.Errorf("%s: %q, want %q", text, said, want)
		}
	}
}
