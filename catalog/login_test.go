package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

// door is a Consul that lets in, refuses, hangs, or is away.
type door struct {
	mu      sync.Mutex
	life    time.Duration
	status  int   // of a login; 0 lets in
	away    error // instead of an answer
	hang    bool
	lagging int // looks at a new token until it is known
	logins  int
	out     []string // tokens that were given back
	bearers []string
}

func (d *door) send(req *http.Request, token string) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	switch {
	case d.hang:
		<-req.Context().Done()
		return nil, req.Context().Err()
	case d.away != nil:
		return nil, d.away
	case req.URL.Path == "/v1/acl/logout":
		d.out = append(d.out, token)
		return answer(200, "true"), nil
	case req.URL.Path == "/v1/acl/token/self":
		if d.lagging > 0 {
			d.lagging--
			return answer(403, "token does not exist: ACL not found"), nil
		}
		return answer(200, "{}"), nil
	}
	d.logins++
	var ask api.ACLLoginParams
	_ = json.Unmarshal(body, &ask)
	d.bearers = append(d.bearers, ask.BearerToken)
	if d.status != 0 {
		return answer(d.status, "Permission denied: "+ask.BearerToken), nil
	}
	made := api.ACLToken{SecretID: fmt.Sprintf("token-%d", d.logins), CreateTime: time.Unix(0, 0)}
	if d.life > 0 {
		ends := made.CreateTime.Add(d.life)
		made.ExpirationTime = &ends
	}
	text, _ := json.Marshal(made)
	return answer(200, string(text)), nil
}

func answer(code int, text string) *http.Response {
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(text)), Header: http.Header{}}
}

func enter(t *testing.T, d *door, log io.Writer) (l *login, file string) {
	file = filepath.Join(t.TempDir(), "identity")
	write(t, file, "jwt-1")
	cfg := Config{Logger: hclog.New(&hclog.LoggerOptions{Output: log}), Login: &JWTLogin{Method: "m", File: file}}
	return newLogin(cfg, d.send), file
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestATokenIsReplacedBeforeItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{life: time.Minute, lagging: 3}
		l, file := enter(t, d, io.Discard)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if token, err := l.get(t.Context()); err != nil || token != "token-1" {
					t.Errorf("got %q, %v", token, err)
				}
			})
		}
		all.Wait()
		if d.logins != 1 || d.lagging != 0 {
			t.Errorf("%d logins, %d looks left", d.logins, d.lagging)
		}
		write(t, file, "jwt-2\n")
		seen := map[string]time.Duration{}
		for start := time.Now(); time.Since(start) < 3*time.Minute; time.Sleep(time.Second) {
			token, err := l.get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen[token] += time.Second
		}
		for token, used := range seen {
			if used > 43*time.Second {
				t.Errorf("%s was used for %s of its minute", token, used)
			}
		}
		if d.bearers[1] != "jwt-2" {
			t.Errorf("it logged in with %q", d.bearers[1])
		}
		l.end()
		if n := len(d.out); n < 1 || n > 2 || d.out[n-1] != fmt.Sprintf("token-%d", d.logins) {
			t.Errorf("given back: %v", d.out)
		}
		if _, err := l.get(t.Context()); !errors.Is(err, errEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestAnOldTokenIsUsedWhileLoginsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{life: time.Minute}
		log := &strings.Builder{}
		l, file := enter(t, d, log)
		if _, err := l.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.status = 403
		bad, start := 0, time.Now()
		for ; time.Since(start) < 2*time.Minute; time.Sleep(100 * time.Millisecond) {
			token, err := l.get(t.Context())
			if token == "token-1" {
				continue
			}
			bad++
			if time.Since(start) < time.Minute || err == nil || strings.Contains(err.Error(), "jwt-1") {
				t.Fatalf("after %s: %q, %v", time.Since(start), token, err)
			}
		}
		if bad == 0 || d.logins < 8 || d.logins > 20 {
			t.Errorf("%d logins, %d in vain", d.logins, bad)
		}
		if n := strings.Count(log.String(), "login to consul failed"); n != 1 || strings.Contains(log.String(), "jwt-1") {
			t.Errorf("the log says:\n%s", log)
		}
		before := d.logins
		d.status = 0
		write(t, file, "jwt-2") // a new identity ends the wait
		if token, err := l.get(t.Context()); err != nil || d.logins != before+1 || token == "token-1" {
			t.Errorf("with a new identity: %q, %v, %d logins", token, err, d.logins-before)
		}
		if logins, failed := l.counts(); logins != 2 || failed != uint64(before-1) {
			t.Errorf("counted %d and %d of %d", logins, failed, d.logins)
		}
	})
}

func TestAConsulThatIsAwayIsAskedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{away: errors.New("connection refused")}
		l, _ := enter(t, d, io.Discard)
		for range 3 {
			if _, err := l.get(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("got %v", err)
			}
		}
		d.away = nil
		if token, err := l.get(t.Context()); err != nil || token != "token-1" {
			t.Errorf("got %q, %v", token, err)
		}
		d.hang = true
		l.unknown("token-1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := l.get(ctx); err == nil || time.Since(start) > time.Second {
			t.Errorf("a login that hangs: %v after %s", err, time.Since(start))
		}
		l.end() // waits for the attempt
		if took := time.Since(start); took > time.Second+logoutTimeout {
			t.Errorf("the end took %s", took)
		}
	})
}

func TestATokenThatIsNeverKnownDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{}
		l, _ := enter(t, d, io.Discard)
		for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(time.Millisecond) {
			if token, err := l.get(t.Context()); err == nil {
				l.unknown("another")
				l.unknown(token)
			}
		}
		if d.logins > 60 {
			t.Errorf("%d logins in 10 s", d.logins)
		}
	})
}

func TestIdentityFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		write(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	for name, want := range map[string]string{
		file("empty", " \n"):                              "it is empty",
		file("large", strings.Repeat("x", maxIdentity+1)): "it is larger than",
		filepath.Join(dir, "none"):                        "no such file",
	} {
		if _, err := (JWTLogin{File: name}).identity(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	env := func(m map[string]string) Getenv { return func(name string) string { return m[name] } }
	cfg, err := (Config{Login: &JWTLogin{}}).WithEnv(env(map[string]string{"NOMAD_SECRETS_DIR": "/secrets", "CONSUL_HTTP_TOKEN": "x"}))
	if err != nil || *cfg.Login != (JWTLogin{"nomad-workloads", "/secrets/nomad_consul_default.jwt"}) || cfg.Token != "" {
		t.Errorf("from the environment: %+v, %v", cfg.Login, err)
	}
	for _, wrong := range []Config{{Login: &JWTLogin{}}, {Login: &JWTLogin{File: "f"}, Token: "x"}, {Login: &JWTLogin{File: "f"}, TokenFile: "x"}} {
		if _, err := wrong.WithEnv(env(nil)); err == nil {
			t.Errorf("accepted: %+v", wrong)
		}
	}
}

func TestARequestMayOutliveSeveralTokens(t *testing.T) {
	d := &door{}
	refuse := 3
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/acl/") {
			resp, _ := d.send(r, r.Header.Get(tokenHeader))
			w.WriteHeader(resp.StatusCode)
			_, _ = io.Copy(w, resp.Body)
			return
		}
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Header.Get(tokenHeader)+" "+string(body))
		if refuse--; refuse >= 0 {
			http.Error(w, "rpc error making call: ACL not found", http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, "true")
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "identity")
	write(t, file, "jwt")
	c, err := New(Config{Addresses: []string{s.URL}, Login: &JWTLogin{Method: "m", File: file}})
	if err != nil {
		t.Fatal(err)
	}
	put := func() error {
		_, err := c.API().KV().Put(&api.KVPair{Key: "k", Value: []byte("v")}, nil)
		return err
	}
	if err := put(); err != nil || strings.Join(bodies, ",") != "token-1 v,token-2 v,token-3 v,token-4 v" {
		t.Errorf("%v: %q", err, bodies)
	}
	refuse = 1000 // Consul knows no token at all: what it says gets through, and there is an end
	if err := put(); err == nil || !strings.Contains(err.Error(), "ACL not found") || d.logins > 10 {
		t.Errorf("after %d logins: %v", d.logins, err)
	}
	c.Close()
	if len(d.out) > 1 {
		t.Errorf("given back: %v", d.out)
	}
}
