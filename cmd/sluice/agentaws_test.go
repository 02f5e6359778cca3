package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// awsAgent reads a configuration with nothing of the machine's own AWS in the environment.
func awsAgent(t *testing.T, text string) (*agentConfig, []string) {
	t.Helper()
	dir := t.TempDir()
	shared := filepath.Join(dir, "credentials")
	if err := os.WriteFile(shared, []byte("[prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = prod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env", "AWS_SHARED_CREDENTIALS_FILE": shared,
		"AWS_CONFIG_FILE": filepath.Join(dir, "none"), "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
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

func TestAWSConnections(t *testing.T) {
	cfg, said := awsAgent(t, `
aws "own" {}
aws "prod" {
  profile = "prod"
}
aws "role" {
  region       = "eu-central-1"
  role_arn     = "arn:aws:iam::123456789012:role/finder"
  sts_endpoint = "http://127.0.0.1:1"
}
`)
	if said != nil {
		t.Fatalf("%q", said)
	}
	opts, err := cfg.lambdas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"own": "AKIAENV", "prod": "AKIAPROD"} {
		got, err := opts.Connections[name].Retrieve(t.Context())
		if err != nil || got.AccessKeyID != key {
			t.Errorf("%s has the key %q, %v", name, got.AccessKeyID, err)
		}
	}
	if len(opts.Connections) != 3 {
		t.Errorf("%d connections", len(opts.Connections))
	}
}

func TestAWSConnectionsAreChecked(t *testing.T) {
	_, said := awsAgent(t, "aws \"a\" {}\naws \"a\" {\n  external_id = \"x\"\n}\n")
	if !slices.Equal(said, []string{"Duplicate aws", "Invalid aws block"}) {
		t.Errorf("the diagnostics are %q", said)
	}
	for text, want := range map[string]string{
		"aws \"a\" {\n  profile = \"none\"\n}\n":                   "aws a:",
		"aws \"a\" {\n  role_arn = \"arn:aws:iam::1:role/x\"\n}\n": "a role needs a region",
	} {
		cfg, _ := awsAgent(t, text)
		if _, err := cfg.lambdas(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	cfg, _ := awsAgent(t, "")
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "none.pem"))
	if _, err := cfg.lambdas(t.Context()); err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("the error is %v", err)
	}
}

// Whoever asks AWS has the credentials of a block from one place, and with them what AWS's own tools are told.
func TestAWSAccountsAreShared(t *testing.T) {
	cfg, _ := awsAgent(t, "aws \"main\" {\n  region       = \"eu-central-1\"\n  sts_endpoint = \"http://127.0.0.1:1\"\n}\n")
	p, _, err := cfg.connect(t.Context(), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	lambdas, err := cfg.lambdas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opts := p.aws.instances(nil)
	if opts.Connections["main"].Credentials != lambdas.Connections["main"] || opts.Connections["main"].Region != "eu-central-1" || opts.STS["main"] != "http://127.0.0.1:1" {
		t.Errorf("%+v", opts)
	}
}
