package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// canary is in every secret of these tests, and must be in nothing that is shown.
const canary = "canary-5Zq8"

// fakeVault is a Vault in memory that can fail in every way. It is a transport, so that tests have a virtual clock.
type fakeVault struct {
	mu      sync.Mutex
	fail    func(method, path string) *http.Response // nil answer: none
	hang    bool
	delay   time.Duration
	ttl     int // of tokens, in seconds; 0 for ever
	max     time.Duration
	lease   int // of AWS credentials
	leaseTo time.Duration
	refuse  string // logins are refused with this
	perms   map[string]bool

	n       int
	running int
	most    int                  // requests at a time
	tokens  map[string]time.Time // and when they were made
	leases  map[string]time.Time
	revoked []string
	kv      map[string][]kvFake
	v1      map[string]map[string]any
	seen    map[string]int // requests by method and path
}

type kvFake struct {
	data    map[string]any
	created string
	deleted string
	gone    bool
}

func newFakeVault() *fakeVault {
	return &fakeVault{
		ttl: 3600, lease: 3600, tokens: map[string]time.Time{}, leases: map[string]time.Time{}, kv: map[string][]kvFake{},
		v1: map[string]map[string]any{}, seen: map[string]int{},
	}
}

func (v *fakeVault) do(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

func (v *fakeVault) put(path string, data map[string]any) {
	v.do(func() {
		v.kv[path] = append(v.kv[path], kvFake{data: data, created: time.Now().Format(time.RFC3339Nano)})
	})
}

func (v *fakeVault) count(what string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for k, c := range v.seen {
		if strings.HasPrefix(k, what) {
			n += c
		}
	}
	return n
}

// status makes an answer.
func status(code int, body any) *http.Response {
	b, ok := body.([]byte)
	if !ok {
		b, _ = json.Marshal(body)
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(b))}
}

func fault4(code int, text string) *http.Response {
	return status(code, map[string]any{"errors": []string{text + " " + canary}})
}

