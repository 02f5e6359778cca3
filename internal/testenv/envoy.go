package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/fault"
)

// EnvoyOptions says how a test wants its Envoy. The zero value starts one without listeners and without a control plane.
type EnvoyOptions struct {
	// Bootstrap is a whole bootstrap, JSON or YAML. Its admin address is replaced by a free port of loopback.
	// Empty: one is made of the fields below.
	Bootstrap []byte

	XDSAddr string // host:port of a control plane in the clear; empty: none
	NodeID  string // "test" when empty
	Cluster string // the gateway it joins; "edge" when empty

	LogLevel    string   // "warning" when empty
	Concurrency int      // 1 when 0
	ExtraArgs   []string // appended to the command line
	NoWait      bool     // return before Envoy is ready: for one that waits for a control plane
}

// Envoy is a running Envoy. It is killed at the end of its test, and its log is shown if the test failed.
// Its methods are safe for concurrent use.
type Envoy struct {
	fault.Process // Freeze, Thaw, Terminate

	AdminURL string // http://127.0.0.1:PORT

	log  *Output
	done chan struct{} // closed when the process is gone
	err  error         // of its end; read after done
}

// StartEnvoy runs the real Envoy until the end of the test, and returns once it is ready.
func StartEnvoy(t testing.TB, o EnvoyOptions) *Envoy {
	t.Helper()
	dir := t.TempDir()
	config, address := filepath.Join(dir, "bootstrap.json"), filepath.Join(dir, "admin")
	bootstrap := o.Bootstrap
	if len(bootstrap) == 0 {
		bootstrap = o.bootstrap(t)
	}
	if err := os.WriteFile(config, bootstrap, 0o600); err != nil {
		t.Fatalf("write the bootstrap: %v", err)
	}
	cmd := exec.Command(EnvoyPath(t), append([]string{
		"-c", config,
		"--config-yaml", "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}",
		"--admin-address-path", address,
		"--disable-hot-restart",
		"--concurrency", strconv.Itoa(max(o.Concurrency, 1)),
		"--log-level", or(o.LogLevel, "warning"),
	}, o.ExtraArgs...)...)
	e := &Envoy{log: &Output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = e.log, e.log
	endWithTest(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start envoy: %v", err)
	}
	e.Process = fault.Process(cmd.Process.Pid)
	go func() {
		e.err = cmd.Wait()
		close(e.done)
	}()
	t.Cleanup(func() {
		e.Kill()
		if t.Failed() {
			t.Logf("envoy's log:\n%s", e.log.Tail(16<<10))
		}
	})
	e.AdminURL = "http://" + e.awaitAdmin(t, address)
	if !o.NoWait {
		e.WaitReady(t)
	}
	return e
}

// Kill ends Envoy at once and waits until it is gone. Killing it twice is fine.
func (e *Envoy) Kill() {
	select {
	case <-e.done:
	default:
		_ = e.Process.Kill() // it may end between the two
		<-e.done
	}
}

// Exit waits until Envoy has ended and returns how: nil for exit code 0.
func (e *Envoy) Exit(ctx context.Context) error {
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return fmt.Errorf("wait for envoy to end: %w", ctx.Err())
	}
}

// Log is all that Envoy has written so far, standard output and error together.
func (e *Envoy) Log() string { return e.log.String() }

// WaitReady returns once Envoy says that it is ready, and fails the test if it does not within 30 s.
func (e *Envoy) WaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, 30*time.Second, func() error {
		if err := e.alive(); err != nil {
			t.Fatal(err)
		}
		_, err := e.get("/ready")
		return err
	})
}

func (e *Envoy) alive() error {
	select {
	case <-e.done:
		return fmt.Errorf("envoy ended: %w\n%s", e.ending(), e.log.Tail(4<<10))
	default:
		return nil
	}
}

func (e *Envoy) ending() error {
	if e.err == nil {
		return errors.New("exit code 0")
	}
	return e.err
}

func (e *Envoy) awaitAdmin(t testing.TB, path string) (address string) {
	t.Helper()
	Eventually(t, 30*time.Second, func() error {
		if err := e.alive(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if address = string(bytes.TrimSpace(b)); err == nil && !strings.Contains(address, ":") {
			err = fmt.Errorf("envoy has not written its admin address yet")
		}
		return err
	})
	return address
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
