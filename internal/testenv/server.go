package testenv

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/fault"
)

// server is a process that starts others: all of them end together.
type server struct {
	fault.Process

	name string
	log  *Output
	done chan struct{} // closed when the process is gone
	err  error         // of its end; read after done
}

// startServer starts a process whose output goes to log. Whoever starts it calls kill.
func startServer(t testing.TB, name string, cmd *exec.Cmd, log *Output) *server {
	t.Helper()
	s := &server{name: name, log: log, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 5 * time.Second // a child of it may keep the output open
	leadGroup(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	s.Process = fault.Process(cmd.Process.Pid)
	go func() {
		s.err = cmd.Wait()
		s.killGroup()
		close(s.done)
	}()
	return s
}

// kill ends the process and what it started at once, and waits until it is gone. Killing it twice is fine.
func (s *server) kill() {
	select {
	case <-s.done:
	default:
		s.killGroup()
		<-s.done
	}
}

func (s *server) killGroup() { _ = syscall.Kill(-int(s.Process), syscall.SIGKILL) } // an empty group is an error

// alive is nil, or says how the process ended.
func (s *server) alive() error {
	select {
	case <-s.done:
		err := s.err
		if err == nil {
			err = errors.New("exit code 0")
		}
		return fmt.Errorf("%s ended: %w\n%s", s.name, err, s.log.Tail(4<<10))
	default:
		return nil
	}
}
