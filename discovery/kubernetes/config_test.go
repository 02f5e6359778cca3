package kubernetes

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

const config = `
apiVersion: v1
kind: Config
current-context: east
clusters:
- name: east
  cluster: {server: "https://10.0.0.1:6443", certificate-authority: ca.pem, tls-server-name: api}
- name: plain
  cluster: {server: "http://127.0.0.1:8001/prefix", insecure-skip-tls-verify: true}
- name: odd
  cluster: {server: "ftp://x"}
- name: proxied
  cluster: {server: "https://x", proxy-url: "http://proxy"}
- name: nodata
  cluster: {server: "https://x", certificate-authority-data: "%%"}
users:
- name: token
  user: {token: ` + canary + `}
- name: file
  user: {tokenFile: token}
- name: cert
  user: {client-certificate: client.pem, client-key: client-key.pem}
- name: half
  user: {client-certificate: client.pem}
- name: exec
  user: {exec: {command: cloud, args: [login]}}
- name: provider
  user: {auth-provider: {name: oidc}}
- name: as
  user: {token: x, as: somebody}
- name: basic
  user: {username: x, password: ` + canary + `}
- name: garbage
  user: {client-certificate-data: "%%", client-key-data: "%%"}
contexts:
- {name: east, context: {cluster: east, user: token, namespace: prod}}
- {name: file, context: {cluster: plain, user: file}}
- {name: cert, context: {cluster: plain, user: cert}}
- {name: nobody, context: {cluster: plain}}
- {name: half, context: {cluster: plain, user: half}}
- {name: exec, context: {cluster: plain, user: exec}}
- {name: provider, context: {cluster: plain, user: provider}}
- {name: as, context: {cluster: plain, user: as}}
- {name: basic, context: {cluster: plain, user: basic}}
- {name: garbage, context: {cluster: plain, user: garbage}}
- {name: odd, context: {cluster: odd}}
- {name: proxied, context: {cluster: proxied}}
- {name: nodata, context: {cluster: nodata}}
- {name: nocluster, context: {cluster: none}}
- {name: nouser, context: {cluster: plain, user: none}}
- {name: empty}
`

func TestKubeconfig(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "config", config)
	write(t, dir, "token", "from-a-file\n")
	for context, want := range map[string]string{
		"":          "https://10.0.0.1:6443 prod " + canary + " api",
		"east":      "https://10.0.0.1:6443 prod " + canary + " api",
		"file":      "http://127.0.0.1:8001/prefix  from-a-file ",
		"cert":      "http://127.0.0.1:8001/prefix   ",
		"nobody":    "http://127.0.0.1:8001/prefix   ",
		"half":      `error: user "half": client certificate: certificate and key go together`,
		"exec":      `error: user "exec": its credentials come from a program (exec), and sluice runs none: set token_file`,
		"provider":  "error: auth-provider is not supported",
		"as":        "error: acts as somebody else",
		"basic":     "error: a user name and password are not supported",
		"garbage":   "error: client certificate: its data is not Base64",
		"odd":       "error: is no address of an API server",
		"proxied":   "error: proxy-url is not supported",
		"nodata":    "error: certificate-authority-data is not Base64",
		"nocluster": `error: it has no cluster "none"`,
		"nouser":    `error: it has no user "none"`,
		"empty":     `error: it has no context "empty"`,
		"none":      `error: it has no context "none"`,
	} {
		a, err := readKubeconfig([]string{filepath.Join(dir, "missing"), file}, context)
		if text, bad := strings.CutPrefix(want, "error: "); bad {
			if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v, want %s", context, err, text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", context, err)
			continue
		}
		if got := fmt.Sprintf("%s %s %s %s", a.server, a.namespace, a.token, a.tls.ServerName); got != want {
			t.Errorf("%s: %s, want %s", context, got, want)
		}
	}
	a, err := readKubeconfig([]string{file}, "cert")
	if err != nil || a.tls.CertFile != filepath.Join(dir, "client.pem") || a.tls.KeyFile != filepath.Join(dir, "client-key.pem") || !a.tls.Insecure {
		t.Errorf("%+v, %v", a.tls, err)
	}
	if _, err := readKubeconfig([]string{filepath.Join(dir, "missing")}, ""); err == nil {
		t.Error("a missing file is no error")
	}
	if _, err := readKubeconfig([]string{filepath.Join(dir, "missing"), filepath.Join(dir, "too")}, ""); err == nil {
		t.Error("missing files are no error")
	}
}

