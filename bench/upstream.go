package main

import (
	"bytes"
	"net"
)

// upstreamAnswer is 1 KB of body, ready made.
var upstreamAnswer = append([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"), bytes.Repeat([]byte("x"), 1024)...)

// serveUpstream answers every request without a body, on every connection, with the same bytes.
func serveUpstream(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go answerAll(c)
	}
}

func answerAll(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 0, 16<<10)
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		for {
			end := bytes.Index(buf, []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			buf = buf[:copy(buf, buf[end+4:])]
			if _, err := c.Write(upstreamAnswer); err != nil {
				return
			}
		}
		if len(buf) == cap(buf) {
			return // a request of this size is not ours
		}
	}
}
