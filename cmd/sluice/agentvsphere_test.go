package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/discovery/vsphere"
)

// vsphereAgent reads a configuration with only the given GOVC_* environment.
func vsphereAgent(t *testing.T, env map[string]string, text string) (*agentConfig, []string) {
	t.Helper()
	for _, name := range []string{"GOVC_URL", "GOVC_USERNAME", "GOVC_PASSWORD", "GOVC_INSECURE", "GOVC_TLS_CA_CERTS"} {
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
	var said []string
	for _, d := range diags {
		said = append(said, d.Summary)
	}
	return cfg, said
}

func TestVSphereConnections(t *testing.T) {
	cfg, said := vsphereAgent(t, map[string]string{"GOVC_USERNAME": "env@vsphere.local", "GOVC_INSECURE": "1"}, `
vsphere "east" {
  address       = "vcenter.east.example.com"
  username      = "sluice@vsphere.local"
  password_file = "/etc/sluice/vcenter"
  ca_file       = "/etc/sluice/ca.pem"
  tags          = false
  hold          = "30s"
}
vsphere "west" {
  address  = "https://vcenter.west.example.com"
  password = "canary"
}
`)
	if said != nil {
		t.Fatalf("%q", said)
	}
	opts, err := cfg.vspheres(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	want := []vsphere.Config{
		{
			Name: "east", Address: "vcenter.east.example.com", Username: "sluice@vsphere.local", PasswordFile: "/etc/sluice/vcenter",
			CAFile: "/etc/sluice/ca.pem", WithoutTags: true, Hold: 30 * time.Second,
		},
		{Name: "west", Address: "https://vcenter.west.example.com", Username: "env@vsphere.local", Password: "canary", Insecure: true},
	}
	if d := cmp.Diff(want, opts.Connections, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

// Without any block, the environment makes the connection.
func TestVSphereOfTheEnvironment(t *testing.T) {
	cfg, said := vsphereAgent(t, map[string]string{"GOVC_URL": "https://me:canary@vcenter.example.com/sdk"}, "")
	opts, err := cfg.vspheres(hclog.NewNullLogger())
	if said != nil || err != nil || len(opts.Connections) != 1 {
		t.Fatalf("%q, %v, %v", said, err, opts.Connections)
	}
	if c := opts.Connections[0]; c.Address != "https://vcenter.example.com/sdk" || c.Username != "me" || c.Password != "canary" {
		t.Errorf("%+v", c)
	}
	if cfg, _ = vsphereAgent(t, nil, ""); cfg != nil {
		if opts, err := cfg.vspheres(hclog.NewNullLogger()); err != nil || len(opts.Connections) != 0 {
			t.Errorf("%v, %v", opts.Connections, err)
		}
	}
}

func TestVSphereBlocksThatCannotWork(t *testing.T) {
	for text, want := range map[string][]string{
		`vsphere "a" {}`:                                                                   {"Invalid vsphere block"},
		`vsphere "a" { address = "ftp://x" }`:                                              {"Invalid vsphere block"},
		`vsphere "a" { address = "https://u:p@x" }`:                                        {"Invalid vsphere block"},
		"vsphere \"a\" {\n address = \"x\"\n thumbprint = \"zz\"\n}":                       {"Invalid vsphere block"},
		"vsphere \"a\" {\n address = \"x\"\n hold = \"soon\"\n}":                           {"Invalid hold"},
		"vsphere \"a\" {\n address = \"x\"\n password = \"p\"\n password_file = \"/f\"\n}": {"Two passwords"},
		"vsphere \"a\" {\n address = \"x\"\n}\nvsphere \"a\" {\n address = \"y\"\n}":       {"Duplicate vsphere"},
	} {
		if _, said := vsphereAgent(t, nil, text+"\n"); !slices.Equal(said, want) {
			t.Errorf("%s: %q, want %q", text, said, want)
		}
	}
}
