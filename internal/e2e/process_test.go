package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// process is a running sluice. It is killed at the end of its test, which shows its output if it failed.
type process struct {
	fault.Process // Freeze, Thaw, Terminate

	name string
	out  *testenv.Output
	gone chan struct{} // closed when it has ended
	err  error         // of its end; read after gone
}

// spawn starts sluice with arguments; env is all of its environment beside PATH, HOME and the cache.
func spawn(t testing.TB, name string, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(sluice, args...)
	p := &process{name: name, out: &testenv.Output{}, gone: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	cmd.Env = environment(env...)
	endWithTest(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	p.Process = fault.Process(cmd.Process.Pid)
	go func() {
		p.err = cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("what %s wrote:\n%s", name, p.out.Tail(12<<10))
		}
	})
	return p
}

// environment is free of what would configure sluice or Consul's client by accident.
func environment(more ...string) []string {
	env := []string{}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "SLUICE_CACHE", "ENVOY_PATH", "CONSUL_PATH":
			env = append(env, e)
		}
	}
	return append(env, more...)
}

// kill ends the process as a crash does, and waits until it is gone. Killing it twice is fine.
func (p *process) kill() {
	select {
	case <-p.gone:
	default:
		_ = p.Kill() // it may end between the two
		<-p.gone
	}
}

// exit waits until the process has ended and returns how: nil for exit code 0.
func (p *process) exit(ctx context.Context) error {
	select {
	case <-p.gone:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended: %w", p.name, ctx.Err())
	}
}

// tool runs a sluice command to its end and returns what it wrote and its exit code.
func tool(t testing.TB, env []string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, sluice, args...)
	cmd.Env = environment(env...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("run sluice %s: %v", strings.Join(args, " "), err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}
