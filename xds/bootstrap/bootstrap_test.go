package bootstrap

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/envoy"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func cases(dir string) map[string]Options {
	return map[string]Options{
		"minimal": {NodeID: "edge-1", Gateway: "edge", ControlPlanes: []string{"127.0.0.1:18000"}},
		"replicas": {
			NodeID: "edge-1", Gateway: "edge", ControlPlanes: []string{"10.0.0.1:18000", "sluice.example.com:18000"},
			Ready: "0.0.0.0:9902", Region: "us-east-1", Zone: "us-east-1a", MaxHeap: 1 << 30, MaxConnections: 1000,
		},
		"tls": {
			NodeID: "edge-1", Gateway: "edge", ControlPlanes: []string{"10.0.0.1:18000"},
			Admin: "unix:" + filepath.Join(dir, "admin.sock"), Ready: "127.0.0.1:9902",
			TLS: &TLS{
				CAFile: filepath.Join(dir, "tls/ca.pem"), CertFile: filepath.Join(dir, "tls/edge.pem"),
				KeyFile: filepath.Join(dir, "tls/edge.key"), ServerName: "sluice.example.com",
				SecretsFile: filepath.Join(dir, "secrets.json"),
			},
		},
	}
}

func TestGolden(t *testing.T) {
	for name, o := range cases("/run/sluice") {
		got, err := JSON(o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again, _ := JSON(o); !bytes.Equal(got, again) {
			t.Errorf("%s: equal options gave different bytes", name)
		}
		compare(t, name+".json", got)
		if o.TLS != nil {
			secrets, err := Secrets(o.TLS)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			compare(t, name+".secrets.json", secrets)
		}
	}
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEnvoyTakesIt(t *testing.T) {
	dir := t.TempDir()
	for name, o := range cases(dir) {
		text, err := JSON(o)
		if err != nil {
			t.Fatal(err)
		}
		if o.TLS != nil {
			writeSecrets(t, o.TLS)
		}
		if err := envoy.Validate(t.Context(), testenv.EnvoyPath(t), text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func writeSecrets(t *testing.T, tls *TLS) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(tls.CertFile), 0o755); err != nil {
		t.Fatal(err)
	}
	secrets, err := Secrets(tls)
	if err != nil {
		t.Fatal(err)
	}
	testenv.WriteCertificates(t, filepath.Dir(tls.CertFile))
	if err := os.WriteFile(tls.SecretsFile, secrets, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsNameTheOption(t *testing.T) {
	good := Options{NodeID: "n", Gateway: "edge", ControlPlanes: []string{"127.0.0.1:1"}}
	for _, open := range []string{"0.0.0.0:9901", "[::]:9901", "10.0.0.1:9901", "edge.example.com:9901"} {
		o := good
		o.Admin = open
		if _, err := JSON(o); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("an admin on %s gives %v", open, err)
		}
	}
	for _, near := range []string{"127.0.0.2:0", "[::1]:9901", "unix:/run/admin.sock"} {
		o := good
		o.Admin = near
		if _, err := JSON(o); err != nil {
			t.Errorf("an admin on %s: %v", near, err)
		}
	}
	for want, change := range map[string]func(*Options){
		"node id":          func(o *Options) { o.NodeID = "" },
		"no control plane": func(o *Options) { o.ControlPlanes = nil },
		"control plane":    func(o *Options) { o.ControlPlanes = []string{"10.0.0.1"} },
		"admin":            func(o *Options) { o.Admin = "127.0.0.1:x" },
		"ready":            func(o *Options) { o.Ready = ":1" },
		"TLS":              func(o *Options) { o.TLS = &TLS{} },
	} {
		o := good
		change(&o)
		if _, err := JSON(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}
