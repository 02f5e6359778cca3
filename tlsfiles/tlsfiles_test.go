package tlsfiles_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve answers with the common name of the client's certificate, which an authority of dir must have signed.
func serve(t *testing.T, dir string) *httptest.Server {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].SerialNumber.String()) // the client notices when it is cut
	}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	s.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// ask makes one request over a connection of its own.
func ask(t *testing.T, rt http.RoundTripper, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestARotationOfFilesNeedsNothingElse(t *testing.T) {
	ours, theirs, mine := t.TempDir(), t.TempDir(), t.TempDir()
	testenv.WriteCertificates(t, ours)
	testenv.WriteCertificates(t, theirs) // another authority
	in := func(name string) string { return filepath.Join(mine, name) }
	cfg := tlsfiles.Config{Of: "shop", CAFile: in("ca.pem"), CertFile: in("client.pem"), KeyFile: in("client-key.pem")}
	server := serve(t, ours)
	transport := &http.Transport{}
	cfg.Secure(transport, &net.Dialer{Timeout: 5 * time.Second})
	try := func(step, want string) {
		t.Helper()
		got, err := ask(t, transport, server.URL)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", step, got, want)
		}
	}
	try("without files", "read shop authority: open "+in("ca.pem"))
	copyFile(t, filepath.Join(theirs, "ca.pem"), in("ca.pem"))
	try("with another authority, without a certificate", "read shop client certificate: open")
	copyFile(t, filepath.Join(theirs, "client.pem"), in("client.pem"))
	copyFile(t, filepath.Join(theirs, "client-key.pem"), in("client-key.pem"))
	try("with another authority", "certificate signed by unknown authority")
	copyFile(t, filepath.Join(ours, "ca.pem"), in("ca.pem"))
	try("with a certificate that the server does not know", "tls: ")
	copyFile(t, filepath.Join(ours, "client.pem"), in("client.pem"))
	try("half way", "private key does not match")
	copyFile(t, filepath.Join(ours, "client-key.pem"), in("client-key.pem"))
	try("with all files", "3") // the serial number of the client's
}

func TestAuthorities(t *testing.T) {
	dir := t.TempDir()
	testenv.WriteCertificates(t, dir)
	ca := filepath.Join(dir, "ca.pem")
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	volume := t.TempDir()
	copyFile(t, ca, filepath.Join(volume, "ca.pem"))
	copyFile(t, none, filepath.Join(volume, "README"))
	if err := os.Mkdir(filepath.Join(volume, "..data"), 0o700); err != nil {
		t.Fatal(err)
	}
	server := serve(t, dir)
	base := tlsfiles.Config{CertFile: filepath.Join(dir, "client.pem"), KeyFile: filepath.Join(dir, "client-key.pem")}
	for name, c := range map[string]struct {
		change func(*tlsfiles.Config)
		want   string // "": it works
	}{
		"file":             {func(c *tlsfiles.Config) { c.CAFile = ca }, ""},
		"text":             {func(c *tlsfiles.Config) { c.CAPEM = string(pem) }, ""},
		"folder":           {func(c *tlsfiles.Config) { c.CAPath = volume }, ""},
		"file before text": {func(c *tlsfiles.Config) { c.CAFile, c.CAPEM = ca, "none" }, ""},
		"insecure":         {func(c *tlsfiles.Config) { c.Insecure = true }, ""},
		"system":           {func(*tlsfiles.Config) {}, "unknown authority"},
		"another name":     {func(c *tlsfiles.Config) { c.CAFile, c.ServerName = ca, "other.test" }, "not other.test"},
		"empty file":       {func(c *tlsfiles.Config) { c.CAFile = none }, "no certificate in it"},
		"empty text":       {func(c *tlsfiles.Config) { c.CAPEM = "none" }, "no certificate in it"},
		"empty folder":     {func(c *tlsfiles.Config) { c.CAPath = filepath.Dir(none) }, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base
			c.change(&cfg)
			transport := &http.Transport{}
			cfg.Secure(transport, &net.Dialer{Timeout: 5 * time.Second})
			_, err := ask(t, transport, server.URL)
			switch {
			case (err == nil) != (c.want == ""), err != nil && !strings.Contains(err.Error(), c.want):
				t.Errorf("error %v, want %q", err, c.want)
			case strings.HasPrefix(name, "empty") && name != "empty folder" && !errors.Is(err, tlsfiles.ErrNoAuthority):
				t.Errorf("error %v is not ErrNoAuthority", err)
			}
		})
	}
}

func TestTheEnvironmentFillsWhatIsEmpty(t *testing.T) {
	env := func(name string) string {
		return map[string]string{
			"NOMAD_CACERT": "/ca", "NOMAD_CAPATH": "/cas", "NOMAD_CLIENT_CERT": "/c", "NOMAD_CLIENT_KEY": "/k", "NOMAD_TLS_SERVER_NAME": "n",
		}[name]
	}
	got := tlsfiles.Config{ServerName: "mine"}.WithEnv(env, "NOMAD")
	if want := (tlsfiles.Config{CAFile: "/ca", CAPath: "/cas", CertFile: "/c", KeyFile: "/k", ServerName: "mine"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (tlsfiles.Config{CAPath: "/mine"}).WithEnv(env, "NOMAD"); got.CAFile != "" || got.CAPath != "/mine" {
		t.Errorf("the environment's authority beats the configured one: %+v", got)
	}
	for _, c := range []tlsfiles.Config{{CertFile: "/c"}, {KeyFile: "/k"}} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "go together") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := (tlsfiles.Config{CertFile: "/c", KeyFile: "/k"}).Check(); err != nil {
		t.Error(err)
	}
}
