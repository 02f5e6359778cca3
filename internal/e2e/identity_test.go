package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestIdentity serves Envoys over mutual TLS: whose certificate names the gateway is served, whose does not is refused.
func TestIdentity(t *testing.T) {
	t.Parallel()
	s := newStack(t, setup{none: true})
	ca := newAuthority(t)
	cert, key := ca.issue("control-plane", "", "localhost")
	s.xdsTLS = fmt.Sprintf(`
  tls {
    cert_file    = %q
    key_file     = %q
    ca_file      = %q
    trust_domain = "example.com"
  }`, cert, key, ca.file)
	p := s.addPlane()
	cert, key = ca.issue("right", "spiffe://example.com/gateway/edge")
	s.addEdge("edge", "-ca-file", ca.file, "-cert-file", cert, "-key-file", key, "-xds-server-name", "localhost")
	s.serve(t, "steady.example.com", "/", "app")
	for name, uri := range map[string]string{
		"another-gateway":      "spiffe://example.com/gateway/inner",
		"another-trust-domain": "spiffe://example.net/gateway/edge",
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := ca.issue(name, uri)
			wrong := startEdge(t, "edge", name, s.port, []string{p.xds},
				"-ca-file", ca.file, "-cert-file", cert, "-key-file", key, "-xds-server-name", "localhost")
			wrong.waitStat(t, `^cluster.xds.upstream_rq_total$`)
			testenv.Eventually(t, time.Minute, func() error { // the log says who was refused and why
				for line := range strings.Lines(p.out.String()) {
					if contains(line, "client certificate does not name the gateway", wrong.id) == nil {
						return nil
					}
				}
				return fmt.Errorf("no line says that %s was refused", wrong.id)
			})
			if n := wrong.stats(t, `^listener_manager.lds.update_success$`); sum(n) > 0 {
				t.Errorf("it was served: %v", n)
			}
			if home := p.sentTo(t, wrong.id); home != "map[]" {
				t.Errorf("it was sent %s", home)
			}
		})
	}
	t.Run("a stranger", func(t *testing.T) {
		cert, key := newAuthority(t).issue("right", "spiffe://example.com/gateway/edge")
		wrong := startEdge(t, "edge", "stranger", s.port, []string{p.xds},
			"-ca-file", ca.file, "-cert-file", cert, "-key-file", key, "-xds-server-name", "localhost")
		wrong.waitStat(t, `^cluster.xds.upstream_cx_(destroy_remote|connect_fail)$`)
		if home := p.sentTo(t, wrong.id); home != "map[]" {
			t.Errorf("it was sent %s", home)
		}
	})
	s.steady(t, func() {})
}

// authority issues certificates from files.
type authority struct {
	t    *testing.T
	dir  string
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: tempDir(t), last: 1}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	a.file = a.write("ca.pem", "CERTIFICATE", a.sign(a.cert, &a.key.PublicKey))
	return a
}

// issue makes a certificate with a URI, where it is not empty, and names; it returns the files of certificate and key.
func (a *authority) issue(name, uri string, dns ...string) (certFile, keyFile string) {
	a.t.Helper()
	a.last++
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: dns, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			a.t.Fatal(err)
		}
		leaf.URIs = []*url.URL{u}
	}
	key := a.newKey()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	file := fmt.Sprintf("%d", a.last)
	return a.write(file+".pem", "CERTIFICATE", a.sign(leaf, &key.PublicKey)), a.write(file+"-key.pem", "PRIVATE KEY", der)
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) sign(cert *x509.Certificate, public *ecdsa.PublicKey) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	return writeFile(a.t, a.dir, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
