package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// Token is the bearer token that callers must show. It is safe for concurrent use.
type Token struct {
	path string

	mu     sync.Mutex
	stat   time.Time
	looked time.Time
	sum    [sha256.Size]byte
}

// ReadToken reads the token in a file. The file is read again when it changes.
func ReadToken(path string) (*Token, error) {
	t := &Token{path: path}
	return t, t.read()
}

func (t *Token) read() error {
	info, err := os.Stat(t.path)
	if err != nil {
		return fmt.Errorf("read token file: %w", err)
	}
	if info.ModTime().Equal(t.stat) {
		return nil
	}
	raw, err := os.ReadFile(t.path)
	if err != nil {
		return fmt.Errorf("read token file: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < 16 {
		return fmt.Errorf("read token file %s: the token has less than 16 characters", t.path)
	}
	t.sum, t.stat = sha256.Sum256([]byte(token)), info.ModTime()
	return nil
}

// Accepts says whether a request shows the token. A file that cannot be read leaves the last token in force.
func (t *Token) Accepts(r *http.Request) bool {
	t.mu.Lock()
	if now := time.Now(); now.Sub(t.looked) > time.Second {
		t.looked = now
		_ = t.read()
	}
	want := t.sum
	t.mu.Unlock()
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	got := sha256.Sum256([]byte(shown))
	return ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// CheckBind refuses to serve the API where strangers could read it: any address but loopback needs TLS and a token.
func CheckBind(address string, hasTLS, hasToken bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("http address %q: host and port are needed, such as 127.0.0.1:8550", address)
	}
	if loopback(host) || hasTLS && hasToken {
		return nil
	}
	var missing []string
	if !hasTLS {
		missing = append(missing, "tls")
	}
	if !hasToken {
		missing = append(missing, "token_file")
	}
	return fmt.Errorf("http address %s is not loopback: the API shows and changes what the gateways do, so it needs %s (or listen on 127.0.0.1)",
		address, strings.Join(missing, " and "))
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

var errToken = errors.New("a token is needed: send it as Authorization: Bearer TOKEN")

// guard lets in who shows the token. Without a token the server is on loopback; then names that lead there by DNS, and
// pages of other sites, are kept out, since a browser on this machine would carry them in.
func (s *Server) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"; open {
			next.ServeHTTP(w, r)
			return
		}
		if s.cfg.Token != nil {
			if !s.cfg.Token.Accepts(r) {
				w.Header().Set("WWW-Authenticate", "Bearer")
				fail(w, http.StatusUnauthorized, errToken)
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback(host) {
			fail(w, http.StatusForbidden, fmt.Errorf("host %q is not this machine: ask 127.0.0.1 or localhost", host))
			return
		}
		next.ServeHTTP(w, r)
	})
}
