package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	a.key, a.pem, _ = a.sign(a.cert, nil)
	return a
}

func (a *authority) sign(c *x509.Certificate, parent *authority) (*ecdsa.PrivateKey, []byte, []byte) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	issuer, signer := c, k
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &k.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	kb, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return k, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kb})
}

// leaf makes a certificate with subject alternative names: URIs and DNS names.
func (a *authority) leaf(serial int64, names ...string) (cert, key []byte) {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "edge"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if u, err := url.Parse(n); err == nil && u.Scheme == "spiffe" {
			c.URIs = append(c.URIs, u)
			continue
		}
		c.DNSNames = append(c.DNSNames, n)
	}
	_, cert, key = a.sign(c, a)
	return cert, key
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// dialTLS asks for clusters as the gateway edge: OK for an answer.
func dialTLS(t *testing.T, addr string, creds credentials.TransportCredentials) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err == nil {
		_ = s.Send(&discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: "e", Cluster: "edge"}, TypeUrl: cds})
		_, err = s.Recv()
	}
	return status.Code(err)
}

// secure is a server with mutual TLS.
type secure struct {
	t     *testing.T
	ca    *authority
	files *server.TLS
	store *store.Store
	addr  string
}

func newSecure(t *testing.T) *secure {
	dir, ca := t.TempDir(), newAuthority(t)
	s := &secure{t: t, ca: ca, files: &server.TLS{
		Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), ClientCA: filepath.Join(dir, "ca"),
	}}
	s.rotate(10)
	write(t, s.files.ClientCA, ca.pem)
	o := server.Options{TLS: s.files, Identity: server.Certificate("example.org")}
	g, err := server.NewGRPC(o)
	if err != nil {
		t.Fatal(err)
	}
	st := store.New()
	s.store = st
	st.Publish(store.Change{Set: []*store.Resource{cluster(t, "pets", 0, "")}})
	srv, err := server.New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Register(g)
	srv.Open()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(l)
	}()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	return s
}

// rotate writes a new certificate for the server.
func (s *secure) rotate(serial int64) {
	cert, key := s.ca.leaf(serial, "xds.test")
	write(s.t, s.files.Cert, cert)
	write(s.t, s.files.Key, key)
}

// client asks with a certificate of an authority, or without one, and returns the outcome and the server's serial.
func (s *secure) client(from *authority, names ...string) (codes.Code, int64) {
	s.t.Helper()
	var serial int64
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca.pem)
	cfg := &tls.Config{RootCAs: roots, ServerName: "xds.test", VerifyConnection: func(cs tls.ConnectionState) error {
		serial = cs.PeerCertificates[0].SerialNumber.Int64()
		return nil
	}}
	if from != nil {
		pair, err := tls.X509KeyPair(from.leaf(20, names...))
		if err != nil {
			s.t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	code := dialTLS(s.t, s.addr, credentials.NewTLS(cfg))
	return code, serial
}

func TestMutualTLS(t *testing.T) {
	s, stranger := newSecure(t), newAuthority(t)
	for _, tt := range []struct {
		what string
		want codes.Code
		from *authority
		name string
	}{
		{"URI", codes.OK, s.ca, "spiffe://example.org/gateway/edge"},
		{"DNS name", codes.OK, s.ca, "edge"},
		{"another gateway", codes.PermissionDenied, s.ca, "spiffe://example.org/gateway/inside"},
		{"another trust domain", codes.PermissionDenied, s.ca, "spiffe://elsewhere.org/gateway/edge"},
		{"common name alone", codes.PermissionDenied, s.ca, "other.test"},
		{"another authority", codes.Unavailable, stranger, "edge"},
		{"no certificate", codes.Unavailable, nil, ""},
	} {
		code, _ := s.client(tt.from, tt.name)
		same(t, tt.what, code, tt.want)
	}
	same(t, "plaintext", dialTLS(t, s.addr, insecure.NewCredentials()), codes.Unavailable)
	s.rotate(11) // the next handshake has it
	code, serial := s.client(s.ca, "edge")
	same(t, "after rotation", code, codes.OK)
	same(t, "serial", serial, int64(11))
}

func TestTLSFilesAreRead(t *testing.T) {
	s := newSecure(t)
	write(t, s.files.ClientCA, []byte("not a certificate"))
	if _, err := server.NewGRPC(server.Options{TLS: s.files}); err == nil {
		t.Error("a file without certificates passes")
	}
	if _, err := server.NewGRPC(server.Options{TLS: &server.TLS{}}); err == nil {
		t.Error("missing files pass")
	}
}

func TestLoopbackIdentity(t *testing.T) {
	p := newPlane(t, 0, server.Options{})
	p.set(cluster(t, "pets", 0, ""))
	same(t, "loopback", dialTLS(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), insecure.NewCredentials()), codes.OK)
	if err := server.Loopback(t.Context(), "edge"); err == nil {
		t.Error("an unknown peer passes")
	}
	if err := server.Certificate("")(t.Context(), "edge"); err == nil {
		t.Error("an unknown peer passes for a certificate")
	}
}

// TestLargeReturnFitsInOneRequest: an Envoy with very many resources lists the versions of all of them when it comes
// back, in a request above the 4 MiB that gRPC accepts by itself. It is sent what differs, and nothing else.
func TestLargeReturnFitsInOneRequest(t *testing.T) {
	const count = 60_000
	s := newSecure(t)
	versions := make(map[string]string, count)
	all := make([]*store.Resource, count)
	for i := range all {
		all[i] = cluster(t, fmt.Sprintf("an-upstream-with-a-name-of-some-length-%05d", i), 0, "")
		versions[all[i].Name] = all[i].Version
	}
	all[4711] = cluster(t, all[4711].Name, 1, "")
	s.store.Publish(store.Change{Set: all, Remove: []store.Key{key(cds, "pets")}})
	request := &discoveryv3.DeltaDiscoveryRequest{
		Node: &corev3.Node{Id: "e", Cluster: "edge"}, TypeUrl: cds, InitialResourceVersions: versions,
	}
	if n := proto.Size(request); n <= 4<<20 {
		t.Fatalf("the request has %d bytes only", n)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca.pem)
	pair, err := tls.X509KeyPair(s.ca.leaf(20, "edge"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, ServerName: "xds.test", Certificates: []tls.Certificate{pair},
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetResources()) != 1 || got.GetResources()[0].GetName() != all[4711].Name || len(got.GetRemovedResources()) != 0 {
		t.Errorf("sent %d resources and %d removals, want the one that differs", len(got.GetResources()), len(got.GetRemovedResources()))
	}
}
