package vsphere

import (
	"context"
	"crypto/sha1" //nolint:gosec // thumbprints of vSphere are SHA-1 still; they name a certificate that was looked at
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// dialer makes the connections of one session. They end with it, whoever waits for them.
type dialer struct {
	life  func() (context.Context, context.CancelFunc) // bounded by a deadline too
	files tlsfiles.Config
	thumb []byte                           // of a certificate that is trusted besides; nil: none
	seen  atomic.Pointer[x509.Certificate] // the last; nil: none yet
}

// newDialer makes a dialer whose connections end with life.
func newDialer(life context.Context, cfg Config, timeout time.Duration) (*dialer, error) {
	thumb, err := thumbprint(cfg.Thumbprint)
	if err != nil {
		return nil, err
	}
	return &dialer{
		life: func() (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(life, timeout, errors.New("no connection in time"))
		},
		files: tlsfiles.Config{Of: "vsphere", CAFile: cfg.CAFile, Insecure: cfg.Insecure},
		thumb: thumb,
	}, nil
}

// use has a transport connect by d. Through a proxy the handshake is the transport's own.
func (d *dialer) use(t *http.Transport) error {
	cfg, err := d.config("")
	if err != nil {
		return err
	}
	t.TLSClientConfig = cfg
	t.DialContext, t.DialTLSContext = d.dial, d.dialTLS
	t.ForceAttemptHTTP2 = false // as vCenter's own clients
	t.MaxIdleConnsPerHost = 4
	t.IdleConnTimeout = 90 * time.Second
	return nil
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	life, end := d.life()
	defer end()
	defer context.AfterFunc(ctx, end)()
	return (&net.Dialer{}).DialContext(life, network, address)
}

func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	cfg, err := d.config(host)
	if err != nil {
		return nil, err
	}
	life, end := d.life()
	defer end()
	defer context.AfterFunc(ctx, end)()
	return (&tls.Dialer{NetDialer: &net.Dialer{}, Config: cfg}).DialContext(life, network, address)
}

// config reads the files. Where a thumbprint may stand for an authority, it checks certificates itself.
func (d *dialer) config(host string) (*tls.Config, error) {
	cfg, err := d.files.Read(host)
	if err != nil {
		return nil, err
	}
	roots, byThumb := cfg.RootCAs, d.thumb != nil && !d.files.Insecure
	cfg.InsecureSkipVerify = d.files.Insecure || byThumb // VerifyConnection does it
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		d.seen.Store(leaf)
		if !byThumb || matches(d.thumb, leaf) {
			return nil
		}
		options := x509.VerifyOptions{Roots: roots, DNSName: state.ServerName, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		if _, err := leaf.Verify(options); err != nil {
			return fmt.Errorf("%w, and its thumbprint is %s", err, printed(leaf))
		}
		return nil
	}
	return cfg, nil
}

// matches compares a thumbprint with a certificate's.
func matches(thumb []byte, c *x509.Certificate) bool {
	long, short := sha256.Sum256(c.Raw), sha1.Sum(c.Raw) //nolint:gosec // see the import
	return string(thumb) == string(long[:]) || string(thumb) == string(short[:])
}

func printed(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// thumbprint reads hexadecimal digits, with colons or without. None is nil.
func thumbprint(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	out, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(out) != sha1.Size && len(out) != sha256.Size {
		return nil, fmt.Errorf("thumbprint %q is none: it is 64 hexadecimal digits of SHA-256, or 40 of SHA-1", text)
	}
	return out, nil
}
