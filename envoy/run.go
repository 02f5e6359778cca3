package envoy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Options says which Envoy to run, and how. Path and BootstrapJSON are required.
type Options struct {
	Path          string // of the binary: see Find
	BootstrapJSON []byte // must have an admin address: a port of loopback, 0 allowed, or a Unix socket

	// Admin is the admin interface's address: host:port, or the path of a Unix socket. Empty: Envoy is asked for it.
	Admin string

	// DrainTime bounds how long an Envoy that is asked to stop goes on serving while it sends its clients away. It
	// ends earlier when the last client has left. 0: it does not drain.
	DrainTime time.Duration
	// Linger is how long it goes on even when no client is left, so that whoever checks its health has the time to
	// see that it is leaving.
	Linger time.Duration

	Concurrency int      // worker threads; 0: one a processor
	LogLevel    string   // of Envoy: trace, debug, info, warning, error, critical, off; empty: warning
	ExtraArgs   []string // appended to the command line
	Stdout      io.Writer
	Stderr      io.Writer // Envoy's log; nil discards it

	Ready func() // called once, when Envoy takes traffic; may be nil, must not block
	// Alive is called every AliveEvery once Envoy is ready, as long as its main thread answers, also while it drains; may
	// be nil, must not block.
	Alive      func()
	AliveEvery time.Duration // 0: never

	Draining func(connections uint64) // called as the number of clients changes during a drain; may be nil, must not block
}

// ExitError is how an Envoy ended that nobody had asked to.
type ExitError struct {
	Code   int            // exit code; -1 if a signal ended it
	Signal syscall.Signal // 0 if it exited
}

// Error says how it ended.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return "envoy was ended by signal: " + e.Signal.String()
	}
	return fmt.Sprintf("envoy ended with exit code %d", e.Code)
}

// ExitCode is the exit code by which a supervisor sees what became of Envoy: its own, or 128 + the signal, as shells
// have it.
func (e *ExitError) ExitCode() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// Run runs Envoy until it ends or ctx does. When ctx ends, Envoy is drained and stopped, and Run returns nil; it does so
// too when Envoy was stopped by other means and exited with 0. If Envoy ends otherwise, the error is an *ExitError.
// Restarting it is left to the supervisor. No process is left over when Run returns; if this process is killed, the
// kernel stops Envoy (on Linux).
func Run(ctx context.Context, o Options) error {
	if err := executable(o.Path); err != nil {
		return fmt.Errorf("run envoy: %w", err)
	}
	dir, remove, err := Folder()
	if err != nil {
		return err
	}
	defer remove()
	config := filepath.Join(dir, "bootstrap.json")
	if err := os.WriteFile(config, o.BootstrapJSON, 0o600); err != nil {
		return fmt.Errorf("write envoy's bootstrap: %w", err)
	}
	addressFile := filepath.Join(dir, "admin")
	cmd := exec.Command(o.Path, o.args(config, addressFile)...)
	cmd.Stdout, cmd.Stderr = o.Stdout, o.Stderr
	c, err := start(cmd)
	if err != nil {
		return fmt.Errorf("start envoy %s: %w", o.Path, err)
	}
	a, err := c.awaitReady(ctx, o.Admin, addressFile)
	if err == nil {
		if o.Ready != nil {
			o.Ready()
		}
		served, end := context.WithCancel(context.WithoutCancel(ctx))
		var alive sync.WaitGroup
		alive.Go(func() { a.sayAlive(served, o) })
		select {
		case <-c.gone:
		case <-ctx.Done():
			c.drain(a, o)
		}
		end()
		alive.Wait()
	}
	return c.stop(ctx)
}

func (o Options) args(config, addressFile string) []string {
	level := o.LogLevel
	if level == "" {
		level = "warning"
	}
	args := []string{
		"--config-path", config,
		"--admin-address-path", addressFile,
		"--disable-hot-restart", // several Envoys on one machine would fight over its shared memory
		"--log-level", level,
		"--drain-strategy", "immediate",
		"--drain-time-s", strconv.Itoa(int(math.Ceil(max(o.DrainTime, time.Second).Seconds()))),
	}
	if o.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(o.Concurrency))
	}
	return append(args, o.ExtraArgs...)
}

// errEnded says that Envoy, or the context, ended before it was ready; stop tells which.
var errEnded = errors.New("ended before it was ready")

func (c *child) awaitReady(ctx context.Context, address, addressFile string) (*admin, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if address == "" {
			b, err := os.ReadFile(addressFile)
			if err == nil { // written at once when the interface is bound, empty for a moment
				address = string(bytes.TrimSpace(b))
			}
		}
		if a := newAdmin(address); address != "" && a.ready(ctx) {
			return a, nil
		}
		select {
		case <-c.gone:
			return nil, errEnded
		case <-ctx.Done():
			return nil, errEnded
		case <-tick.C:
		}
	}
}
