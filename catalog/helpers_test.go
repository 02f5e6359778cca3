package catalog_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"
)

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// countConnections counts rows of /proc/net/tcp whose remote address is `to` and that are established.
func countConnections(table, to string) int {
	n := 0
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 3 && f[2] == to && f[3] == "01" {
			n++
		}
	}
	return n
}

// lockedLog keeps what a logger writes.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
