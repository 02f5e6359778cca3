package main

import (
	"bytes"
	"fmt"
	"net"
)

// upstreamAnswer is 1 KB of body, ready made.
var upstreamAnswer = answerOf("text/plain", bytes.Repeat([]byte("x"), 1024))

// answerOf is the bytes of a 200 with a body.
func answerOf(contentType string, body []byte) []byte {
	return append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, len(body)), body...)
}

// serveUpstream answers every request without a body, on every connection, with the same bytes.
func serveUpstream(l net.Listener, answer []byte) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go answerAll(c, answer)
	}
}

func answerAll(c net.Conn, answer []byte) {
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
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
		if len(buf) == cap(buf) {
			return // a request of this size is not ours
		}
	}
}
