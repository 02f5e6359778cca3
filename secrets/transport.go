package secrets

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

var errTooLarge = errors.New("the answer is too large")

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

// newTransport makes the connections to one Vault.
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
	v.TLS.Secure(t, dialer)
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
	if errors.Is(err, tlsfiles.ErrNoAuthority) {
		return "no certificate is in the file of authorities"
	}
	return ""
}
