package translate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/featuretest"
)

// seen are the headers that docs/forwarded.md rules, in its order.
var seen = []string{
	"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip", "forwarded",
	"x-request-id", "x-envoy-external-address", "x-envoy-retry-on", "traceparent", "tracestate", "cookie",
}

// claims is what a client or a proxy sends.
var claims = strings.Join([]string{
	"x-forwarded-for: 192.0.2.1, 192.0.2.2", "x-forwarded-proto: https", "x-forwarded-host: h", "x-forwarded-port: 1", "x-forwarded-prefix: /p",
	"x-real-ip: 192.0.2.3", "forwarded: for=192.0.2.4", "x-request-id: 1234", "x-envoy-external-address: 192.0.2.5", "x-envoy-retry-on: 5xx",
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=b", "cookie: a=b; c=\"d e\"", "",
}, "\r\n")

// edgeOf is a gateway of one listener, and a route to an upstream that says what it got.
func edgeOf(t *testing.T, listener string) *featuretest.Edge {
	t.Helper()
	backend := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		for _, n := range seen {
			v := strings.Join(r.Header.Values(n), "|")
			if n == "x-request-id" && len(v) == 36 {
				v = "new"
			}
			if v != "" {
				fmt.Fprintf(w, "%s=%s\n", n, v)
			}
		}
	})
	return featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" {
		    port = 8080
		    ` + listener + `
		  }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		` + upstream("shop", backend)})
}

// spoken sends text as it stands and returns the answer; a closed connection is status 0.
func spoken(t *testing.T, at, text string) (status int, header http.Header, body string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprint(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b.String()
}

// always is what passes whoever sends it.
const always = "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate=a=b\ncookie=a=b; c=\"d e\"\n"

// TestForwarded is the table of docs/forwarded.md: the same claims of one peer, by what the listener believes. The peer is
// named by a PROXY header, since Envoy writes its own address for one on loopback.
func TestForwarded(t *testing.T) {
	const nobody = "x-forwarded-for=203.0.113.9\nx-forwarded-proto=http\nx-request-id=new\nx-envoy-external-address=203.0.113.9\n" + always
	const claimed = "x-forwarded-host=h\nx-forwarded-port=1\nx-forwarded-prefix=/p\nx-real-ip=192.0.2.3\nforwarded=for=192.0.2.4\nx-request-id=1234\n"
	believed := func(client string) string {
		return "x-forwarded-for=192.0.2.1, 192.0.2.2,203.0.113.9\nx-forwarded-proto=https\n" + claimed + "x-envoy-external-address=" + client + "\n" + always
	}
	for listener, want := range map[string]string{
		"":                                     nobody,
		"trusted_hops = 1":                     believed("192.0.2.2"),
		"trusted_hops = 2":                     believed("192.0.2.1"),
		`trusted_proxies = ["203.0.113.0/24"]`: believed("192.0.2.2"),
		"trusted_proxies = [\"203.0.113.9\"]\ntrusted_hops = 2":   believed("192.0.2.1"),
		"trusted_proxies = [\"10.0.0.0/8\"]\ntrusted_hops    = 2": nobody,
	} {
		e := edgeOf(t, "proxy_protocol = \"required\"\n"+listener)
		if _, _, got := spoken(t, e.Listener(t, "edge.http"), "PROXY TCP4 203.0.113.9 127.0.0.1 4096 80\r\nGET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n"+claims+"\r\n"); got != want {
			t.Errorf("with %q the upstream got\n%swant\n%s", listener, got, want)
		}
	}
}

func TestProxyProtocol(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + "\xc6\x33\x64\x07" + "\x7f\x00\x00\x01" + "\x10\x00\x00\x50"
	for listener, cases := range map[string]map[string]string{
		`proxy_protocol = "required"`: {
			"PROXY TCP4 198.51.100.7 127.0.0.1 4096 80\r\n": "198.51.100.7", v2: "198.51.100.7", "PROXY UNKNOWN\r\n": "127.0.0.1", "": "",
			"PROXY TCP4 nobody 127.0.0.1 4096 80\r\n": "",
		},
		`proxy_protocol = "optional"`: {"PROXY TCP4 198.51.100.7 127.0.0.1 4096 80\r\n": "198.51.100.7", v2: "198.51.100.7", "": "127.0.0.1"},
		"":                            {"PROXY TCP4 198.51.100.7 127.0.0.1 4096 80\r\n": ""},
	} {
		e := edgeOf(t, listener)
		for prefix, client := range cases {
			status, _, got := spoken(t, e.Listener(t, "edge.http"), prefix+head)
			if found := strings.Contains(got, "x-envoy-external-address="+client+"\n"); status == 200 != (client != "") || (client != "" && !found) {
				t.Errorf("%s: after %q: %d\n%s", listener, prefix, status, got)
			}
		}
	}
}

// TestRedirectHTTPS asks a listener that redirects for what routes have, and for what only an authority asks.
func TestRedirectHTTPS(t *testing.T) {
	for block, c := range map[string]struct {
		status int
		at     string
	}{"": {308, "https://shop.test"}, "port = 8443\nstatus = 301": {301, "https://shop.test:8443"}} {
		e := edgeOf(t, "redirect_https {\n"+block+"\n}")
		for _, host := range []string{"shop.test", "shop.test:8080"} {
			a := e.Do(t, "POST", host, "/cart?item=1")
			if a.Status != c.status || a.Header.Get("location") != c.at+"/cart?item=1" {
				t.Errorf("%s is answered with %d to %q", host, a.Status, a.Header.Get("location"))
			}
		}
		if a := e.Do(t, "GET", "shop.test", "/.well-known/acme-challenge/x"); a.Status != 404 {
			t.Errorf("a challenge is answered with %d", a.Status)
		}
	}
}
