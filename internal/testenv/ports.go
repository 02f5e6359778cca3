package testenv

import (
	"net"
	"strconv"
	"testing"
)

// FreePort returns a TCP port of loopback that was free a moment ago. Prefer port 0 wherever the program that listens
// can say what it got.
func FreePort(t testing.TB) int {
	t.Helper()
	return FreePorts(t, 1)[0]
}

// FreePorts returns n different TCP ports of loopback that were free a moment ago.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("ask the kernel for a port: %v", err)
		}
		defer l.Close() // all stay open until the last is known, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// Unused returns an address of loopback, host:port, at which nothing listens.
func Unused(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}
