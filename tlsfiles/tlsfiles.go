// Package tlsfiles makes TLS connections from files: authorities, and a certificate of one's own. The files are read at
// each handshake, which is rare, so that a rotation of them needs neither a restart nor anything that watches them. It is
// a leaf: whoever talks to a system over TLS may use it, and it knows none of them.
package tlsfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

var (
	// ErrNoAuthority says that what should hold authorities holds no certificate.
	ErrNoAuthority = errors.New("no certificate in it")

	errHalf = errors.New("client certificate: certificate and key go together")
)

// Config names the files. The zero value trusts the system's authorities and shows no certificate.
type Config struct {
	Of string // the system at the other end, for errors: "consul"; may be empty

	CAFile     string // authorities; it comes before CAPEM, and that before CAPath
	CAPEM      string // the authorities themselves
	CAPath     string // a folder of authorities
	CertFile   string // client certificate
	KeyFile    string // of CertFile
	ServerName string // of the server's certificate, where it differs from the address
	Insecure   bool   // do not verify the server's certificate
}

// WithEnv returns c with what is empty taken from the variables that HashiCorp's tools know, PREFIX_CACERT and its kin.
// A configured authority leaves those of the environment out. Whether to verify has another name in each system.
func (c Config) WithEnv(env func(string) string, prefix string) Config {
	fill := func(dst *string, name string) {
		if *dst == "" {
			*dst = env(prefix + name)
		}
	}
	if c.CAFile == "" && c.CAPEM == "" && c.CAPath == "" {
		fill(&c.CAFile, "_CACERT")
		fill(&c.CAPEM, "_CACERT_BYTES")
		fill(&c.CAPath, "_CAPATH")
	}
	fill(&c.CertFile, "_CLIENT_CERT")
	fill(&c.KeyFile, "_CLIENT_KEY")
	fill(&c.ServerName, "_TLS_SERVER_NAME")
	return c
}

// Check says what is wrong with c as it stands. It reads no file.
func (c Config) Check() error {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errHalf
	}
	return nil
}

// Read returns a configuration for one handshake with a host, from what the files hold now. The caller may change it. An
// error wraps that of the file, or ErrNoAuthority.
func (c Config) Read(host string) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.ServerName,
		InsecureSkipVerify: c.Insecure, //nolint:gosec // the operator's choice, as in the system's own tools
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	cfg.RootCAs = roots
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read %sclient certificate: %w", c.of(), err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// Dial returns the DialTLSContext of an http.Transport: it connects by d and shakes hands. protocols are those that it
// offers ("h2"); none: HTTP/1.1.
func (c Config) Dial(d *net.Dialer, protocols ...string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("dial %s%s: %w", c.of(), addr, err)
		}
		cfg, err := c.Read(host)
		if err != nil {
			return nil, err
		}
		cfg.NextProtos = protocols
		return (&tls.Dialer{NetDialer: d, Config: cfg}).DialContext(ctx, network, addr)
	}
}

// Secure has a transport make its TLS connections by Dial. Through a proxy the handshake is the transport's own: there
// the files count as they stand at this call.
func (c Config) Secure(t *http.Transport, d *net.Dialer, protocols ...string) {
	t.DialTLSContext = c.Dial(d, protocols...)
	if cfg, err := c.Read(""); err == nil {
		t.TLSClientConfig = cfg
	}
}

// roots returns the configured authorities; nil means the system's. In a folder, what is no certificate is left out.
func (c Config) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	switch {
	case c.CAFile != "":
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read %sauthority: %w", c.of(), err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read %sauthority %s: %w", c.of(), c.CAFile, ErrNoAuthority)
		}
	case c.CAPEM != "":
		if !pool.AppendCertsFromPEM([]byte(c.CAPEM)) {
			return nil, fmt.Errorf("read %sauthority: %w", c.of(), ErrNoAuthority)
		}
	case c.CAPath != "":
		if err := c.gather(pool); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	return pool, nil
}

func (c Config) gather(pool *x509.CertPool) error {
	found, err := filepath.Glob(filepath.Join(c.CAPath, "*"))
	if err != nil {
		return fmt.Errorf("list %sauthorities %s: %w", c.of(), c.CAPath, err)
	}
	for _, f := range found {
		if info, err := os.Stat(f); err == nil && info.IsDir() {
			continue // a mounted volume has folders of its own beside the files
		}
		pem, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("read %sauthority: %w", c.of(), err)
		}
		pool.AppendCertsFromPEM(pem)
	}
	return nil
}

// of is the system's name with the blank that follows it in errors.
func (c Config) of() string {
	if c.Of == "" {
		return ""
	}
	return c.Of + " "
}
