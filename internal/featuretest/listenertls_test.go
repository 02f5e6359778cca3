package featuretest

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/xds/translate"
)

// secured is a gateway whose listener speaks TLS, and a route to something that answers.
func secured(listener string) Documents {
	return Documents{"a.hcl": `
		gateway "edge" {
		  listener "https" {
		    port = 8443
		    ` + listener + `
		  }
		}
		secret "shop" {
		  vault_kv { path = "shop" }
		}
		secret "clients" {
		  vault_kv { path = "clients" }
		}
		route "shop" {
		  respond { body = "fine" }
		}`}
}

// client speaks TLS with an Envoy.
func (e *Edge) secure(t testing.TB, config *tls.Config) *http.Client {
	t.Helper()
	config.RootCAs = TheCertificates().Pool()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (e *Edge) get(t testing.TB, c *http.Client) (proto string, err error) {
	t.Helper()
	resp, err := c.Get(strings.Replace(e.url, "http:", "https:", 1))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != 200 || string(b) != "fine") {
		err = fmt.Errorf("%s %s", resp.Status, b)
	}
	return resp.Proto, err
}

func TestAListenerSpeaksTLS(t *testing.T) {
	for name, c := range map[string]struct{ block, proto string }{
		"by default":     {"", "HTTP/2.0"},
		"without HTTP/2": {"http2 = false", "HTTP/1.1"},
		"modern":         {`cipher_policy = "modern"`, "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			edge := Serve(t, []translate.Kind{}, secured("tls {\ncertificates = [secret.shop]\n"+c.block+"\n}"))
			proto, err := edge.get(t, edge.secure(t, &tls.Config{ServerName: "shop.internal"}))
			if err != nil || proto != c.proto {
				t.Errorf("answered in %q, %v", proto, err)
			}
		})
	}
}

// openssl asks an Envoy as an independent client would; what it says is returned.
func (e *Edge) openssl(t testing.TB, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, append([]string{"s_client", "-connect", strings.TrimPrefix(e.url, "http://"), "-servername", "shop.internal"}, args...)...)
	c.Stdin = strings.NewReader("R\n")
	out, _ := c.CombinedOutput()
	return string(out)
}

// TestAnIndependentClientFindsNothingWeak has openssl try what a listener must refuse. It is the server that has to: an
// alert is looked for, since a client that cannot even ask proves nothing.
func TestAnIndependentClientFindsNothingWeak(t *testing.T) {
	const protocol, failure = "SSL alert number 70", "SSL alert number 40"
	for block, cases := range map[string]map[string]string{
		"": {
			"-tls1 -cipher ALL:@SECLEVEL=0":                         protocol,
			"-tls1_1 -cipher ALL:@SECLEVEL=0":                       protocol,
			"-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0":    failure,
			"-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0": failure,
			"-tls1_2 -cipher AES128-GCM-SHA256:@SECLEVEL=0":         failure,
			"-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0": failure,
			"-tls1_2 -cipher aNULL:@SECLEVEL=0":                     failure,
			"-tls1_2 -cipher eNULL:@SECLEVEL=0":                     failure,
			"-tls1_2 -cipher PSK:@SECLEVEL=0 -psk 00":               failure,
			"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256":         "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256",
			"-tls1_2 -comp":                 "Compression: NONE",
			"-tls1_2":                       "alert no renegotiation",
			"-tls1_2 -legacy_renegotiation": "alert no renegotiation",
			"-tls1_3":                       "New, TLSv1.3",
			"-tls1_3 -alpn h2,http/1.1":     "ALPN protocol: h2",
			"-tls1_2 -alpn http/1.1":        "ALPN protocol: http/1.1",
		},
		`cipher_policy = "modern"`: {"-tls1_2": protocol, "-tls1_3": "New, TLSv1.3"},
		`min_version = "1.3"`:      {"-tls1_2": protocol, "-tls1_3": "New, TLSv1.3"},
		`ciphers = ["ECDHE-ECDSA-AES256-GCM-SHA384"]`: {
			"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256": failure, "-tls1_2": "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384",
		},
	} {
		edge := Serve(t, nil, secured("tls {\ncertificates = [secret.shop]\n"+block+"\n}"))
		for args, want := range cases {
			if out := edge.openssl(t, strings.Fields(args)...); !strings.Contains(out, want) {
				t.Errorf("{%s} openssl s_client %s: want %q in\n%s", block, args, want, out)
			}
		}
	}
}
