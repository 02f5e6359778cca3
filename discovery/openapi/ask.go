package openapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const maxRedirects = 3

// client asks one endpoint, and nothing else: whatever a redirect names, its connections lead there.
type client struct {
	address  string // HOST:PORT
	headers  map[string]string
	deadline time.Duration
}

// found is an answer that holds a document, or says that it is the one that is known.
type found struct {
	path           string // that was answered for in the end
	body           []byte
	etag, modified string
	unchanged      bool
}

// silence is the error of an endpoint that could not be asked, or has no answer for anyone now.
type silence struct{ err error }

func (s *silence) Error() string { return s.err.Error() }
func (s *silence) Unwrap() error { return s.err }

// refusal is the error of an endpoint that answers, but not with a document.
type refusal struct{ status int }

func (r *refusal) Error() string {
	text := fmt.Sprintf("it answers %d %s", r.status, http.StatusText(r.status))
	if r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
		text += "; what it demands can be put into headers"
	}
	return text
}

func newClient(e gateway.Endpoint, headers map[string]string, deadline time.Duration) *client {
	return &client{address: net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port))), headers: headers, deadline: deadline}
}

func (c *client) url(path string) string { return "http://" + c.address + path }

// ask gets one path. known is what the endpoint is asked to compare with; its zero value is nothing.
func (c *client) ask(ctx context.Context, path string, known document) (found, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.deadline, fmt.Errorf("no whole answer within %s", c.deadline))
	defer cancel()
	got, err := c.get(ctx, path, known)
	if err == nil {
		return got, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = &silence{cause}
	}
	return found{}, fmt.Errorf("get %s: %w", c.url(path), err)
}

func (c *client) get(ctx context.Context, path string, known document) (found, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(path), http.NoBody)
	if err != nil {
		return found{}, err
	}
	c.fill(r, known)
	transport := &http.Transport{
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", c.address)
		},
	}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, CheckRedirect: c.redirect(r.Host)}).Do(r)
	if err != nil {
		if stray := (*strayError)(nil); errors.As(err, &stray) {
			return found{}, stray
		}
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err // it repeats the URL, which the caller adds
		}
		return found{}, &silence{err}
	}
	defer answer.Body.Close()
	return receive(answer, known)
}

// fill writes the headers of a request.
func (c *client) fill(r *http.Request, known document) {
	r.Header.Set("Accept", "application/json, application/yaml;q=0.9, */*;q=0.1")
	r.Header.Set("User-Agent", "sluice")
	for name, text := range c.headers {
		if strings.EqualFold(name, "host") {
			r.Host = text
			continue
		}
		r.Header.Set(name, text)
	}
	if known.etag != "" {
		r.Header.Set("If-None-Match", known.etag)
	}
	if known.modified != "" {
		r.Header.Set("If-Modified-Since", known.modified)
	}
}

// strayError is the error of a redirect that is not followed.
type strayError struct{ to string }

func (s *strayError) Error() string {
	return fmt.Sprintf("it redirects to %.200s, and only redirects to other paths of the endpoint are followed", s.to)
}

// redirect follows what stays at the endpoint, under its address or the name that it was asked for.
func (c *client) redirect(host string) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		here := next.URL.Host == c.address || host != "" && strings.EqualFold(next.URL.Host, host)
		if next.URL.Scheme != "http" || !here || next.URL.User != nil {
			return &strayError{next.URL.Redacted()}
		}
		if len(via) > maxRedirects {
			return &strayError{"one path after the other"}
		}
		return nil
	}
}

// receive reads an answer, no more of it than a document may have.
func receive(answer *http.Response, known document) (found, error) {
	got := found{
		path: answer.Request.URL.Path, etag: answer.Header.Get("ETag"), modified: answer.Header.Get("Last-Modified"),
	}
	switch status := answer.StatusCode; {
	case status == http.StatusNotModified && (known.etag != "" || known.modified != ""):
		got.unchanged = true
		return got, nil
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway, status == http.StatusServiceUnavailable,
		status == http.StatusGatewayTimeout:
		return found{}, &silence{&refusal{status}}
	case status != http.StatusOK:
		return found{}, &refusal{status}
	case answer.ContentLength > maxDocument:
		return found{}, fmt.Errorf("the document has %d bytes, and %d MiB are read at most", answer.ContentLength, maxDocument>>20)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return found{}, &silence{fmt.Errorf("read the document: %w", err)}
	}
	if len(body) > maxDocument {
		return found{}, fmt.Errorf("the document is larger than %d MiB", maxDocument>>20)
	}
	got.body = body
	return got, nil
}
