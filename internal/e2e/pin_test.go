package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// pin gives one of several Envoys on one machine an address of its own. They all listen on the port that the gateway's
// document says, and the kernel hands each connection to any of them; so a pin connects until it has the right one.
type pin struct {
	addr string // host:port of loopback
	port int    // that all Envoys listen on
	to   func() int

	listener net.Listener
	work     sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{}
}

// newPin passes connections on to the process that to names at that moment.
func newPin(t testing.TB, port int, to func() int) *pin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for a pin: %v", err)
	}
	p := &pin{addr: l.Addr().String(), port: port, to: to, listener: l, open: map[net.Conn]struct{}{}}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.work.Wait()
	})
	return p
}

func (p *pin) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

func (p *pin) serve(client *net.TCPConn) {
	defer p.track(client)()
	server, err := p.dial()
	if err != nil {
		_ = client.SetLinger(0) // refused, as the Envoy itself would
		return
	}
	defer p.track(server)()
	var half sync.WaitGroup
	half.Go(func() { pipe(server, client) })
	half.Go(func() { pipe(client, server) })
	half.Wait()
}

func (p *pin) track(c net.Conn) (done func()) {
	p.mu.Lock()
	p.open[c] = struct{}{}
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
		_ = c.Close()
	}
}

// pipe copies until the end and passes the end on: a half close as such, anything else as a reset.
func pipe(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.SetLinger(0)
		_ = to.Close()
		_ = from.Close()
		return
	}
	_ = to.CloseWrite()
}

// dial connects until the process has accepted.
func (p *pin) dial() (*net.TCPConn, error) {
	for range 200 {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.port), 5*time.Second)
		if err != nil {
			return nil, err
		}
		if p.accepted(c, p.to()) {
			return c.(*net.TCPConn), nil
		}
		_ = c.Close()
	}
	return nil, errors.New("the process does not accept")
}

// accepted says whether a process has accepted the other end of a connection. It gives the acceptor a moment.
func (p *pin) accepted(c net.Conn, pid int) bool {
	from := c.LocalAddr().(*net.TCPAddr).Port
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		inode, err := socketInode(p.port, from)
		if err != nil {
			return false
		}
		if inode == "" { // not accepted yet
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // nobody speaks before the client does
			_, err := c.Read(make([]byte, 1))
			var slow net.Error
			if !errors.As(err, &slow) || !slow.Timeout() {
				return false
			}
			_ = c.SetReadDeadline(time.Time{})
			continue
		}
		return owns(pid, inode)
	}
	return false
}

// socketInode finds the socket of an accepted connection by its two ports; empty while nobody has accepted it.
func socketInode(local, remote int) (string, error) {
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return "", err
	}
	here, there := fmt.Sprintf(":%04X", local), fmt.Sprintf(":%04X", remote)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], here) && strings.HasSuffix(f[2], there) && f[9] != "0" {
			return f[9], nil
		}
	}
	return "", nil
}

func owns(pid int, inode string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// childOf is the one process that another has started; 0 while it has none.
func childOf(pid int) int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		if f := strings.Fields(string(b)); len(f) > 0 {
			n, _ := strconv.Atoi(f[0])
			return n
		}
	}
	return 0
}
