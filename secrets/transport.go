package secrets

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

var (
	errTooLarge = errors.New("the answer is too large")
	errNoRoots  = errors.New("no certificate is in the file of authorities")
)

// limited cuts answers that are too large, whoever reads them.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{resp.Body, maxAnswer}
	return resp, nil
}

// CloseIdleConnections is what http.Client looks for.
func (l limited) CloseIdleConnections() {
	if c, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// newTransport makes the connections to one Vault. TLS files are read at each handshake, so that a rotation of them
// needs nothing else.
func newTransport(v VaultConfig) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		MaxIdleConnsPerHost:   parallelCalls,
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: v.Timeout,
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		cfg, err := v.tls(host)
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{NetDialer: dialer, Config: cfg}).DialContext(ctx, network, addr)
	}
	if cfg, err := v.tls(""); err == nil { // through a proxy the handshake is the transport's own
		t.TLSClientConfig = cfg
	}
	if u, err := url.Parse(v.Proxy); err == nil && v.Proxy != "" {
		t.Proxy = http.ProxyURL(u)
	}
	if socket, ok := strings.CutPrefix(v.Address, "unix://"); ok {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

// tls reads the files of a connection.
func (v VaultConfig) tls(host string) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         v.ServerName,
		InsecureSkipVerify: v.Insecure, //nolint:gosec // the operator's choice, as in Vault's command
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	roots, err := v.roots()
	if err != nil {
		return nil, err
	}
	cfg.RootCAs = roots
	if v.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(v.CertFile, v.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// roots returns the configured authorities; nil means the system's.
func (v VaultConfig) roots() (*x509.CertPool, error) {
	var files []string
	switch {
	case v.CAFile != "":
		files = []string{v.CAFile}
	case v.caBytes != "":
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(v.caBytes)) {
			return nil, errNoRoots
		}
		return pool, nil
	case v.CAPath != "":
		found, err := filepath.Glob(filepath.Join(v.CAPath, "*"))
		if err != nil {
			return nil, fmt.Errorf("list authorities: %w", err)
		}
		files = found
	default:
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) && v.CAFile != "" {
			return nil, errNoRoots
		}
	}
	return pool, nil
}

// tlsText names what is wrong with certificates; "" when that is not the matter.
func tlsText(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate is not trusted: name its authority, or the name that the certificate has"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server refused the handshake, perhaps for want of a client certificate"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS, or the address should say http"
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Error()
	}
	if errors.Is(err, errNoRoots) {
		return errNoRoots.Error()
	}
	return ""
}
