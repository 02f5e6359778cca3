package fault

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers every line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

type peer struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, address string) peer {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return peer{c, bufio.NewReader(c)}
}

// ask sends a line and waits for it to come back.
func (p peer) ask(line string, within time.Duration) error {
	if line != "" {
		if _, err := io.WriteString(p, line+"\n"); err != nil {
			return err
		}
	}
	p.SetReadDeadline(time.Now().Add(within))
	_, err := p.lines.ReadString('\n')
	return err
}

func TestProxy(t *testing.T) {
	p := NewProxy(t, echo(t))
	c := dial(t, p.Address)
	if err := c.ask("one", 5*time.Second); err != nil {
		t.Fatal("pass:", err)
	}
	p.Set(Freeze)
	if err := c.ask("two", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("freeze:", err)
	}
	p.Set(Pass)
	if err := c.ask("", 5*time.Second); err != nil {
		t.Fatal("what was frozen did not arrive later:", err)
	}
	p.Set(Swallow)
	if err := c.ask("three", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("swallow:", err)
	}
	p.Set(Pass)
	if err := c.ask("", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("what was swallowed arrived later:", err)
	}
	p.Set(Cut)
	if err := c.ask("four", 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("cut:", err)
	}
	if fresh, err := net.Dial("tcp", p.Address); err == nil { // it may be reset as early as that
		err := peer{fresh, bufio.NewReader(fresh)}.ask("five", 5*time.Second)
		fresh.Close()
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("cut, new connection:", err)
		}
	}
	p.Set(Pass)
	if err := dial(t, p.Address).ask("six", 5*time.Second); err != nil {
		t.Fatal("pass again:", err)
	}
}

func TestProcess(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := Process(cmd.Process.Pid)
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if p.runs() {
		t.Error("it is frozen and runs")
	}
	io.WriteString(in, "x\n")
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "x\n" {
		t.Fatal(line, err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if err := Process(0).Kill(); err == nil {
		t.Error("the whole process group was killed")
	}
}
