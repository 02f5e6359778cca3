package testenv

import (
	"bytes"
	"sync"
)

// Output collects what a process writes. Its zero value is ready; it is safe for concurrent use.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer; it never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string { return o.Tail(-1) }

// Tail is the last n bytes of what was written so far; all of it for a negative n.
func (o *Output) Tail(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.buf.Bytes()
	if n >= 0 && len(b) > n {
		b = b[len(b)-n:]
	}
	return string(b)
}
