package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of what a server may send.
const (
	maxPage   = 64 << 20
	maxLine   = 4 << 20 // etcd keeps no object of more than 1.5 MiB
	maxStatus = 64 << 10
)

// Client asks one cluster. It is safe for concurrent use.
type Client struct {
	Name string // of the connection

	cfg  Config
	http *http.Client
}

// New makes a client. It asks nobody; an error is a configuration that cannot work. The caller closes it.
func New(cfg Config) (*Client, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	c := &Client{Name: cfg.Name, cfg: cfg}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 4,
	}
	// The files are read at each handshake. Through a proxy they count as they stand now.
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		a, err := c.cfg.access()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", addr, err)
		}
		secure, err := a.secure(host)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		return (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, network, addr)
	}
	if a, err := cfg.access(); err == nil {
		if secure, err := a.secure(a.server.Hostname()); err == nil {
			t.TLSClientConfig = secure
		}
	}
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Close ends connections that nobody uses. It does not wait.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// namespace is the connection's own.
func (c *Client) namespace() string {
	if a, err := c.cfg.access(); err == nil && a.namespace != "" {
		return a.namespace
	}
	return "default"
}

// request makes one call. The answer's body is the caller's to close. An answer that is not good is an *apiError.
func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	a, err := c.cfg.access()
	if err != nil {
		return nil, err
	}
	to := *a.server
	to.Path = strings.TrimRight(to.Path, "/") + path
	to.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("make the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sluice")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%s: %w", a.server.Host, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxStatus)) // half of it is better than nothing
	said := parseStatus(text, res.StatusCode)
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
		said.after = time.Duration(n) * time.Second
	}
	return nil, said
}

// call makes one call with a deadline, and reads its whole answer.
func (c *Client) call(ctx context.Context, timeout time.Duration, method, path string, query url.Values, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no whole answer within %s", timeout))
	defer cancel()
	res, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, late(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil {
		return nil, late(ctx, fmt.Errorf("read the answer: %w", err))
	}
	if len(text) > maxPage {
		return nil, fmt.Errorf("the answer is larger than %d MiB", maxPage>>20)
	}
	return text, nil
}

// late puts before an error that a deadline has passed, if one has.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// question is what to list, or to watch from a version on.
type question struct {
	namespace string // empty: the connection's own; "*": all
	wanted    selection
	limit     int
	next      string
	version   string
	lasting   time.Duration
}

func (c *Client) at(q question) (path string, query url.Values) {
	path = "/apis/" + groupVersion + "/endpointslices"
	if q.namespace != "*" {
		namespace := q.namespace
		if namespace == "" {
			namespace = c.namespace()
		}
		path = "/apis/" + groupVersion + "/namespaces/" + url.PathEscape(namespace) + "/endpointslices"
	}
	query = url.Values{"labelSelector": {serviceLabel}}
	if q.wanted != nil {
		query.Set("labelSelector", serviceLabel+" in ("+strings.Join(q.wanted, ",")+")")
	}
	return path, query
}

// page reads one page of a list.
func (c *Client) page(ctx context.Context, q question, timeout time.Duration) (page, error) {
	path, query := c.at(q)
	if q.limit > 0 {
		query.Set("limit", strconv.Itoa(q.limit))
	}
	if q.next != "" {
		query.Set("continue", q.next)
	}
	text, err := c.call(ctx, timeout, http.MethodGet, path, query, nil)
	if err != nil {
		return page{}, fmt.Errorf("list endpointslices: %w", err)
	}
	p, err := parsePage(text)
	if err != nil {
		return page{}, fmt.Errorf("list endpointslices: %w", err)
	}
	return p, nil
}

// apiError is a refusal of the server.
type apiError struct {
	code    int
	reason  string
	message string
	after   time.Duration // for which the server wants to be left alone
}

// Error is the status with the server's words.
func (e *apiError) Error() string {
	text := strings.TrimSpace(strconv.Itoa(e.code) + " " + http.StatusText(e.code))
	if e.message == "" {
		return text
	}
	return text + ": " + e.message
}

// gone says that a version, or a continuation, is not kept any more.
func (e *apiError) gone() bool {
	return e.code == http.StatusGone || e.reason == "Gone" || e.reason == "Expired"
}

// parseStatus reads a Status object; of what is none, only the code counts.
func parseStatus(text []byte, code int) *apiError {
	var raw struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Reason  string `json:"reason"`
		Code    int    `json:"code"`
		Details struct {
			RetryAfterSeconds int `json:"retryAfterSeconds"`
		} `json:"details"`
	}
	e := &apiError{code: code}
	if json.Unmarshal(text, &raw) == nil && raw.Kind == "Status" {
		e.reason, e.message = raw.Reason, raw.Message
		if len(e.message) > 300 {
			e.message = e.message[:300] + "…"
		}
		if code == 0 {
			e.code = raw.Code
		}
		if s := raw.Details.RetryAfterSeconds; s > 0 && s < 3600 {
			e.after = time.Duration(s) * time.Second
		}
	}
	return e
}
