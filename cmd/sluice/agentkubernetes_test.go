package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clusterAgent reads a configuration with only the given environment of kubectl and docker.
func clusterAgent(t *testing.T, env map[string]string, text string) (cfg *agentConfig, summaries, details []string) {
	t.Helper()
	for _, name := range []string{
		"HOME", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
	} {
		t.Setenv(name, env[name])
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
	for _, d := range diags {
		summaries, details = append(summaries, d.Summary), append(details, d.Detail)
	}
	return cfg, summaries, details
}

// clients are the names of the connections that a configuration makes.
func clients(t *testing.T, cfg *agentConfig) (names []string) {
	t.Helper()
	clusters, err := cfg.kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clusters {
		names = append(names, "kubernetes "+c.Name)
		c.Close()
	}
	engines, err := cfg.dockers()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range engines {
		names = append(names, "docker "+c.Name)
		c.Close()
	}
	return names
}

func TestClustersAndEngines(t *testing.T) {
	cfg, said, details := clusterAgent(t, map[string]string{"HOME": "/home/somebody", "DOCKER_HOST": "tcp://10.0.0.1:2375"}, `
kubernetes "east" {
  address    = "https://10.0.0.1:6443"
  namespace  = "prod"
  token_file = "/etc/sluice/token"
  ca_file    = "/etc/sluice/ca.pem"
}
kubernetes "west" {
  kubeconfig = "/etc/sluice/kubeconfig"
  context    = "west"
}
kubernetes "home" {}
docker "local" {}
docker "far" {
  host      = "tcp://10.0.0.2:2376"
  address   = "192.0.2.1"
  ca_file   = "/etc/sluice/ca.pem"
  cert_file = "/etc/sluice/cert.pem"
  key_file  = "/etc/sluice/key.pem"
}
`)
	if said != nil {
		t.Fatalf("%q", details)
	}
	want := []string{"kubernetes east", "kubernetes west", "kubernetes home", "docker local", "docker far"}
	if d := cmp.Diff(want, clients(t, cfg)); d != "" {
		t.Error(d)
	}
	if got := cfg.Kubernetes[1].kubernetes(); !slices.Equal(got.Kubeconfig, []string{"/etc/sluice/kubeconfig"}) || got.Context != "west" {
		t.Errorf("%+v", got)
	}
	if got := cfg.Kubernetes[0].kubernetes(); got.TokenFile != "/etc/sluice/token" || got.Namespace != "prod" || got.TLS.CAFile != "/etc/sluice/ca.pem" {
		t.Errorf("%+v", got)
	}
	if got := cfg.Dockers[1].docker(); got.Machine != "192.0.2.1" || got.TLS.KeyFile != "/etc/sluice/key.pem" {
		t.Errorf("%+v", got)
	}
}

// Without any block, the environment makes the connections that it names, and a file or socket that is just there none.
func TestClustersAndEnginesOfTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOME": "/home/somebody"}, ""},
		{map[string]string{"KUBECONFIG": "/etc/kubeconfig"}, "kubernetes "},
		{map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}, "kubernetes "},
		{map[string]string{"DOCKER_HOST": "unix:///run/docker.sock"}, "docker "},
	} {
		cfg, said, _ := clusterAgent(t, c.env, "")
		if got := strings.Join(clients(t, cfg), ","); got != c.want || said != nil {
			t.Errorf("%v: %q, %q", c.env, got, said)
		}
	}
}

func TestClusterAndEngineBlocksThatCannotWork(t *testing.T) {
	for text, want := range map[string]string{
		`kubernetes "a" {}`: "this is no pod",
		`kubernetes "a" {
  address    = "https://h"
  token      = "x"
  token_file = "y"
}`: "both token and token_file",
		`kubernetes "a" { address = "h" }`:       "no address of an API server",
		`docker "a" { host = "ssh://h" }`:        "ssh is not supported",
		`docker "a" { ca_file = "/etc/ca.pem" }`: "a socket has no TLS",
		"docker \"a\" {}\ndocker \"a\" {}":       "stands twice",
		"kubernetes \"a\" { address = \"https://h\" }\nkubernetes \"a\" { address = \"https://i\" }": "stands twice",
	} {
		if _, said, details := clusterAgent(t, nil, text); len(said) != 1 || !strings.Contains(details[0], want) {
			t.Errorf("%s: %q", text, details)
		}
	}
}

// The agents of the examples are valid as they stand.
func TestAgentsOfExamples(t *testing.T) {
	for _, name := range []string{"kubernetes", "docker"} {
		t.Setenv("HOME", "/home/somebody")
		cfg, diags, _, err := readAgentConfig([]string{filepath.Join("../../examples", name, "agent")})
		if err != nil || diags.HasErrors() {
			t.Fatalf("%s: %v, %v", name, err, diags)
		}
		if got := clients(t, cfg); len(got) != 1 || !strings.HasPrefix(got[0], name) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
