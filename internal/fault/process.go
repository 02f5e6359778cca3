// Package fault breaks what a test runs against, and mends it again: processes are frozen and killed, connections are
// cut, frozen and swallowed.
package fault

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a process that a test started, by its id. Its methods are safe for concurrent use; each fails when the
// process is gone.
type Process int

// Freeze stops the process where it is (SIGSTOP): its connections stay open and nobody answers. It returns when every
// thread has stopped, on Linux; elsewhere the process may answer for another moment.
func (p Process) Freeze() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.runs() {
		select {
		case <-deadline.C:
			return fmt.Errorf("freeze process %d: it still runs", int(p))
		case <-tick.C:
		}
	}
	return nil
}

// runs says whether a thread of the process has not stopped yet; false where the system does not say.
func (p Process) runs() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", int(p)))
	if err != nil {
		return false
	}
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // it has ended
		}
		// The state stands behind the name, which may hold anything: 12 (name) T 1 ...
		state, ok := bytes.CutPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
		if ok && len(state) > 0 && !bytes.ContainsRune([]byte("TtZX"), rune(state[0])) {
			return true
		}
	}
	return false
}

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
