package extauthz

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
)

// login decides by the path of the request, over HTTP, and says what it has seen.
func login(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("x-saw", fmt.Sprintf("%s %s host=%s cookie=%s auth=%s route=%s upstream=%s plan=%s body=%d other=%s", r.Method, r.URL, r.Host,
		r.Header.Get("cookie"), r.Header.Get("authorization"), r.Header.Get("x-sluice-route"), r.Header.Get("x-sluice-upstream"),
		r.Header.Get("x-sluice-context-plan"), len(body), r.Header.Get("x-other")))
	w.Header().Set("x-user", "ann")
	w.Header().Set("x-sluice-client", "ann")
	w.Header().Set("x-admin", "yes")
	w.Header().Set("host", "evil.test")
	switch path := r.URL.Path; {
	case strings.Contains(path, "/hang"):
		<-r.Context().Done()
	case strings.Contains(path, "/fail"):
		w.WriteHeader(http.StatusBadGateway)
	case strings.Contains(path, "/login"):
		w.Header().Set("set-cookie", "s=1")
		w.Header().Set("location", "https://id.test/")
		w.WriteHeader(http.StatusFound)
	case strings.Contains(path, "/created"): // only 200 lets pass
		w.WriteHeader(http.StatusCreated)
	case strings.Contains(path, "/cut"):
		w.Header().Set("content-length", "100")
		_, _ = w.Write([]byte("half"))
	case strings.Contains(path, "/huge"):
		for i := range 200 {
			w.Header().Set(fmt.Sprintf("x-fill-%d", i), strings.Repeat("x", 1000))
		}
	}
}

const askOverHTTP = `protocol    = "http"
	path_prefix = "/auth/"
	timeout     = "500ms"
	headers     = ["Cookie"]
	to_upstream = ["X-User"]
	to_client   = ["x-saw"]
	context     = { plan = "50%" }`

func overHTTPDocuments(address, backend, block string) featuretest.Documents {
	return featuretest.Documents{"a.hcl": fmt.Sprintf(`
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "login" {
		  static { endpoints = [%q] }
		}
		upstream "shop" {
		  static { endpoints = [%q] }
		}
		route "shop" {
		  ext_authz {
		    upstream = upstream.login
		    %s
		  }
		  to { upstream = upstream.shop }
		}
		route "about" {
		  match { prefix = "/about" }
		  ext_authz {
		    upstream = upstream.login
		    %s
		  }
		  respond {
		    status = 200
		    body   = "about"
		  }
		}`, address, backend, block, block)}
}

func TestAServiceOverHTTPDecides(t *testing.T) {
	edge := featuretest.Serve(t, kinds, overHTTPDocuments(featuretest.Backend(t, login), featuretest.Backend(t, shop), askOverHTTP))
	const passed = " host=shop.test x-user=ann authorization=mine"
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "path=/" + passed},
		{"/about", 200, "about"},
		{"/about/login", 302, ""},
		{"/login", 302, ""},
		{"/created", 201, ""},
		{"/fail", 503, unavailable},
		{"/cut", 503, unavailable},
		{"/hang", 503, unavailable},
		{"/huge", 503, unavailable},
	} {
		a := edge.Do(t, "GET", "shop.test", c.path, "x-user: forged", "authorization: mine", "cookie: a=b", "x-sluice-route: forged", "x-other: 1")
		if a.Status != c.status || a.Body != c.body {
			t.Errorf("%s is answered with %d %s", c.path, a.Status, a.Body)
		}
		if c.status == 302 && (a.Header.Get("location") != "https://id.test/" || a.Header.Get("set-cookie") != "s=1" || a.Header.Get("x-admin") != "") {
			t.Errorf("%s: the client gets %v", c.path, a.Header)
		}
	}
	a := edge.Send(t, "POST", "shop.test", "/x?y=1", "body", "cookie: a=b", "authorization: mine", "x-sluice-route: forged", "x-other: 1")
	if saw := a.Header.Get("x-saw"); saw != "POST /auth/x?y=1 host=shop.test cookie=a=b auth=mine route=shop upstream=shop plan=50% body=0 other=" {
		t.Errorf("the service saw %q", saw)
	}
	if a.Header.Get("x-admin") != "" {
		t.Error("the client gets a header that the block does not list")
	}
}

func TestAPathOfItsOwnAndABody(t *testing.T) {
	block := `protocol  = "http"
		path      = "/session"
		client    = true
		to_client = ["x-saw"]
		include_body { max = "1KiB" }`
	edge := featuretest.Serve(t, kinds, overHTTPDocuments(featuretest.Backend(t, login), featuretest.Backend(t, shop), block))
	a := edge.Send(t, "PUT", "shop.test", "/x?y=1", "body")
	if saw := a.Header.Get("x-saw"); !strings.HasPrefix(saw, "PUT /session host=shop.test") || !strings.Contains(saw, "body=4") {
		t.Errorf("the service saw %q", saw)
	}
	if a.Body != "path=/x host=shop.test" {
		t.Errorf("the upstream saw %s", a.Body) // x-sluice-client is the gateway's own, and never goes further
	}
}

// TestGarbageLetsNobodyPass: whatever stands where the service should be.
func TestGarbageLetsNobodyPass(t *testing.T) {
	for _, answer := range []string{"", "\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 200 OK\r\nx-user", "HTTP/1.1 yes OK\r\n\r\n"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, answer)
				_ = c.Close()
			}
		}()
		edge := featuretest.Serve(t, kinds, overHTTPDocuments(l.Addr().String(), featuretest.Backend(t, shop), askOverHTTP))
		if a := edge.Do(t, "GET", "shop.test", "/"); a.Status != 503 || a.Body != unavailable {
			t.Errorf("%q: the client is answered with %d %s", answer, a.Status, a.Body)
		}
		_ = l.Close()
		<-done
	}
}
