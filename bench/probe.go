package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollPause is how long a prober rests between two requests.
const pollPause = 300 * time.Microsecond

// patience is how long a change may take before it counts as lost.
const patience = 3 * time.Second

// prober is a client with one keep-alive connection. It blocks a thread of its own instead of going through Go's poller,
// whose shortest sleep is a millisecond.
type prober struct {
	addr string
	fd   int
	buf  []byte

	forgiving bool // a closed connection is opened again, and is no error
}

// errLost says that a change was not served in time.
var errLost = errors.New("not served within " + patience.String())

func newProber(addr string) *prober { return &prober{addr: addr, fd: -1, buf: make([]byte, 0, 64<<10)} }

func (p *prober) dial() error {
	a, err := net.ResolveTCPAddr("tcp4", p.addr)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	wait := syscall.NsecToTimeval(int64(patience))
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}); err != nil {
		_ = syscall.Close(fd)
		return fmt.Errorf("connect to %s: %w", p.addr, err)
	}
	p.fd = fd
	return nil
}

func (p *prober) close() {
	if p.fd >= 0 {
		_ = syscall.Close(p.fd)
		p.fd = -1
	}
}

// request is the bytes of a GET.
func request(host, path string, headers ...string) []byte {
	lines := append([]string{"GET " + path + " HTTP/1.1", "Host: " + host, "User-Agent: bench"}, headers...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// get sends a request on the open connection and returns the status. An error closes the connection.
func (p *prober) get(req []byte) (status int, err error) {
	if p.fd < 0 {
		if err := p.dial(); err != nil {
			return 0, err
		}
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if _, err := syscall.Write(p.fd, req); err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	p.buf = p.buf[:0]
	for {
		n, err := syscall.Read(p.fd, p.buf[len(p.buf):cap(p.buf)])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("receive: %w", err)
		}
		if n == 0 {
			return 0, fmt.Errorf("receive: %w", io.ErrUnexpectedEOF)
		}
		p.buf = p.buf[:len(p.buf)+n]
		status, size, err := parseAnswer(p.buf)
		if err != nil {
			return 0, err
		}
		if size > 0 && len(p.buf) >= size {
			return status, nil
		}
	}
}

// parseAnswer returns the status and the size of the answer at the beginning of b; size 0: more is to come.
func parseAnswer(b []byte) (status, size int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, nil
	}
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		return 0, 0, errors.New("receive: not an HTTP answer")
	}
	if status, err = strconv.Atoi(string(b[9:12])); err != nil {
		return 0, 0, errors.New("receive: not an HTTP answer")
	}
	const field = "\r\ncontent-length: "
	length := 0
	if i := bytes.Index(bytes.ToLower(b[:end+2]), []byte(field)); i >= 0 {
		rest := b[i+len(field):]
		if length, err = strconv.Atoi(string(rest[:bytes.IndexByte(rest, '\r')])); err != nil {
			return 0, 0, errors.New("receive: a length that is no number")
		}
	} else if bytes.Contains(bytes.ToLower(b[:end]), []byte("transfer-encoding")) {
		const last = "\r\n0\r\n\r\n" // nothing comes after it: requests are sent one at a time
		if !bytes.HasSuffix(b[end+2:], []byte(last)) {
			return 0, 0, nil
		}
		return status, len(b), nil
	}
	return status, end + 4 + length, nil
}

// until asks until the status is as wanted, and returns when the first such answer had arrived.
func (p *prober) until(req []byte, want func(status int) bool) (time.Time, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rest := syscall.NsecToTimespec(int64(pollPause))
	for deadline := time.Now().Add(patience); ; {
		status, err := p.get(req)
		now := time.Now()
		if err != nil && !p.forgiving {
			return now, err
		}
		if err == nil && want(status) {
			return now, nil
		}
		if now.After(deadline) {
			return now, errLost
		}
		_ = syscall.Nanosleep(&rest, nil)
	}
}

// change makes a change and returns how long it took from just before it until an answer was as wanted.
func (p *prober) change(apply func() error, req []byte, want func(int) bool) (time.Duration, error) {
	if _, err := p.get(req); err != nil && !p.forgiving { // the connection is open and warm
		return 0, err
	}
	start := time.Now()
	if err := apply(); err != nil {
		return 0, err
	}
	at, err := p.until(req, want)
	return at.Sub(start), err
}

func is(status int) func(int) bool { return func(s int) bool { return s == status } }
