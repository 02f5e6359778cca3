package secrets

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// lookup asks a server once who the token is.
func lookup(t *testing.T, v VaultConfig) error {
	t.Helper()
	v.Auth.Token = canary
	v, err := v.WithEnv(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	c := newConn("", v, hclog.NewNullLogger())
	defer c.http.CloseIdleConnections()
	_, err = c.login(t.Context())
	return err
}

func tokenServer() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != canary || r.Header.Get("X-Vault-Namespace") != "team" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte(`{"data":{"ttl":60,"renewable":true}}`)) // the client notices when it is cut
	})
}

func TestTheServersCertificateIsChecked(t *testing.T) {
	server := httptest.NewTLSServer(tokenServer())
	defer server.Close()
	server.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	v := VaultConfig{Address: server.URL, Namespace: "team", TLS: tlsfiles.Config{CAFile: ca}}
	if err := lookup(t, v); err == nil || !strings.Contains(err.Error(), "ca.pem: no such file") {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(ca, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := lookup(t, v); err == nil || !strings.Contains(err.Error(), "no certificate is in the file") {
		t.Errorf("with an empty file: %v", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := lookup(t, v); err != nil {
		t.Error(err)
	}
	v.TLS.CAFile, v.TLS.CAPath = "", filepath.Dir(ca)
	if err := lookup(t, v); err != nil {
		t.Error(err)
	}
	v.TLS.ServerName = "other.test"
	if err := lookup(t, v); err == nil || !strings.Contains(err.Error(), "is not trusted") {
		t.Errorf("by another name: %v", err)
	}
	if err := lookup(t, VaultConfig{Address: server.URL, Namespace: "team"}); err == nil || !strings.Contains(err.Error(), "is not trusted") {
		t.Errorf("by the system's authorities: %v", err)
	}
	if err := lookup(t, VaultConfig{Address: server.URL, Namespace: "team", TLS: tlsfiles.Config{Insecure: true}}); err != nil {
		t.Error(err)
	}
	if err := lookup(t, VaultConfig{Address: server.URL, Namespace: "other", TLS: tlsfiles.Config{Insecure: true}}); statusOf(err) != 403 {
		t.Errorf("of another namespace: %v", err)
	}
}

func TestASocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "vault")
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: tokenServer(), ReadHeaderTimeout: time.Second}}
	server.Start()
	defer server.Close()
	if err := lookup(t, VaultConfig{Address: "unix://" + path, Namespace: "team"}); err != nil {
		t.Error(err)
	}
}
