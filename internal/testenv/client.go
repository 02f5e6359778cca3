package testenv

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// oneConnection is a client with at most one connection at a time, which it keeps alive. Redirects are answers.
func oneConnection(dialed *atomic.Int64, timeout time.Duration) (client *http.Client, done func()) {
	transport := &http.Transport{
		MaxConnsPerHost:     1,
		MaxIdleConnsPerHost: 1,
		DisableCompression:  true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed.Add(1)
			return (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, address)
		},
	}
	client = &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, transport.CloseIdleConnections
}
