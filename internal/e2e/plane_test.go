package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// plane is a replica of the control plane: sluice server.
type plane struct {
	*process
	dir      string // of its configuration, its token file and its state
	xds, api string // host:port
	config   string // path
	env      []string
}

// addPlane starts one more replica.
func (s *stack) addPlane() *plane {
	s.t.Helper()
	p := s.makePlane()
	p.start(s.t)
	return p
}

// makePlane is a replica that is not started yet.
func (s *stack) makePlane() *plane {
	s.t.Helper()
	ports := testenv.FreePorts(s.t, 2)
	p := &plane{dir: tempDir(s.t), xds: fmt.Sprintf("127.0.0.1:%d", ports[0]), api: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	token := ""
	if s.token != "" {
		token = fmt.Sprintf("token_file = %q\n", writeFile(s.t, p.dir, "token", s.token))
	}
	p.config = writeFile(s.t, p.dir, "sluice.hcl", fmt.Sprintf(`
state_dir   = %q
start_grace = "5m"

config { consul_prefix = "sluice/" }

http { address = %q }

consul "main" {
  address = %q
  hold    = %q
  %s
}

xds {
  address = %q
  %s
}
`, p.dir+"/state", p.api, s.consul.Addr, s.hold, token, p.xds, s.xdsTLS))
	s.planes = append(s.planes, p)
	return p
}

// start starts a replica, also one that was killed, on its own ports and with its own state.
func (p *plane) start(t testing.TB) {
	t.Helper()
	p.process = spawn(t, "sluice server", p.env, "server", "-config", p.config)
}

// waitServing returns once Envoys are let in.
func (p *plane) waitServing(t testing.TB) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		var s console.Status
		if err := p.get("/v1/status", &s); err != nil {
			return err
		}
		if !s.Gate.Open {
			return fmt.Errorf("the gate waits for %v", s.Gate.Waiting)
		}
		return nil
	})
}

// api asks the API.
func (p *plane) get(path string, into any) error {
	resp, err := fresh.Get("http://" + p.api + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %.300s", path, resp.Status, b)
	}
	return json.Unmarshal(b, into)
}

func (p *plane) status(t testing.TB) console.Status {
	t.Helper()
	var s console.Status
	testenv.Eventually(t, 30*time.Second, func() error { return p.get("/v1/status", &s) })
	return s
}

// waitStatus returns once the status is as wanted.
func (p *plane) waitStatus(t testing.TB, want func(console.Status) error) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		var s console.Status
		if err := p.get("/v1/status", &s); err != nil {
			return err
		}
		return want(s)
	})
}

// waitBlock returns once a block ("route.x") is in a state, with the texts among its diagnostics.
func (p *plane) waitBlock(t testing.TB, id, state string, texts ...string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		var blocks []console.Block
		if err := p.get("/v1/blocks", &blocks); err != nil {
			return err
		}
		for _, b := range blocks {
			if b.Kind+"."+b.Name != id {
				continue
			}
			said := fmt.Sprintf("%s %v", b.State, b.HeldBy)
			for _, d := range b.Diagnostics {
				said += "\n" + d.Summary + ": " + d.Detail
			}
			return contains(said, append([]string{state}, texts...)...)
		}
		return fmt.Errorf("no block %s among %d", id, len(blocks))
	})
}

// contains says which of the texts is missing.
func contains(said string, texts ...string) error {
	for _, text := range texts {
		if !strings.Contains(said, text) {
			return fmt.Errorf("%q is missing in:\n%s", text, said)
		}
	}
	return nil
}

// says waits until the status of a document in Consul has the texts, as `consul kv get sluice/status/NAME` shows it.
func (s *stack) says(t testing.TB, name string, texts ...string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		pair, _, err := s.consul.Client().KV().Get("sluice/status/"+name, nil)
		if err != nil {
			return err
		}
		if pair == nil {
			return fmt.Errorf("there is no status of %s", name)
		}
		return contains(string(pair.Value), texts...)
	})
}

// silent waits until Consul has no status of a document any more.
func (s *stack) silent(t testing.TB, name string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		pair, _, err := s.consul.Client().KV().Get("sluice/status/"+name, nil)
		if err == nil && pair != nil {
			err = fmt.Errorf("there is still a status of %s:\n%s", name, pair.Value)
		}
		return err
	})
}
