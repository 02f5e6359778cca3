// Package fault breaks what a test runs against, and mends it again: processes are frozen and killed, connections are
// cut, frozen and swallowed.
package fault

import (
	"fmt"
	"syscall"
)

// Process is a process that a test started, by its id. Its methods are safe for concurrent use; each fails when the
// process is gone.
type Process int

// Freeze stops the process where it is (SIGSTOP): its connections stay open and nobody answers.
func (p Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on (SIGCONT).
func (p Process) Thaw() error { return p.signal(syscall.SIGCONT) }

// Kill ends the process at once (SIGKILL), also a frozen one. It does not wait; whoever started it does.
func (p Process) Kill() error { return p.signal(syscall.SIGKILL) }

// Terminate asks the process to end (SIGTERM).
func (p Process) Terminate() error { return p.signal(syscall.SIGTERM) }

func (p Process) signal(s syscall.Signal) error {
	if p <= 1 {
		return fmt.Errorf("signal process %d: no process of a test", int(p))
	}
	if err := syscall.Kill(int(p), s); err != nil {
		return fmt.Errorf("send %s to process %d: %w", s, int(p), err)
	}
	return nil
}
