package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// TLS names the files of the server's certificate, its key, and the authorities of clients. They are read again for
// each handshake.
type TLS struct{ Cert, Key, ClientCA string }

// NewGRPC returns a gRPC server fit for Envoys: frozen peers are noticed within a minute, requests of a large
// reconnect fit, connections end after 10 to 12 hours so that they spread over replicas, and with Options.TLS only
// TLS 1.3 with a verified client certificate is spoken, until that certificate expires. Stop it by Stop: streams never end by themselves. It fails
// when the TLS files cannot be read.
func NewGRPC(o Options) (*grpc.Server, error) {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(32 << 20),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 30 * time.Second, Timeout: 20 * time.Second,
			MaxConnectionAge:      10*time.Hour + rand.N(2*time.Hour),
			MaxConnectionAgeGrace: 2 * time.Minute,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if o.TLS != nil {
		if _, err := o.TLS.config(); err != nil {
			return nil, err
		}
		opts = append(opts, grpc.Creds(untilExpiry{credentials.NewTLS(&tls.Config{
			MinVersion:         tls.VersionTLS13,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return o.TLS.config() },
		})}))
	}
	return grpc.NewServer(opts...), nil
}

// config reads the files.
func (t *TLS) config() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", t.Cert, err)
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read client authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read client authorities %s: %w", t.ClientCA, errors.New("no certificate in it"))
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		NextProtos:   []string{"h2"},
	}, nil
}
