package upgrade

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/feature/timeout"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }

// echoing agrees to every upgrade, answers each line with the same, and says in capitals how it was asked.
func echoing(t *testing.T) (address string) {
	return featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("upgrade") == "" {
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Key: %s\r\n\r\n",
			r.Header.Get("upgrade"), r.Header.Get("sec-websocket-key"))
		if err := rw.Flush(); err != nil {
			return
		}
		_, _ = io.Copy(conn, rw)
	})
}

// ask sends a request head and returns the answer with the connection that it came by.
func ask(t *testing.T, at, head string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := fmt.Fprint(conn, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp, conn, r
}

const websocket = "Host: shop.test\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func served(t *testing.T) *featuretest.Edge {
	return featuretest.Serve(t, []translate.Kind{timeout.Kind(), Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" { port = 8080 }
		}
		upstream "shop" {
		  static { endpoints = ["` + echoing(t) + `"] }
		}
		route "chat" {
		  match { prefix = "/chat" }
		  timeout { request = "500ms" }
		  upgrade {}
		  to { upstream = upstream.shop }
		}
		route "short" {
		  match { prefix = "/short" }
		  upgrade { idle = "300ms" }
		  to { upstream = upstream.shop }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}`})
}

func TestAConnectionBecomesAWebsocket(t *testing.T) {
	e := served(t)
	resp, conn, r := ask(t, e.Listener(t, "edge.http"), "GET /chat HTTP/1.1\r\n"+fmt.Sprintf(websocket, "WebSocket"))
	if resp.StatusCode != 101 || resp.Header.Get("x-key") != "dGhlIHNhbXBsZSBub25jZQ==" {
		t.Fatalf("answered with %s %v", resp.Status, resp.Header)
	}
	// The last line goes out after the route's timeout, which is of requests, has passed.
	for start := time.Now(); ; {
		last := time.Since(start) > time.Second
		if _, err := fmt.Fprintln(conn, "\x81\x05hello"); err != nil {
			t.Fatal(err)
		}
		if got, err := r.ReadString('\n'); err != nil || got != "\x81\x05hello\n" {
			t.Fatalf("after %s: %q, %v", time.Since(start), got, err)
		}
		if last {
			return
		}
	}
}

func TestASilentConnectionEnds(t *testing.T) {
	e := served(t)
	resp, _, r := ask(t, e.Listener(t, "edge.http"), "GET /short HTTP/1.1\r\n"+fmt.Sprintf(websocket, "websocket"))
	if resp.StatusCode != 101 {
		t.Fatalf("answered with %s", resp.Status)
	}
	if _, err := r.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection ended with %v", err)
	}
}

func TestNobodyUpgradesUnasked(t *testing.T) {
	e := served(t)
	for name, head := range map[string]string{
		"another route":    "GET / HTTP/1.1\r\n" + fmt.Sprintf(websocket, "websocket"),
		"another protocol": "GET /chat HTTP/1.1\r\n" + fmt.Sprintf(websocket, "spdy/3"),
		"connect":          "CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n",
	} {
		if resp, _, _ := ask(t, e.Listener(t, "edge.http"), head); resp.StatusCode != 403 && (name != "connect" || resp.StatusCode != 404) {
			t.Errorf("%s is answered with %s", name, resp.Status)
		}
	}
}
