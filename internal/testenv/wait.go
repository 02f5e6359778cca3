package testenv

import (
	"testing"
	"time"
)

// Eventually calls check until it returns nil, and fails the test with its last error when that takes longer than
// within. It asks every 10 ms, and more seldom what takes long to answer.
func Eventually(t testing.TB, within time.Duration, check func() error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			if err := check(); err != nil {
				t.Fatalf("not so within %s: %v", within, err)
			}
			return
		case <-tick.C:
		}
	}
}
