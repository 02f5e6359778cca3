package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// TestAConnectionEndsWithItsCertificate: a client that has a new certificate meanwhile gets on by itself, on another
// connection. A stream that is only refused would be opened again on the same one, for ever.
func TestAConnectionEndsWithItsCertificate(t *testing.T) {
	s := newSecure(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca.pem)
	shown := 0
	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, ServerName: "xds.test",
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			life := time.Hour
			if shown++; shown == 1 {
				life = 2 * time.Second // whole seconds are all that a certificate knows
			}
			cert := &x509.Certificate{
				SerialNumber: big.NewInt(int64(30 + shown)), NotAfter: time.Now().Add(life), DNSNames: []string{"edge"},
				ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			}
			_, certPEM, keyPEM := s.ca.sign(cert, s.ca)
			pair, err := tls.X509KeyPair(certPEM, keyPEM)
			return &pair, err
		},
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	open := func() discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient {
		t.Helper()
		stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		err = stream.Send(&discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: "e", Cluster: "edge"}, TypeUrl: cds})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		return stream
	}
	first := open()
	if _, err := first.Recv(); err == nil || ctx.Err() != nil {
		t.Fatalf("a stream goes on after its certificate has expired: %v", err)
	}
	open()
	if shown != 2 {
		t.Errorf("%d certificates were shown", shown)
	}
}
