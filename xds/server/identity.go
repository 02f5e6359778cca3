package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Identity says whether the peer of a stream may speak for a gateway (node.cluster). It is asked at the first request
// of a stream and at every later one; its error goes to the peer.
type Identity func(ctx context.Context, gateway string) error

// Loopback lets every peer on a loopback address or a Unix socket speak for any gateway, and nobody else.
func Loopback(ctx context.Context, _ string) error {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return errors.New("peer is unknown")
	}
	switch a := p.Addr.(type) {
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return nil
		}
	case *net.UnixAddr:
		return nil
	}
	return fmt.Errorf("peer %s is not local and has no certificate", p.Addr)
}

// Certificate lets a peer speak for the gateways that its verified client certificate names, in a subject alternative
// name: the URI spiffe://TRUSTDOMAIN/gateway/NAME, or the DNS name NAME. An empty trust domain means any. A
// certificate that has expired since the handshake counts no more.
func Certificate(trustDomain string) Identity {
	return func(ctx context.Context, gateway string) error {
		p, ok := peer.FromContext(ctx)
		if !ok {
			return errors.New("peer is unknown")
		}
		info, ok := p.AuthInfo.(credentials.TLSInfo)
		if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
			return errors.New("a client certificate is required")
		}
		leaf := info.State.VerifiedChains[0][0]
		if time.Now().After(leaf.NotAfter) {
			return errors.New("client certificate has expired")
		}
		if !names(leaf, trustDomain, gateway) {
			return fmt.Errorf("client certificate does not name the gateway %q", gateway)
		}
		return nil
	}
}

func names(leaf *x509.Certificate, trustDomain, gateway string) bool {
	if slices.Contains(leaf.DNSNames, gateway) {
		return true
	}
	for _, u := range leaf.URIs {
		if u.Scheme == "spiffe" && (trustDomain == "" || u.Host == trustDomain) && u.Path == "/gateway/"+gateway {
			return true
		}
	}
	return false
}
