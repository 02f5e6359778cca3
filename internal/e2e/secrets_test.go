package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/secrets/policies"
)

// secretWorld is a stack whose routes use secrets of every kind that Vault has.
type secretWorld struct {
	*functionStack
	edge *edge
	aws  *testenv.AWS
	sim  *testenv.LambdaSimulator // its credentials are in the key/value engine
	keys []*testenv.AWSKey        // that were there so far
	api  int                      // number of the key of "keyed" that is in force

	canaries []string // what must stand nowhere
}

const secretDocument = `
secret "role" {
  vault_aws {
    role         = "sluice-role"
    type         = "assumed_role"
    ttl          = "20m"
    sts_endpoint = %[1]q
  }
}

secret "user" {
  vault_aws {
    role         = "sluice-user"
    sts_endpoint = %[1]q
  }
}

secret "keys" {
  vault_kv {
    path     = "sluice/keys"
    interval = "1s"
  }
}

secret "api" {
  vault_kv {
    path     = "sluice/api"
    field    = "key"
    interval = "1s"
  }
}

upstream "long" {
  lambda {
    region      = "us-east-1"
    credentials = secret.role
    endpoint    = %[1]q
  }
}

upstream "short" {
  lambda {
    region      = "us-east-1"
    credentials = secret.user
    endpoint    = %[1]q
    discover    = false
  }
}

upstream "sim" {
  lambda {
    region      = "us-east-1"
    credentials = secret.keys
    endpoint    = %[2]q
  }
}

route "keyed" {
  hosts = ["keyed.example.com"]
  to { upstream = upstream.app }
  credential {
    header = "x-api-key"
    prefix = "Key "
    secret = secret.api
  }
}
`

func newSecretWorld(t *testing.T) *secretWorld {
	t.Helper()
	w := &secretWorld{
		functionStack: newFunctionStack(t, testenv.VaultOptions{Keep: true}),
		aws:           testenv.StartAWS(t), sim: testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{}),
	}
	w.canaries = append(w.canaries, w.secret, "canary-")
	w.vault.UseAWS(w.aws)
	w.vault.Write("aws/config/lease", map[string]any{"lease": "24s", "lease_max": "24s"})
	w.vault.Write("aws/roles/sluice-user", map[string]any{"credential_type": "iam_user", "policy_document": policies.AWSLambda})
	w.vault.Write("aws/roles/sluice-role", map[string]any{
		"credential_type": "assumed_role", "role_arns": w.aws.CreateRole("sluice", policies.AWSLambda), "max_sts_ttl": "1h",
	})
	w.aws.CreateFunction(testenv.LambdaFunction{Name: "hello", Handler: hello})
	w.sim.Put(testenv.SimulatedFunction{Name: "hello", Handler: hello})
	w.newKeys()
	w.newAPI()
	text := fmt.Sprintf(secretDocument, w.aws.Endpoint, w.sim.Endpoint)
	for _, name := range []string{"long", "short", "sim"} {
		text += callRoute(name, name+".hello", "")
	}
	w.put("secrets.hcl", text)
	w.plane.start(t)
	w.edge = w.addEdge("edge")
	w.edge.answers(t, "keyed.example.com", "/", http.StatusOK)
	for _, name := range []string{"long", "short", "sim"} {
		w.edge.answers(t, name+".example.com", "/7", http.StatusOK)
	}
	return w
}

// newKeys writes other credentials of the simulator into Vault.
func (w *secretWorld) newKeys() {
	n := len(w.keys)
	key := &testenv.AWSKey{ID: fmt.Sprintf("AKIASIM%d", n), Secret: fmt.Sprintf("canary-keys-%d", n), Session: fmt.Sprintf("canary-session-%d", n)}
	w.keys = append(w.keys, key)
	w.vault.PutKV("sluice/keys", map[string]any{"access_key": key.ID, "secret_key": key.Secret, "security_token": key.Session})
}

// newAPI writes another key of the route "keyed" into Vault.
func (w *secretWorld) newAPI() {
	w.api++
	w.vault.PutKV("sluice/api", map[string]any{"key": w.apiKey()})
}

func (w *secretWorld) apiKey() string { return fmt.Sprintf("canary-api-%d", w.api) }

// steadyFlows are loads on all routes but that with the short leases.
func (w *secretWorld) steadyFlows(t *testing.T) flows {
	return flows{
		w.edge.flow(t, "long", "/7", 20, answersWith("hello")),
		w.edge.flow(t, "sim", "/7", 20, answersWith("hello")),
		w.edge.flow(t, "keyed", "/", 40, answersWith(`"Key canary-api-`)),
		w.edge.flow(t, "steady", "/", 20, answersWith(`"app"`)),
	}
}

// TestSecretsRotateAndVaultBreaks exchanges secrets, and breaks Vault in every way, while clients call what needs them.
func TestSecretsRotateAndVaultBreaks(t *testing.T) {
	t.Parallel()
	w := newSecretWorld(t)
	all := append(w.steadyFlows(t), w.edge.flow(t, "short", "/7", 20, answersWith("hello")))
	all.more(t, 10)
	t.Run("a key rotates by itself", w.keyRotates)
	t.Run("a deleted key stays", w.keyStays)
	t.Run("credentials rotate", w.credentialsRotate)
	t.Run("leases end", w.leasesEnd)
	all.more(t, 20)
	all.fine(t)
	all = w.steadyFlows(t)
	for _, c := range []struct {
		name string
		play func(*testing.T, flows)
	}{{"Vault is frozen", w.frozen}, {"Vault is sealed", w.sealed}, {"the login is revoked", w.revoked}, {"Vault and the server die", w.dies}} {
		t.Run(c.name, func(t *testing.T) { c.play(t, all) })
	}
	all.more(t, 20)
	all.fine(t)
	for _, wrong := range testenv.VerifySignatures(t, invocations(w.sim), w.keys...) {
		t.Error(wrong)
	}
	t.Run("no secret is written anywhere", w.nowhere)
}

