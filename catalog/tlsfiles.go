package catalog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// fileText is a file that is read again when it has changed. It is safe for concurrent use.
type fileText struct {
	path string

	mu   sync.Mutex
	mod  time.Time
	size int64
	text string
}

// get returns the file's text. Once read, a file that is gone or empty (half a rotation) leaves the last text in force.
func (f *fileText) get() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return f.keep(err)
	}
	if f.text != "" && info.ModTime().Equal(f.mod) && info.Size() == f.size {
		return f.text, nil
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return f.keep(err)
	}
	t := strings.TrimSpace(string(b))
	if t == "" {
		return f.keep(fmt.Errorf("read token file %s: it is empty", f.path))
	}
	f.mod, f.size, f.text = info.ModTime(), info.Size(), t
	return t, nil
}

func (f *fileText) keep(err error) (string, error) {
	if f.text != "" {
		return f.text, nil
	}
	return "", err
}

// tlsFiles makes TLS connections with what the files hold at the time of each handshake.
type tlsFiles struct {
	caFile, caPath, certFile, keyFile, serverName string
	insecure                                      bool
	dialer                                        *net.Dialer
}

// config reads the files. It is called once a handshake, which is rare: watches share connections.
func (t *tlsFiles) config(host string) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.serverName,
		InsecureSkipVerify: t.insecure, //nolint:gosec // the operator's choice, as in Consul's tools
		NextProtos:         []string{"h2", "http/1.1"},
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	roots, err := t.roots()
	if err != nil {
		return nil, err
	}
	cfg.RootCAs = roots
	if t.certFile != "" {
		cert, err := tls.LoadX509KeyPair(t.certFile, t.keyFile)
		if err != nil {
			return nil, fmt.Errorf("read consul client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// roots returns the configured authorities; nil means the system's.
func (t *tlsFiles) roots() (*x509.CertPool, error) {
	var files []string
	switch {
	case t.caFile != "":
		files = []string{t.caFile}
	case t.caPath != "":
		found, err := filepath.Glob(filepath.Join(t.caPath, "*"))
		if err != nil {
			return nil, fmt.Errorf("list consul authorities %s: %w", t.caPath, err)
		}
		files = found
	default:
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read consul authority: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) && t.caFile != "" {
			return nil, fmt.Errorf("read consul authority %s: no certificate in it", f)
		}
	}
	return pool, nil
}

// dial connects and shakes hands.
func (t *tlsFiles) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial consul %s: %w", addr, err)
	}
	cfg, err := t.config(host)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{NetDialer: t.dialer, Config: cfg}
	return d.DialContext(ctx, network, addr)
}
