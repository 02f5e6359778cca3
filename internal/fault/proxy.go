package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Mode is what a Proxy does with connections, those that are open and those that come.
type Mode uint8

// The modes. A new proxy passes.
const (
	Pass    Mode = iota // bytes go through
	Cut                 // open connections are reset, new ones are closed as soon as they come
	Freeze              // connections stay open and come into being, and no byte moves; it is kept for later
	Swallow             // as Freeze, but what arrives is read and thrown away, as behind a broken link
)

// Proxy stands between a client and a server over TCP, and breaks what is between them. It is safe for concurrent use.
type Proxy struct {
	Address string // where it listens, host:port of loopback

	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	mode    Mode
	changed chan struct{} // closed at each change of mode
	open    map[net.Conn]struct{}
	closed  bool
}

// NewProxy listens on a free port of loopback and passes connections on to target until the end of the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for a proxy to %s: %v", target, err)
	}
	p := &Proxy{
		Address: l.Addr().String(), target: target, listener: l,
		changed: make(chan struct{}), open: map[net.Conn]struct{}{},
	}
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Set changes the mode at once, for open connections too.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	p.announce()
	if m == Cut {
		p.resetAll()
	}
}

// Connections is the number of connections that clients have open through the proxy.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (len(p.open) + 1) / 2
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.announce()
	p.resetAll()
	p.mu.Unlock()
	_ = p.listener.Close()
	p.work.Wait()
}

func (p *Proxy) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) resetAll() {
	for c := range p.open {
		reset(c)
	}
}

// reset closes with RST rather than FIN, as a crashed peer would.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // an error leaves a plain close, which cuts as well
	}
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if !p.add(c) {
			reset(c)
			continue
		}
		p.work.Go(func() { p.serve(c) })
	}
}

// add registers a connection, and says whether the mode lets it live.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode == Cut {
		return false
	}
	p.open[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close() // closed already where it was cut
}

func (p *Proxy) serve(client net.Conn) {
	defer p.remove(client)
	if p.await() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	if !p.add(server) {
		reset(server)
		return
	}
	defer p.remove(server)
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	both.Go(func() { p.copy(client, server) })
	both.Wait()
}

var errClosed = errors.New("proxy is closed")

// await returns once bytes may be moved or thrown away.
func (p *Proxy) await() error {
	for {
		p.mu.Lock()
		mode, changed, closed := p.mode, p.changed, p.closed
		p.mu.Unlock()
		switch {
		case closed:
			return errClosed
		case mode != Freeze:
			return nil
		}
		<-changed
	}
}

func (p *Proxy) swallows() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode == Swallow
}

// copy moves bytes until either side ends, and then ends the other as it was ended.
func (p *Proxy) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if p.await() != nil {
			return
		}
		if n > 0 && !p.swallows() {
			if _, err := to.Write(buf[:n]); err != nil {
				reset(from)
				return
			}
		}
		if err != nil {
			end(to, err)
			return
		}
	}
}

func end(to net.Conn, err error) {
	if t, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
		_ = t.CloseWrite() // the other direction goes on
		return
	}
	reset(to)
}

// String names the mode for test output.
func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m]
	}
	return fmt.Sprintf("mode %d", m)
}

var modes = [...]string{"pass", "cut", "freeze", "swallow"}