// invocations are the calls that a simulator got; lists are signed by somebody else.
func invocations(s *testenv.LambdaSimulator) []testenv.RecordedRequest {
	return slices.DeleteFunc(s.Requests(), func(r testenv.RecordedRequest) bool { return r.Method != http.MethodPost })
}

// sends waits until the service gets the newest key.
func (w *secretWorld) sends(t *testing.T, e *edge) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		if status, _, err := request(e.addr, "keyed.example.com", "/"); err != nil || status != http.StatusOK {
			return fmt.Errorf("answered %d: %w", status, err)
		}
		return contains(fmt.Sprint(w.app.Last().Header), "[Key "+w.apiKey()+"]")
	})
}

// pushed are the counters of what is no secret.
func (e *edge) pushed(t *testing.T) map[string]uint64 {
	t.Helper()
	out := e.stats(t, `update_success$|listener_(added|modified|removed)$|cluster_(added|modified|removed)$|config_reload$`)
	for name := range out {
		if strings.Contains(name, "sds.") || strings.Contains(name, "extension_config_discovery") {
			delete(out, name)
		}
	}
	return out
}

func (w *secretWorld) keyRotates(t *testing.T) {
	before := w.edge.pushed(t)
	for range 3 {
		w.newAPI()
		w.sends(t, w.edge)
	}
	if now := w.edge.pushed(t); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("more than secrets was sent, before\n%v\nafter\n%v", before, now)
	}
}

func (w *secretWorld) keyStays(t *testing.T) {
	before := w.edge.pushed(t)
	w.vault.Delete("secret/data/sluice/api")
	w.plane.secretIs(t, "api", "failing", "deleted")
	w.sends(t, w.edge)
	w.newAPI()
	w.sends(t, w.edge)
	w.plane.secretIs(t, "api", "ok")
	if now := w.edge.pushed(t); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("more than secrets was sent, before\n%v\nafter\n%v", before, now)
	}
}

// credentialsRotate exchanges the credentials of a Lambda.
func (w *secretWorld) credentialsRotate(t *testing.T) {
	for range 2 {
		w.newKeys()
		id := w.keys[len(w.keys)-1].ID
		testenv.Eventually(t, time.Minute, func() error {
			calls := invocations(w.sim)
			if last := calls[len(calls)-1].Header.Get("Authorization"); !strings.Contains(last, id+"/") {
				return errors.New("it is not signed with the newest key")
			}
			return nil
		})
	}
}

// leasesEnd waits until the users that Vault makes have been replaced twice: the first has ended by then.
func (w *secretWorld) leasesEnd(t *testing.T) {
	look(t, w.plane, func(list []console.Secret) error {
		for _, s := range list {
			if s.Name == "user" && s.Rotations >= 2 && s.Renewals >= 1 {
				return nil
			}
		}
		return fmt.Errorf("%+v", list)
	}, "secrets")
}

func (w *secretWorld) frozen(t *testing.T, all flows) {
	frozen(t, w.vault.Process, func() {
		w.plane.secretIs(t, "api", "failing")
		all.more(t, 20)
	})
	w.plane.secretIs(t, "api", "ok")
}

func (w *secretWorld) sealed(t *testing.T, all flows) {
	w.vault.Seal()
	w.plane.secretIs(t, "api", "failing", "sealed")
	all.more(t, 20)
	w.vault.Unseal()
	w.plane.secretIs(t, "api", "ok")
}

// revoked ends every login; leases end with it.
func (w *secretWorld) revoked(t *testing.T, all flows) {
	must(t, w.vault.Client().Sys().RevokePrefix("auth/approle/login"))
	w.newAPI()
	w.sends(t, w.edge)
	w.plane.secretIs(t, "api", "ok")
	all.more(t, 20)
}

// dies kills Vault, and then the server, which comes back before Vault does.
func (w *secretWorld) dies(t *testing.T, all flows) {
	w.plane.waitKept(t, "keyed.example.com", "hello")
	w.vault.Kill()
	w.plane.secretIs(t, "api", "failing")
	before := updates(t, w.edge)
	w.plane.kill()
	all.more(t, 10)
	w.plane.start(w.t)
	w.plane.waitServing(t)
	young := w.addEdge("edge")
	young.serves(t, "steady.example.com", "/", "app")
	w.plane.secretIs(t, "api", "failing")
	young.answers(t, "keyed.example.com", "/", http.StatusServiceUnavailable)
	for _, name := range []string{"long", "short", "sim"} {
		young.answers(t, name+".example.com", "/7", http.StatusServiceUnavailable)
	}
	all.more(t, 20)
	if now := updates(t, w.edge); now != before {
		t.Errorf("the Envoy that has everything was sent something, before\n%s and after\n%s", before, now)
	}
	w.vault.Start()
	for _, e := range w.edges {
		w.sends(t, e)
		for _, name := range []string{"long", "short", "sim"} {
			e.answers(t, name+".example.com", "/7", http.StatusOK)
		}
	}
	w.newAPI()
	for _, e := range w.edges {
		w.sends(t, e)
	}
	for _, name := range []string{"api", "keys", "role", "user"} {
		w.plane.secretIs(t, name, "ok")
	}
}
