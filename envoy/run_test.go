package envoy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// The test binary is also the parent that is killed in TestEnvoyEndsWithItsParent.
func TestMain(m *testing.M) {
	if path := os.Getenv("RUN_ENVOY"); path != "" {
		bootstrap := []byte(os.Getenv("RUN_ENVOY_BOOTSTRAP"))
		err := Run(context.Background(), Options{Path: path, BootstrapJSON: bootstrap, Ready: func() { fmt.Println("ready") }})
		fmt.Println(err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// bootstrap has an admin interface, and a listener on a port of loopback that passes all on to an address.
func bootstrap(adminPort, port, upstreamPort int) []byte {
	return fmt.Appendf(nil, `{
  "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}},
  "static_resources": {
    "listeners": [{
      "name": "web", "address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}},
      "filter_chains": [{"filters": [{"name": "hcm", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]
      }}]}]
    }],
    "clusters": [{"name": "up", "type": "STATIC", "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [
      {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}}}]}]}}]
  }
}`, adminPort, port, upstreamPort)
}

// running is Run in the background.
type running struct {
	stop  context.CancelFunc
	ready chan struct{}
	ended chan error
	log   testenv.Output
}

func background(t *testing.T, o Options) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, ready: make(chan struct{}), ended: make(chan error, 1)}
	o.Stderr, o.Ready = &r.log, func() { close(r.ready) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ended <- Run(ctx, o)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if t.Failed() {
			t.Logf("envoy's log:\n%s", r.log.String())
		}
	})
	return r
}

func within[T any](t *testing.T, limit time.Duration, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		t.Fatalf("%s took more than %s", what, limit)
		panic("unreachable")
	}
}

func TestRunStops(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	config := fmt.Appendf(nil, `{"admin": {"address": {"pipe": {"path": %q}}}}`, socket)
	for name, o := range map[string]Options{
		"with a drain":    {DrainTime: 5 * time.Second},
		"without a drain": {},
		"named admin":     {DrainTime: 5 * time.Second, Admin: socket},
	} {
		t.Run(name, func(t *testing.T) {
			o.Path, o.BootstrapJSON, o.Concurrency = testenv.EnvoyPath(t), config, 1
			r := background(t, o)
			within(t, 30*time.Second, "readiness", r.ready)
			r.stop()
			if err := within(t, 4*time.Second, "an idle envoy's end", r.ended); err != nil {
				t.Errorf("a clean stop returned %v", err)
			}
		})
	}
}

func TestRunStopsBeforeReady(t *testing.T) {
	config := fmt.Appendf(nil, `{"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
		"node": {"id": "n", "cluster": "c"},
		"dynamic_resources": {"lds_config": {"resource_api_version": "V3", "initial_fetch_timeout": "0s", "api_config_source":
			{"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "x"}}]}}},
		"static_resources": {"clusters": [{"name": "x", "type": "STATIC"}]}}`)
	r := background(t, Options{Path: testenv.EnvoyPath(t), BootstrapJSON: config, DrainTime: time.Minute, LogLevel: "info"})
	testenv.Eventually(t, 10*time.Second, func() error {
		if !strings.Contains(r.log.String(), "starting main dispatch loop") {
			return errors.New("envoy has not started")
		}
		return nil
	})
	r.stop()
	if err := within(t, 5*time.Second, "the end", r.ended); err != nil {
		t.Errorf("a stop before readiness returned %v", err)
	}
	select {
	case <-r.ready:
		t.Error("it was called ready")
	default:
	}
}

func TestRunReportsHowEnvoyEnded(t *testing.T) {
	dir := t.TempDir()
	for script, want := range map[string]ExitError{
		"exit 3":     {Code: 3},
		"kill -9 $$": {Code: -1, Signal: syscall.SIGKILL},
	} {
		path := write(t, filepath.Join(dir, "envoy"), "#!/bin/sh\n"+script+"\n", 0o755)
		var exit *ExitError
		if err := Run(t.Context(), Options{Path: path}); !errors.As(err, &exit) || *exit != want {
			t.Errorf("%s: got %v, want %v", script, err, want)
		}
	}
	if code := (&ExitError{Code: -1, Signal: syscall.SIGKILL}).ExitCode(); code != 137 {
		t.Errorf("a killed envoy's exit code is %d", code)
	}
	var exit *ExitError
	var log bytes.Buffer
	err := Run(t.Context(), Options{Path: testenv.EnvoyPath(t), BootstrapJSON: []byte(`{"admn": 1}`), Stderr: &log})
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(log.String(), "admn") {
		t.Errorf("a bad bootstrap: %v, log %q", err, log.String())
	}
	if err := Run(t.Context(), Options{Path: filepath.Join(dir, "none")}); err == nil {
		t.Error("a binary that is missing was run")
	}
}

func TestEnvoyEndsWithItsParent(t *testing.T) {
	port := testenv.FreePort(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RUN_ENVOY="+testenv.EnvoyPath(t),
		"RUN_ENVOY_BOOTSTRAP="+string(bootstrap(port, testenv.FreePort(t), 1)))
	var out testenv.Output
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 30*time.Second, func() error {
		if out.String() == "" {
			return errors.New("not ready")
		}
		return nil
	})
	if err := fault.Process(cmd.Process.Pid).Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	testenv.Eventually(t, 10*time.Second, func() error {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", port))
		if err == nil {
			resp.Body.Close()
			return errors.New("envoy outlives its parent")
		}
		return nil
	})
}

func TestValidate(t *testing.T) {
	path := testenv.EnvoyPath(t)
	if err := Validate(t.Context(), path, bootstrap(0, 8080, 1)); err != nil {
		t.Error(err)
	}
	err := Validate(t.Context(), path, []byte(`{"static_resources": {"clusters": [{"name": "x", "type": "EDS"}]}}`))
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "cannot create an EDS cluster without an EDS config") {
		t.Errorf("a bad cluster: %v", err)
	}
	if err := Validate(t.Context(), path+"-not", nil); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("no binary: %v", err)
	}
}