// Several files are one: what the first says counts.
func TestKubeconfigsAreMerged(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	first := write(t, dir, "a", "current-context: mine\ncontexts: [{name: mine, context: {cluster: east, user: mine}}]\nusers: [{name: mine, user: {tokenFile: t}}]")
	write(t, dir, "t", "first")
	second := write(t, other, "b", "current-context: x\nclusters: [{name: east, cluster: {server: 'https://h', certificate-authority: ca}}]\nusers: [{name: mine, user: {token: second}}]")
	a, err := readKubeconfig([]string{first, second}, "")
	if err != nil || a.token != "first" || a.server.Host != "h" || a.tls.CAFile != filepath.Join(other, "ca") {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestEnvironment(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	pod := env("KUBERNETES_SERVICE_HOST", "fd00::1", "KUBERNETES_SERVICE_PORT", "6443", "HOME", "/h")
	for name, c := range map[string]struct {
		cfg Config
		env func(string) string
		ok  func(Config) bool
		err string
	}{
		"nothing":      {Config{}, env(), nil, "this is no pod"},
		"home":         {Config{}, env("HOME", "/h"), func(c Config) bool { return c.Kubeconfig[0] == "/h/.kube/config" }, ""},
		"KUBECONFIG":   {Config{}, env("KUBECONFIG", "/a:/b", "HOME", "/h", "KUBERNETES_SERVICE_HOST", "x"), func(c Config) bool { return len(c.Kubeconfig) == 2 && c.Address == "" }, ""},
		"in a pod":     {Config{}, pod, func(c Config) bool { return c.Address == "https://[fd00::1]:6443" && c.account != "" }, ""},
		"its own":      {Config{Address: "https://h"}, pod, func(c Config) bool { return c.Address == "https://h" && c.account == "" }, ""},
		"two tokens":   {Config{Address: "https://h", Token: "a", TokenFile: "b"}, env(), nil, "both token and token_file"},
		"two places":   {Config{Address: "https://h", Kubeconfig: []string{"a"}}, env(), nil, "both address and kubeconfig"},
		"a context":    {Config{Address: "https://h", Context: "a"}, env(), nil, "context is one of a kubeconfig"},
		"no address":   {Config{Address: "h:6443"}, env(), nil, "is no address of an API server"},
		"half a pair":  {Config{Address: "https://h", TLS: tlsfiles.Config{CertFile: "a"}}, env(), nil, "go together"},
		"user in it":   {Config{Address: "https://a:b@h"}, env(), nil, "is no address of an API server"},
		"a kubeconfig": {Config{Kubeconfig: []string{"/x"}}, pod, func(c Config) bool { return c.Kubeconfig[0] == "/x" && c.Address == "" }, ""},
	} {
		cfg := c.cfg.WithEnv(c.env)
		err := cfg.Check()
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || err == nil && !c.ok(cfg) {
			t.Errorf("%s: %+v, %v", name, cfg, err)
		}
	}
	if Configured(env("HOME", "/h")) || !Configured(pod) || !Configured(env("KUBECONFIG", "x")) {
		t.Error("what makes a connection without any block")
	}
}

// The token of a service account is rotated under the agent: each call has what the file holds then.
func TestServiceAccount(t *testing.T) {
	f := startFake(t)
	f.Set(1)
	dir := t.TempDir()
	write(t, dir, "token", "first\n")
	write(t, dir, "namespace", "default")
	write(t, dir, "ca.crt", "")
	c, err := New(Config{Address: f.URL, account: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func() error {
		_, err := c.page(t.Context(), question{}, time.Second)
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "token", "second")
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.tokens, ","); got != "Bearer first,Bearer second" {
		t.Error(got)
	}
	if f.count("/namespaces/default/") != 2 {
		t.Error(f.calls)
	}
	for _, text := range []string{"", "two\nlines " + canary} {
		write(t, dir, "token", text)
		if err := ask(); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if c.namespace() != "default" {
		t.Error(c.namespace())
	}
}

// A certificate inside a kubeconfig is shown to the server, whose own is verified.
func TestCertificatesInAKubeconfig(t *testing.T) {
	dir := t.TempDir()
	testenv.WriteCertificates(t, dir)
	data := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(text)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"gitVersion":%q}`, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	cfg, err := (tlsfiles.Config{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server-key.pem")}).Read("")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClientCAs, cfg.ClientAuth = cfg.RootCAs, 4 // verified
	s.TLS = cfg
	s.StartTLS()
	t.Cleanup(s.Close)
	file := write(t, dir, "config", fmt.Sprintf(`
current-context: c
contexts: [{name: c, context: {cluster: c, user: c}}]
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: c, user: {client-certificate-data: %s, client-key-data: %s}}]
`, s.URL, data("ca.pem"), data("client.pem"), data("client-key.pem")))
	c, err := New(Config{Kubeconfig: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if got, err := (&doctor{client: c, opts: Options{}.withDefaults()}).version(t.Context()); err != nil || got != "client" {
		t.Errorf("%q, %v", got, err)
	}
}

// The token goes to the API server alone.
func TestRedirectsAreNotFollowed(t *testing.T) {
	f := startFake(t)
	s := httptest.NewServer(http.RedirectHandler(f.URL, http.StatusFound))
	t.Cleanup(s.Close)
	c, err := New(Config{Address: s.URL, Token: canary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.page(t.Context(), question{}, time.Second); err == nil || !strings.Contains(err.Error(), "302") {
		t.Error(err)
	}
	if n := f.count(""); n != 0 {
		t.Errorf("%d calls to somebody else", n)
	}
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte(config))
	f.Add([]byte("current-context: a\ncontexts: [{name: a}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseKubeconfig(text, ".")
		if err != nil {
			return
		}
		for i := range k.Users { // a file that is there may be a device
			k.Users[i].User.TokenFile, k.Users[i].User.CertFile, k.Users[i].User.KeyFile = "", "", ""
		}
		if a, err := k.access(""); err == nil && a.server == nil {
			t.Error("no server")
		}
	})
}

func tlsOf(caFile string) tlsfiles.Config { return tlsfiles.Config{CAFile: caFile} }
