package nomad

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2ln"

func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{identityFile, socketFile} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]struct {
		config Config
		env    map[string]string
		check  func(c Config) bool
	}{
		"nothing": {check: func(c Config) bool {
			return c.Addresses[0] == "http://127.0.0.1:4646" && c.Namespace == "default" && c.Region == "" && c.Token == ""
		}},
		"all": {env: map[string]string{
			"NOMAD_ADDR": "https://nomad:4646", "NOMAD_TOKEN": "t", "NOMAD_REGION": "r", "NOMAD_NAMESPACE": "n", "NOMAD_HTTP_AUTH": "u:p",
			"NOMAD_CACERT": "ca", "NOMAD_CLIENT_CERT": "c", "NOMAD_CLIENT_KEY": "k", "NOMAD_TLS_SERVER_NAME": "s", "NOMAD_SKIP_VERIFY": "true",
		}, check: func(c Config) bool {
			return c.Addresses[0] == "https://nomad:4646" && c.Token == "t" && c.Region == "r" && c.Namespace == "n" && c.HTTPAuth == "u:p" &&
				c.TLS == tlsfiles.Config{Of: "nomad", CAFile: "ca", CertFile: "c", KeyFile: "k", ServerName: "s", Insecure: true}
		}},
		"the block comes first": {
			config: Config{Addresses: []string{"http://a:1"}, Token: "mine", Region: "a", Namespace: "b"},
			env:    map[string]string{"NOMAD_ADDR": "http://b:2", "NOMAD_TOKEN": "t", "NOMAD_REGION": "r", "NOMAD_NAMESPACE": "n", "NOMAD_SECRETS_DIR": dir},
			check: func(c Config) bool {
				return c.Addresses[0] == "http://a:1" && c.Token == "mine" && c.TokenFile == "" && c.Region == "a" && c.Namespace == "b"
			},
		},
		"task API": {env: map[string]string{"NOMAD_UNIX_ADDR": "unix:///secrets/api.sock"}, check: func(c Config) bool { return c.Addresses[0] == "unix:///secrets/api.sock" }},
		"a task": {env: map[string]string{"NOMAD_SECRETS_DIR": dir, "NOMAD_TOKEN": jwt}, check: func(c Config) bool {
			return c.Addresses[0] == "unix://"+filepath.Join(dir, socketFile) && c.Token == "" && c.TokenFile == filepath.Join(dir, identityFile)
		}},
		"a task with a token of its own": {env: map[string]string{"NOMAD_SECRETS_DIR": dir, "NOMAD_TOKEN": "uuid"}, check: func(c Config) bool {
			return c.Token == "uuid" && c.TokenFile == ""
		}},
		"a task without a file": {env: map[string]string{"NOMAD_SECRETS_DIR": dir + "/none", "NOMAD_TOKEN": jwt}, check: func(c Config) bool {
			return c.Token == jwt && c.TokenFile == "" && c.Addresses[0] == "http://127.0.0.1:4646"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := x.config.WithEnv(func(key string) string { return x.env[key] })
			if err != nil || !x.check(c) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	for want, c := range map[string]Config{
		`nomad address "nomad:4646": it begins with http://, https:// or unix://`: {Addresses: []string{"nomad:4646"}},
		`nomad address "http:": it begins with http://, https:// or unix://`:      {Addresses: []string{"http://"}},
		`nomad namespace "*": a connection has one namespace`:                     {Namespace: "*"},
		"nomad client certificate: certificate and key go together":               {TLS: tlsfiles.Config{CertFile: "c"}},
	} {
		if _, err := c.WithEnv(noEnv); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := (Config{Addresses: []string{"http://user:secret@\x7f"}}).WithEnv(noEnv); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a password is in %v", err)
	}
	if Configured(noEnv) || !Configured(func(k string) string { return map[string]string{"NOMAD_ADDR": "x"}[k] }) {
		t.Error("what the environment names")
	}
}

// TestSourceKey differs for every field, and not for the order of tags.
func TestSourceKey(t *testing.T) {
	seen := map[string]Spec{}
	for _, s := range []Spec{
		{Service: "a"}, {Service: "b"}, {Service: "a", Tags: []string{"x"}}, {Service: "a", Tags: []string{"x", "y"}},
		{Service: "a", CanaryTags: []string{"x"}}, {Service: "a", Checks: true}, {Service: "a", Namespace: "x"}, {Service: "a", Region: "x"},
		{Service: "a", Connection: "x"}, {Service: "a tag=x"}, {Service: "a", Tags: []string{"x tag=y"}}, {Service: "a checks"},
	} {
		key := s.SourceKey()
		if other, dup := seen[key.Query]; dup || key.Kind != "nomad" {
			t.Errorf("%+v and %+v have the key %s", s, other, key)
		}
		seen[key.Query] = s
	}
	a, b := Spec{Service: "a", Tags: []string{"x", "y", "x"}}, Spec{Service: "a", Tags: []string{"y", "x"}}
	if a.SourceKey() != b.SourceKey() {
		t.Errorf("%s, %s", a.SourceKey(), b.SourceKey())
	}
}

func TestCheck(t *testing.T) {
	ranges := map[string]hcl.Range{"": {Filename: "block"}, "service": {Filename: "service"}, "canary_tags": {Filename: "canary_tags"}}
	for want, s := range map[string]Spec{
		"":                                 {Service: "shop", Tags: []string{"live"}, CanaryTags: []string{"canary"}},
		"service: Invalid service name":    {Service: "a/b"},
		"block: Invalid namespace":         {Service: "shop", Namespace: "*"},
		"block: Invalid tag":               {Service: "shop", Tags: []string{""}},
		"canary_tags: Invalid canary tags": {Service: "shop", Tags: []string{"a", "b"}, CanaryTags: []string{"a"}},
	} {
		var have string
		for _, d := range s.Check(ranges) {
			have += d.Subject.Filename + ": " + d.Summary
		}
		if have != want {
			t.Errorf("%+v: %q, want %q", s, have, want)
		}
	}
}
