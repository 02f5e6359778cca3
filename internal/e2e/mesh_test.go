package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// meshUpstream is the text of a mesh service with a route to it.
func meshUpstream(name string) string {
	return fmt.Sprintf(`
upstream %q {
  consul {
    service = %q
    connect = true
  }
}
`, name, name) + route(name, name+".example.com", "/", name)
}

// meshWorld is a stack with a service behind Consul's own proxy, one that is in the mesh by itself, and an impostor.
type meshWorld struct {
	*stack
	native, impostor *peer
}

// newMeshWorld starts it under default deny, with the policies that are shipped.
func newMeshWorld(t *testing.T) *meshWorld {
	t.Helper()
	w := &meshWorld{stack: newStack(t, setup{edges: 1, consul: testenv.ConsulOptions{ACL: true, Mesh: true, Keep: true}})}
	w.sidecar("shop")
	w.native = startPeer(t, w.consul, "stock", "stock")
	w.registerPeer("stock", w.native.port, api.HealthPassing)
	w.impostor = startPeer(t, w.consul, "other", "impostor")
	w.registerPeer("bank", w.impostor.port, api.HealthPassing)
	w.put("mesh.hcl", meshUpstream("shop")+meshUpstream("stock")+meshUpstream("bank"))
	return w
}

func TestMeshServices(t *testing.T) {
	t.Parallel()
	w := newMeshWorld(t)
	e := w.edges[0]
	t.Run("an intention denies", func(t *testing.T) {
		e.answers(t, "shop.example.com", "/", http.StatusServiceUnavailable)
		w.gives(t, "shop.example.com", "upstream_reset") // once the proxy listens
		w.allow("sluice", "shop", api.IntentionActionAllow)
		e.serves(t, "shop.example.com", "/", "shop")
	})
	t.Run("each service proves who it is", func(t *testing.T) {
		e.serves(t, "stock.example.com", "/", "stock")
		w.gives(t, "bank.example.com", "connection_failed")
		if n := w.impostor.requests.Load(); n > 0 {
			t.Errorf("the impostor was sent %d requests", n)
		}
		if n := sum(e.stats(t, `cluster\.bank\.ssl\.fail_verify_san`)); n == 0 {
			t.Error("the Envoy has not refused the name")
		}
	})
	w.planes[0].secretIs(t, "connect:", "ok", "sluice, leaf ")
	all := func() flows {
		return flows{e.flow(t, "shop", "/", 40, answersWith(`"shop"`)), e.flow(t, "stock", "/", 40, answersWith(`"stock"`))}
	}
	t.Run("leaf and authority are replaced", func(t *testing.T) {
		load := all()
		load.more(t, 20)
		before := *w.native.issuer.Load()
		w.newAuthority()
		testenv.Eventually(t, 2*time.Minute, func() error {
			if *w.native.issuer.Load() == before {
				return errors.New("the leaf is of the old authority")
			}
			return nil
		})
		w.planes[0].secretIs(t, "connect:", "ok", "2 roots")
		load.more(t, 100)
		load.fine(t)
	})
	t.Run("the agent is away", func(t *testing.T) {
		load := all()
		load.more(t, 20)
		w.consul.Kill()
		w.planes[0].secretIs(t, "connect:", "failing", "leaf ")
		load.more(t, 50)
		w.consul.Start()
		w.planes[0].secretIs(t, "connect:", "ok")
		load.more(t, 50)
		load.fine(t)
	})
	t.Run("the doctor finds nothing missing", func(t *testing.T) {
		out, _ := tool(t, nil, "doctor", "-config", w.planes[0].config)
		must(t, contains(out, "✓ consul main: be the service sluice in the mesh", "✓ consul main: read the authorities of the mesh"))
	})
	t.Run("the key is nowhere", w.keyIsNowhere)
}

// gives waits until the first Envoy answers a host with 503 and a reason.
func (s *stack) gives(t *testing.T, host, reason string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		req, err := http.NewRequest(http.MethodGet, "http://"+s.edges[0].addr+"/", nil)
		if err != nil {
			return err
		}
		req.Host = host
		resp, err := fresh.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("x-sluice-error"); resp.StatusCode != http.StatusServiceUnavailable || got != reason {
			return fmt.Errorf("%s answers with %s and the reason %q", host, resp.Status, got)
		}
		return nil
	})
}

// keyIsNowhere looks for a private key in what is written, shown or answered.
func (w *meshWorld) keyIsNowhere(t *testing.T) {
	p := w.planes[0]
	texts := map[string]string{"the server's log": p.out.String()}
	dump, err := w.edges[0].ask("/config_dump?include_eds")
	must(t, err)
	texts["config_dump"] = string(dump)
	if !strings.Contains(texts["config_dump"], "spiffe://") {
		t.Error("the Envoy's dump does not say whom it accepts")
	}
	for _, path := range []string{"/v1/status", "/v1/secrets", "/v1/world", "/v1/upstreams", "/v1/blocks"} {
		resp, err := fresh.Get("http://" + p.api + path)
		must(t, err)
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		_ = resp.Body.Close()
		texts[path] = string(b)
	}
	pairs, _, err := w.consul.Client().KV().List("", nil)
	must(t, err)
	for _, pair := range pairs {
		texts["consul:"+pair.Key] = string(pair.Value)
	}
	must(t, filepath.WalkDir(filepath.Join(p.dir, "state"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		texts[path] = string(b)
		return err
	}))
	leaf, _, err := w.consul.Client().Agent().ConnectCALeaf("sluice", nil)
	must(t, err)
	key := strings.Split(leaf.PrivateKeyPEM, "\n")[1]
	for name, text := range texts {
		if strings.Contains(text, key) || strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s holds the key", name)
		}
	}
}
