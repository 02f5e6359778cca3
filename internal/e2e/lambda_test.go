package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// account is a server and an Envoy whose functions are a simulator's, called with credentials from a file.
type account struct {
	*testenv.LambdaSimulator
	plane *plane
	edge  *edge
	docs  string
	keys  []*testenv.AWSKey
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{LambdaSimulator: testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{}), docs: tempDir(t)}
	ports := testenv.FreePorts(t, 3)
	p := &plane{dir: tempDir(t), xds: fmt.Sprintf("127.0.0.1:%d", ports[0]), api: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	p.config = writeFile(t, p.dir, "sluice.hcl", fmt.Sprintf("config {\n path = %q\n}\nhttp {\n address = %q\n}\nxds {\n address = %q\n}\nstate_dir = %q\n",
		a.docs, p.api, p.xds, p.dir+"/state"))
	a.Put(testenv.SimulatedFunction{
		Name: "hello", Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
			return fmt.Appendf(nil, `{"statusCode": 200, "body": "version %s"}`, testenv.LambdaVersion(ctx)), nil
		},
		Versions: map[string]testenv.LambdaHandler{"7": nil}, Aliases: map[string]testenv.LambdaAlias{"live": {Version: "7"}},
		Tags: map[string]string{"team": "calc"},
	})
	a.rotate(t)
	writeFile(t, a.docs, "all.hcl", fmt.Sprintf(`
gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}
secret "aws" {
  file {
    path = %q
    json = true
  }
}
upstream "math" {
  lambda {
    region      = "us-east-1"
    credentials = secret.aws
    endpoint    = %q
    tags        = { team = "calc" }
    interval    = "5s"
  }
}
route "hello" {
  to { function = function.math["hello:live"] }
}
`, ports[2], filepath.Join(a.docs, "key.json"), a.Endpoint))
	a.plane = p
	p.start(t)
	a.edge = startEdge(t, "edge", "edge-1", ports[2], []string{p.xds}, "-concurrency", "2")
	testenv.Eventually(t, time.Minute, func() error { return a.answers() })
	return a
}

// rotate writes another key into the file of the secret.
func (a *account) rotate(t *testing.T) {
	t.Helper()
	n := len(a.keys)
	key := &testenv.AWSKey{ID: fmt.Sprintf("AKIAE2E%d", n), Secret: fmt.Sprintf("canary-secret-%d", n), Session: fmt.Sprintf("canary-session-%d", n)}
	a.keys = append(a.keys, key)
	path := writeFile(t, a.docs, "key.json.new", fmt.Sprintf(`{"access_key": %q, "secret_key": %q, "security_token": %q}`, key.ID, key.Secret, key.Session))
	if err := os.Rename(path, filepath.Join(a.docs, "key.json")); err != nil {
		t.Fatal(err)
	}
}

// answers says whether the Envoy has the route, the function and the credentials.
func (a *account) answers() error {
	status, _, err := request(a.edge.addr, "shop.example.com", "/")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the answer is %d", status)
	}
	return err
}

// signs waits until the last key signs calls.
func (a *account) signs(t *testing.T) {
	t.Helper()
	key := a.keys[len(a.keys)-1]
	testenv.Eventually(t, 30*time.Second, func() error {
		for _, r := range slices.Backward(a.Requests()) {
			if path, _, _ := strings.Cut(r.Target, "?"); !strings.HasSuffix(path, "/invocations") {
				continue
			}
			if strings.Contains(r.Header.Get("Authorization"), key.ID+"/") {
				return nil
			}
			break
		}
		return fmt.Errorf("%s signs no call yet", key.ID)
	})
}

// TestLambdas finds functions, calls one by its alias, and exchanges the credentials under load, with a server, an Envoy
// and nothing between: no call fails, none is signed wrongly, no connection of a client is closed, and no secret is
// written anywhere.
func TestLambdas(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	load := testenv.Load(t.Context(), t, "http://"+a.edge.addr+"/", testenv.LoadOptions{
		Host: "shop.example.com", Rate: 100, Check: func(resp *http.Response, body []byte) error {
			if resp.StatusCode != http.StatusOK || string(body) != "version 7" {
				return fmt.Errorf("the answer is %d %q", resp.StatusCode, body)
			}
			return nil
		},
	})
	load.WaitRequests(t, 50)
	for range 3 {
		a.rotate(t)
		a.signs(t)
		load.WaitRequests(t, 50)
	}
	out := load.Stop()
	if out.Failed() > 0 || out.Dialed > 4 {
		t.Error(out)
	}
	for _, w := range testenv.VerifySignatures(t, a.Requests(), a.keys...) {
		t.Error(w)
	}
	t.Logf("%s; %d requests at the platform", out, len(a.Requests()))
	dump, err := a.edge.ask("/config_dump")
	if err != nil {
		t.Fatal(err)
	}
	written := a.plane.out.String() + a.edge.out.String() + string(dump)
	if !bytes.Contains(dump, []byte("inline_credential")) || strings.Contains(written, "canary-") {
		t.Error("a secret is in the dump or in a log, or the signer is not in the dump")
	}
	must(t, filepath.WalkDir(a.plane.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("canary-")) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	}))
}