func (v *fakeVault) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	body := map[string]any{}
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(b, &body)
	}
	v.mu.Lock()
	v.seen[r.Method+" "+path]++
	hang, fail, delay := v.hang, v.fail, v.delay
	v.running++
	v.most = max(v.most, v.running)
	v.mu.Unlock()
	defer v.do(func() { v.running-- })
	if delay > 0 {
		<-time.After(delay)
	}
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if fail != nil {
		if a := fail(r.Method, path); a != nil {
			if a.StatusCode == 0 {
				return nil, errors.New("connection reset " + canary)
			}
			a.Request = r
			return a, nil
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.answer(r, path, body)
	a.Request = r
	return a, nil
}

func (v *fakeVault) answer(r *http.Request, path string, body map[string]any) *http.Response {
	if path == "sys/health" {
		return status(200, map[string]any{"initialized": true, "sealed": false})
	}
	if strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login") {
		if v.refuse != "" {
			return fault4(400, v.refuse)
		}
		v.n++
		t := fmt.Sprintf("token-%d-%s", v.n, canary)
		v.tokens[t] = time.Now()
		return status(200, map[string]any{"auth": map[string]any{"client_token": t, "lease_duration": v.ttl, "renewable": true}})
	}
	token := r.Header.Get("X-Vault-Token")
	born, ok := v.tokens[token]
	if !ok {
		return fault4(403, "permission denied")
	}
	switch {
	case path == "auth/token/lookup-self":
		return status(200, map[string]any{"data": map[string]any{"ttl": v.ttl, "renewable": true}})
	case path == "auth/token/renew-self":
		ttl := v.ttl
		if v.max > 0 {
			ttl = min(ttl, int((v.max - time.Since(born)).Seconds()))
		}
		return status(200, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": ttl, "renewable": true}})
	case path == "sys/leases/revoke":
		id, _ := body["lease_id"].(string)
		delete(v.leases, id)
		v.revoked = append(v.revoked, id)
		return status(204, []byte{})
	case path == "sys/leases/renew":
		id, _ := body["lease_id"].(string)
		at, ok := v.leases[id]
		if !ok {
			return fault4(400, "lease not found")
		}
		ttl := v.lease
		if v.leaseTo > 0 {
			ttl = min(ttl, int((v.leaseTo - time.Since(at)).Seconds()))
		}
		return status(200, map[string]any{"lease_id": id, "lease_duration": ttl, "renewable": true})
	case path == "sys/capabilities-self":
		out := map[string]any{}
		paths, _ := body["paths"].([]any)
		if p, ok := body["path"].(string); ok {
			paths = append(paths, p)
		}
		for _, p := range paths {
			out[p.(string)] = []string{"deny"}
			if v.perms[p.(string)] {
				out[p.(string)] = []string{"read", "update"}
			}
		}
		return status(200, map[string]any{"data": out})
	case strings.HasPrefix(path, "aws/"):
		v.n++
		id := fmt.Sprintf("%s/lease%d", path, v.n)
		v.leases[id] = time.Now()
		return status(200, map[string]any{
			"lease_id": id, "lease_duration": v.lease, "renewable": strings.HasPrefix(path, "aws/creds/"),
			"data": map[string]any{"access_key": fmt.Sprintf("AKIA%d", v.n), "secret_key": fmt.Sprintf("%s-%d", canary, v.n), "security_token": nil},
		})
	}
	return v.answerKV(path)
}

func (v *fakeVault) answerKV(path string) *http.Response {
	if d, ok := v.v1[path]; ok {
		return status(200, map[string]any{"data": d, "lease_duration": 2764800})
	}
	name, isData := strings.CutPrefix(path, "secret/data/")
	name, isMeta := strings.CutPrefix(name, "secret/metadata/")
	all := v.kv[name]
	if !isData && !isMeta || len(all) == 0 {
		return status(404, map[string]any{"errors": []string{}})
	}
	n, versions := len(all), map[string]any{}
	meta := func(i int) map[string]any {
		return map[string]any{"version": i + 1, "created_time": all[i].created, "deletion_time": all[i].deleted, "destroyed": all[i].gone}
	}
	for i := range all {
		versions[fmt.Sprint(i+1)] = meta(i)
	}
	if isMeta {
		return status(200, map[string]any{"data": map[string]any{"current_version": n, "versions": versions}})
	}
	last := all[n-1]
	if last.deleted != "" || last.gone {
		return status(404, map[string]any{"data": map[string]any{"data": nil, "metadata": meta(n - 1)}})
	}
	return status(200, map[string]any{"data": map[string]any{"data": last.data, "metadata": meta(n - 1)}})
}

// rig is a Keeper over a fake, and all that it said.
type rig struct {
	*Keeper
	vault *fakeVault
	log   lockedBuffer
	reg   *prometheus.Registry
	stop  func()

	mu    sync.Mutex
	told  []map[gateway.ID]string
	last  map[gateway.ID]string
	proof func(fields) error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a Keeper; stop it before the bubble ends.
func start(t *testing.T, vault *fakeVault, change func(*Config)) *rig {
	t.Helper()
	g := &rig{vault: vault, reg: prometheus.NewRegistry(), last: map[gateway.ID]string{}, proof: func(fields) error { return nil }}
	cfg := Config{
		Vaults:  map[string]VaultConfig{"": {Address: "https://vault.test:8200", Auth: Auth{AppRole: &AppRole{RoleID: "role-" + canary}}}},
		Publish: g.publish,
		Log:     hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &g.log}),
		Metrics: g.reg,
	}
	if change != nil {
		change(&cfg)
	}
	k, err := newKeeper(cfg, func(name string) string { return map[string]string{"KEY": canary}[name] },
		func(VaultConfig) http.RoundTripper { return vault },
		func(_ context.Context, f fields, _, _ string) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.proof(f)
		})
	if err != nil {
		t.Fatal(err)
	}
	g.Keeper = k
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	g.stop = func() {
		g.silent(t)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	}
	return g
}

func (g *rig) publish(versions map[gateway.ID]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told = append(g.told, versions)
	for id, v := range versions {
		g.last[id] = v
		m, ok := g.Reveal(id)
		if (v == "") == ok || ok && m.IsZero() {
			panic("what is published is not what is revealed")
		}
	}
}

// tells is how often something was published so far.
func (g *rig) tells() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.told)
}

func (g *rig) prove(f func(fields) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.proof = f
}

// silent says that nothing that is shown holds a canary.
func (g *rig) silent(t *testing.T) {
	t.Helper()
	shown := g.log.String() + fmt.Sprintf("%+v %#v %v %+v", g.Status(), g.Connections(), g.cfg.Vaults[""].Auth, g.cfg.Vaults) + fmt.Sprintf("%v %+v %#v", g.Keeper, g.Keeper, g.Keeper)
	found, err := g.reg.Gather()
	if err != nil {
		t.Error(err)
	}
	shown += fmt.Sprint(found)
	if i := strings.Index(shown, canary); i >= 0 {
		t.Errorf("a secret is shown: …%s…", shown[max(0, i-200):i+20])
	}
}

func id(name string) gateway.ID { return gateway.ID{Kind: "secret", Name: name} }

func kv(path string) *gateway.Secret {
	return &gateway.Secret{VaultKV: &gateway.VaultKV{Mount: "secret", Path: path, Version: 2, Interval: 5 * time.Minute}}
}

func awsUser() *gateway.Secret {
	return &gateway.Secret{VaultAWS: &gateway.VaultAWS{Mount: "aws", Role: "sluice-app", Type: "iam_user"}}
}

func (g *rig) value(name, field string) string {
	m, _ := g.Reveal(id(name))
	v, _ := m.Reveal(field)
	return string(v)
}

func (g *rig) status(name string) Status {
	for _, s := range g.Status() {
		if s.ID == id(name) {
			return s
		}
	}
	return Status{}
}
