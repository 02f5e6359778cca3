package translate_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/featuretest"
)

// TestNobodyOutsideSteersTheGateway sends what only a proxy in front of an inner Envoy may say: a number of tries, a
// timeout, an address, a request id. The client stands on loopback and is nobody's proxy all the same.
func TestNobodyOutsideSteersTheGateway(t *testing.T) {
	names := []string{
		"x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-upstream-rq-timeout-ms", "x-envoy-internal",
		"x-envoy-original-path", "x-envoy-decorator-operation", "x-envoy-force-trace", "x-forwarded-proto",
	}
	headers := []string{"x-envoy-external-address: 192.0.2.9", "x-request-id: mine"}
	for _, n := range names {
		headers = append(headers, n+": 1")
	}
	backend := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		for _, n := range append(names, "x-envoy-external-address") {
			if v := r.Header.Values(n); len(v) > 0 {
				fmt.Fprintf(w, "%s=%s\n", n, strings.Join(v, "|"))
			}
		}
		if id := r.Header.Get("x-request-id"); len(id) != 36 {
			fmt.Fprintf(w, "x-request-id=%s\n", id)
		}
		first, rest, _ := strings.Cut(r.Header.Get("x-forwarded-for"), ",")
		fmt.Fprintf(w, "%t %t\n", first == "192.0.2.7", rest != "")
	})
	e := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": edge + upstream("shop", backend) + `
		route "shop" {
		  to { upstream = upstream.shop }
		}`})
	for addresses, last := range map[string]string{"": "false false\n", "x-forwarded-for: 192.0.2.7": "false false\n"} {
		sent := headers
		if addresses != "" {
			sent = append(sent, addresses)
		}
		want := "x-forwarded-proto=http\nx-envoy-external-address=127.0.0.1\n" + last
		if a := e.Do(t, "GET", "shop.test", "/", sent...); a.Body != want {
			t.Errorf("after %q the upstream got\n%swant\n%s", addresses, a.Body, want)
		}
	}
}

// TestTheEdgeIsStrict sends requests as no well-behaved client writes them.
func TestTheEdgeIsStrict(t *testing.T) {
	e := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": edge + upstream("shop", echo(t, "shop")) + `
		route "shop" {
		  match { prefix = "/a" }
		  to { upstream = upstream.shop }
		}`})
	at := e.Listener(t, "edge.http")
	for request, want := range map[string]string{
		"GET //a///b HTTP/1.1\r\nHost: shop.test\r\n":            "200 /a/b",
		"GET /x/../a/./b HTTP/1.1\r\nHost: shop.test\r\n":        "200 /a/b",
		"GET /x/%2e%2E/a HTTP/1.1\r\nHost: shop.test\r\n":        "200 /a",
		"GET /a%2Fb HTTP/1.1\r\nHost: shop.test\r\n":             "307 /a/b",
		"GET /a%5cb?q HTTP/1.1\r\nHost: shop.test\r\n":           "307 /a/b?q",
		"GET /a HTTP/1.1\r\nHost: shop.test.\r\n":                "200 /a",
		"GET /a HTTP/1.1\r\nHost: shop.test\r\nx_user: root\r\n": "400 ",
		"GET /a HTTP/1.1\r\n":                                    "400 ",
		"GET http://shop.test/a HTTP/1.1\r\nHost: b.test\r\n":    "200 /a",
		"GET /a\xff HTTP/1.1\r\nHost: shop.test\r\n":             "400 ",
	} {
		if got := raw(t, at, request); got != want {
			t.Errorf("%q is answered with %q, want %q", request, got, want)
		}
	}
}

// raw sends a request head as it stands and returns the status, and where it went: the redirect, or what the upstream
// saw.
func raw(t *testing.T, at, head string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(conn, "%sConnection: close\r\n\r\n", head); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 256)
	n, _ := resp.Body.Read(body)
	where := strings.TrimPrefix(resp.Header.Get("location"), "http://shop.test")
	if resp.StatusCode == http.StatusOK {
		where = string(body[:n])[strings.LastIndexByte(string(body[:n]), ' ')+1:]
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, where)
}

// TestHostsAndMethods: the exact name, then the longest wildcard, then "*"; a method is itself alone.
func TestHostsAndMethods(t *testing.T) {
	docs := edge
	for name, host := range map[string]string{
		"exact": "a.shop.test", "wild": "*.shop.test", "wilder": "*.test", "any": "*",
	} {
		docs += fmt.Sprintf(`
			route %q {
			  hosts = [%q]
			  match { path = "/" }
			  respond { body = %q }
			}`, name, host, name)
	}
	docs += `
		route "get" {
		  hosts = ["m.test"]
		  match {
		    method = "GET"
		    path   = "/get"
		  }
		  respond { body = "get" }
		}
		route "both" {
		  hosts = ["m.test"]
		  match {
		    methods = ["GET", "HEAD"]
		    path    = "/both"
		  }
		  respond { body = "both" }
		}`
	e := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": docs})
	for _, c := range []struct{ method, host, target, want string }{
		{"GET", "a.shop.test", "/", "200 exact"},
		{"GET", "A.Shop.Test:8080", "/", "200 exact"},
		{"GET", "b.a.shop.test", "/", "200 wild"},
		{"GET", "shop.test", "/", "200 wilder"},
		{"GET", "test", "/", "200 any"},
		{"GET", "192.0.2.1:80", "/", "200 any"},
		{"GET", "a.shop.test", "/none", "404 "},
		{"GET", "m.test", "/get?x", "200 get"},
		{"HEAD", "m.test", "/get", "404 "},
		{"POST", "m.test", "/get", "404 "},
		{"HEAD", "m.test", "/both", "200 "},
		{"GET", "m.test", "/both", "200 both"},
	} {
		if a := e.Do(t, c.method, c.host, c.target); fmt.Sprintf("%d %s", a.Status, a.Body) != c.want {
			t.Errorf("%s %s%s is answered with %d %q, want %s", c.method, c.host, c.target, a.Status, a.Body, c.want)
		}
	}
}
