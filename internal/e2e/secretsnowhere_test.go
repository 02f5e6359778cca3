package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nowhere looks for what is secret in everything that is written, sent or answered.
func (w *secretWorld) nowhere(t *testing.T) {
	texts := map[string]string{"the server's log": w.plane.out.String()}
	for _, e := range w.edges {
		texts["the log of "+e.id] = e.out.String()
		for _, path := range []string{"/config_dump?include_eds", "/stats", "/clusters", "/server_info"} {
			b, err := e.ask(path)
			must(t, err)
			texts[e.id+path] = string(b)
		}
	}
	pairs, _, err := w.consul.Client().KV().List("", nil)
	must(t, err)
	for _, p := range pairs {
		texts["consul:"+p.Key] = string(p.Value)
	}
	for _, path := range []string{
		"/metrics", "/v1/status", "/v1/blocks", "/v1/routes", "/v1/upstreams", "/v1/nodes", "/v1/sources", "/v1/functions",
		"/v1/finders", "/v1/secrets", "/v1/world", "/v1/openapi?gateway=edge",
	} {
		resp, err := fresh.Get("http://" + w.plane.api + path)
		must(t, err)
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		must(t, err)
		if resp.StatusCode != 200 || len(b) == 0 {
			t.Errorf("%s answers %s", path, resp.Status)
		}
		texts[path] = string(b)
	}
	for _, args := range [][]string{
		{"status"}, {"secrets"}, {"functions"}, {"events"}, {"doctor", "-config", w.plane.config},
		{"explain", "GET", "http://keyed.example.com/"}, {"explain", "GET", "http://long.example.com/7"},
	} {
		texts["sluice "+strings.Join(args, " ")], _ = tool(t, []string{"SLUICE_ADDR=http://" + w.plane.api, "CONSUL_HTTP_ADDR=" + w.consul.Addr}, args...)
	}
	must(t, filepath.WalkDir(filepath.Join(w.plane.dir, "state"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		texts[path] = string(b)
		return err
	}))
	if dump := texts[w.edge.id+"/config_dump?include_eds"]; !strings.Contains(dump, "inline_credential") || !strings.Contains(dump, "[redacted]") {
		t.Error("the signers are not in the Envoy's dump, or are not redacted")
	}
	for name, text := range texts {
		for _, canary := range w.canaries {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s holds %s: …%.300s", name, canary, text[max(0, i-150):])
			}
		}
	}
}
