package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/secrets/policies"
)

// functionStack is a stack whose control plane uses a Vault.
type functionStack struct {
	*stack
	vault  *testenv.Vault
	plane  *plane
	role   string // ID of the AppRole's role
	secret string // ID of its secret: a canary, too
}

// newFunctionStack starts Consul, Vault and one replica that logs in by AppRole with the shipped policy. There is no
// Envoy yet.
func newFunctionStack(t *testing.T, o testenv.VaultOptions) *functionStack {
	t.Helper()
	f := &functionStack{stack: newStack(t, setup{none: true}), vault: testenv.StartVault(t, o)}
	f.vault.WritePolicy("sluice", policies.Vault)
	f.vault.EnableAuth("approle", "approle")
	f.vault.Write("auth/approle/role/sluice", map[string]any{"token_policies": "sluice", "token_no_default_policy": true, "token_ttl": "1h"})
	f.role = f.vault.Read("auth/approle/role/sluice/role-id")["role_id"].(string)
	f.secret = f.vault.Write("auth/approle/role/sluice/secret-id", nil)["secret_id"].(string)
	f.plane = f.makePlane()
	text, err := os.ReadFile(f.plane.config)
	must(t, err)
	writeFile(t, f.plane.dir, "sluice.hcl", string(text)+fmt.Sprintf(`
log_level = "trace"

vault {
  address = %q
  timeout = "2s"

  auth "approle" {
    role_id        = %q
    secret_id_file = %q
  }
}
`, f.vault.Addr, f.role, writeFile(t, f.plane.dir, "secret-id", f.secret)))
	return f
}

// look reads what a sluice command prints as JSON, and returns once it is as wanted.
func look[T any](t testing.TB, p *plane, want func(T) error, args ...string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		out, code := tool(t, []string{"SLUICE_ADDR=http://" + p.api}, append(args, "-json")...)
		var found T
		if err := json.Unmarshal([]byte(out), &found); code != 0 || err != nil {
			return fmt.Errorf("sluice %s: exit code %d: %w: %s", strings.Join(args, " "), code, err, out)
		}
		return want(found)
	})
}

// finder returns once the finder of an upstream is in a state, with the texts among its errors and problems, in `sluice
// status`.
func (p *plane) finder(t testing.TB, upstream, state string, held int, texts ...string) {
	t.Helper()
	look(t, p, func(s console.Status) error {
		for _, f := range s.Finders {
			if f.Upstream != upstream {
				continue
			}
			if f.State != state || f.Held != held {
				return fmt.Errorf("the finder is %+v", f)
			}
			return contains(fmt.Sprint(f.Error, f.Problems), texts...)
		}
		return fmt.Errorf("no finder of %s: %+v", upstream, s.Finders)
	}, "status")
}

// secretIs returns once a secret is in a state, with the texts in its error or note, in `sluice secrets`.
func (p *plane) secretIs(t testing.TB, name, state string, texts ...string) {
	t.Helper()
	look(t, p, func(list []console.Secret) error {
		for _, s := range list {
			if s.Name != name {
				continue
			}
			if s.State != state {
				return fmt.Errorf("the secret is %+v", s)
			}
			return contains(s.Error+" "+s.Note, texts...)
		}
		return fmt.Errorf("no secret %s: %+v", name, list)
	}, "secrets")
}

// degraded returns once a route says that it calls what is gone, or that it does not any more.
func (p *plane) degraded(t testing.TB, route string, want bool) {
	t.Helper()
	look(t, p, func(s console.Status) error {
		for _, b := range s.Problems {
			if b.Kind == "route" && b.Name == route && len(b.Degraded) > 0 {
				if !want {
					return fmt.Errorf("%s is degraded: %v", route, b.Degraded)
				}
				return nil
			}
		}
		if want {
			return fmt.Errorf("%s is not degraded: %+v", route, s.Problems)
		}
		return nil
	}, "status")
}

// flow is a load on one host.
type flow struct {
	name string
	*testenv.Loader
}

// flows are loads on hosts NAME.example.com of an Envoy.
type flows []flow

// flow starts load on one more host; check judges answers, nil demands 200.
func (e *edge) flow(t testing.TB, name, path string, rate float64, check func(*http.Response, []byte) error) flow {
	t.Helper()
	return flow{name, testenv.Load(t.Context(), t, "http://"+e.addr+path, testenv.LoadOptions{
		Host: name + ".example.com", Connections: 2, Rate: rate, Timeout: 20 * time.Second, Check: check,
	})}
}

// go on: n more requests of each are answered.
func (f flows) more(t testing.TB, n int) {
	t.Helper()
	for _, l := range f {
		l.WaitRequests(t, n)
	}
}

// fine ends the loads: none of their requests may have failed.
func (f flows) fine(t testing.TB) {
	t.Helper()
	for _, l := range f {
		if r := l.Stop(); r.Failed() > 0 {
			t.Errorf("%s: %s", l.name, r)
		}
	}
}

// says judges answers by a text in them, and the status 200.
func answersWith(text string) func(*http.Response, []byte) error {
	return func(r *http.Response, body []byte) error {
		if r.StatusCode != http.StatusOK || !strings.Contains(string(body), text) {
			return fmt.Errorf("answered %s: %.200s", r.Status, body)
		}
		return nil
	}
}
