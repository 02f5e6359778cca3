package proxyprotocol

import (
	"bufio"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	featuretls "github.com/sluice-gateway/sluice/feature/tls"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind(), featuretls.Kind()) }

// backend answers requests with the PROXY header before them: the line of version 1, or version 2 in hex without ports.
func backend(t *testing.T, secret bool) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c, secret)
		}
	}()
	return l.Addr().String()
}

// buffered reads what was read ahead of it first.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

func answer(c net.Conn, secret bool) {
	defer c.Close()
	r := bufio.NewReader(c)
	var header string
	if first, err := r.Peek(1); err == nil && first[0] == 'P' {
		line, _ := r.ReadString('\n')
		header = strings.Join(strings.Fields(line)[:4], " ")
	} else if first, err := r.Peek(12); err == nil && string(first) == "\r\n\r\n\x00\r\nQUIT\n" {
		whole := make([]byte, 28)
		_, _ = io.ReadFull(r, whole)
		header = hex.EncodeToString(whole[12:24])
	}
	c = buffered{c, r}
	if secret {
		c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{featuretest.TheCertificates().Pair()}})
		r = bufio.NewReader(c)
	}
	if _, err := http.ReadRequest(r); err == nil {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+header)
	}
}

func TestTheUpstreamIsToldTheClient(t *testing.T) {
	plain, secret := backend(t, false), backend(t, true)
	const one, two = "PROXY TCP4 198.51.100.7 127.0.0.1", "2111000cc63364077f000001"
	for block, c := range map[string]struct{ address, want string }{
		"":                                 {plain, ""},
		`proxy_protocol { version = "1" }`: {plain, one},
		"proxy_protocol {}":                {plain, two},
		"proxy_protocol {}\ntls { insecure = true }": {secret, two},
	} {
		edge := featuretest.Serve(t, []translate.Kind{featuretls.Kind(), Kind()}, featuretest.Documents{"a.hcl": `
		gateway "edge" {
		  listener "http" {
		    port           = 8080
		    proxy_protocol = "required"
		  }
		}
		route "shop" {
		  to { upstream = upstream.shop }
		}
		upstream "shop" {
		  static { endpoints = ["` + c.address + `"] }
		  ` + block + `
		}`})
		conn, err := net.Dial("tcp", edge.Listener(t, "edge.http"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "PROXY TCP4 198.51.100.7 127.0.0.1 4096 80\r\nGET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != c.want {
			t.Errorf("with %q the upstream is told %q, want %q", block, body, c.want)
		}
	}
}
