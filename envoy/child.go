package envoy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a started process.
type child struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
	err  error         // of its end; read after gone
}

// start starts a process in a group of its own: a Ctrl-C in the terminal is for the parent, which drains the child
// before it stops it.
func start(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = attributes()
	c := &child{cmd: cmd, gone: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent-death signal follows the thread that started the child, so that thread has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.gone)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// ended says whether the process is gone.
func (c *child) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// stop makes sure that the process is gone and says how it ended. What ends after ctx was asked to, and is fine.
func (c *child) stop(ctx context.Context) error {
	if c.ended() {
		return c.how()
	}
	if ctx.Err() == nil {
		return fmt.Errorf("envoy runs but is not ready")
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	patience := time.NewTimer(10 * time.Second)
	defer patience.Stop()
	select {
	case <-c.gone:
	case <-patience.C:
		_ = c.cmd.Process.Kill()
		<-c.gone
		return fmt.Errorf("envoy did not end within 10s of SIGTERM and was killed")
	}
	return nil
}

func (c *child) how() error {
	if c.err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(c.err, &exit) {
		return fmt.Errorf("wait for envoy: %w", c.err)
	}
	e := &ExitError{Code: exit.ExitCode()}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal()
	}
	return e
}
