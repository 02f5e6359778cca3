package testenv

import (
	"strings"
	"testing"
)

func TestEnvoyStartsAndAnswers(t *testing.T) {
	e := StartEnvoy(t, EnvoyOptions{Bootstrap: []byte(`{"static_resources": {"listeners": [{
		"name": "web", "address": {"socket_address": {"address": "0.0.0.0", "port_value": 0}},
		"filter_chains": [{"filters": [{"name": "echo", "typed_config": {
			"@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"}}]}]}]}}`)})
	if a := e.Listener(t, "web"); !strings.HasPrefix(a, "127.0.0.1:") || strings.HasSuffix(a, ":0") {
		t.Errorf("the listener's address is %q", a)
	}
	if v, ok := e.Stat(t, "server.live"); !ok || v != 1 {
		t.Errorf("server.live is %d, %v", v, ok)
	}
	if _, ok := e.Stat(t, "server.alive"); ok {
		t.Error("a stat that does not exist was found")
	}
	if !strings.Contains(string(e.ConfigDump(t)), `"name": "web"`) {
		t.Error("the configuration dump lacks the listener")
	}
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := e.Thaw(); err != nil {
		t.Fatal(err)
	}
	e.WaitReady(t)
	e.Kill()
	e.Kill()
}

func TestEnvoyWaitsForItsControlPlane(t *testing.T) {
	e := StartEnvoy(t, EnvoyOptions{XDSAddr: Unused(t), NoWait: true})
	if _, err := e.get("/ready"); err == nil {
		t.Error("ready without a control plane")
	}
}
