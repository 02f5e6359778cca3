package docker

import (
	"bufio"
	"context"
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

// Bounds of what an engine may send.
const (
	maxAnswer = 64 << 20
	maxLine   = 1 << 20
	maxWords  = 64 << 10
)

// newest is the version of the API that this is written for. Older engines are asked by theirs.
const newest = "1.44"

// Client asks one engine. It is safe for concurrent use.
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
	network, address := cfg.dial()
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	t := &http.Transport{IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second}
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
	if cfg.Secure {
		secure := cfg.TLS.Dial(dialer)
		t.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return secure(ctx, network, address) }
	}
	return &Client{Name: cfg.Name, cfg: cfg, http: &http.Client{
		Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends connections that nobody uses. It does not wait.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// apiError is a refusal of the engine.
type apiError struct {
	code    int
	message string
}

// Error is the status with the engine's words.
func (e *apiError) Error() string {
	text := strings.TrimSpace(strconv.Itoa(e.code) + " " + http.StatusText(e.code))
	if e.message == "" {
		return text
	}
	return text + ": " + e.message
}

// get makes one call. The answer's body is the caller's to close. An answer that is not good is an *apiError.
func (c *Client) get(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	to := url.URL{Scheme: "http", Host: "docker", Path: path, RawQuery: query.Encode()}
	if c.cfg.Secure {
		to.Scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("User-Agent", "sluice")
	res, err := c.http.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%s: %w", c.cfg, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxWords)) // half of it is better than nothing
	var raw struct {
		Message string `json:"message"`
	}
	e := &apiError{code: res.StatusCode}
	if json.Unmarshal(text, &raw) == nil {
		e.message = raw.Message[:min(len(raw.Message), 300)]
	}
	return nil, e
}

// call makes one call with a deadline, and reads its whole answer.
func (c *Client) call(ctx context.Context, timeout time.Duration, path string, query url.Values) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no whole answer within %s", timeout))
	defer cancel()
	res, err := c.get(ctx, path, query)
	if err != nil {
		return nil, nil, late(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, late(ctx, fmt.Errorf("read the answer: %w", err))
	}
	if len(text) > maxAnswer {
		return nil, nil, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)
	}
	return text, res.Header, nil
}

// late puts before an error that a deadline has passed, if one has.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// version is the one to ask by: the engine's, but none newer than is known.
func (c *Client) version(ctx context.Context, timeout time.Duration) (string, error) {
	_, head, err := c.call(ctx, timeout, "/_ping", nil)
	if err != nil {
		return "", fmt.Errorf("reach the engine: %w", err)
	}
	has := head.Get("Api-Version")
	if has == "" {
		return "", errors.New("reach the engine: what answers there is none")
	}
	if older(has, newest) {
		return has, nil
	}
	return newest, nil
}

// older compares versions such as 1.24. What cannot be read is not older.
func older(a, b string) bool {
	var major, minor, otherMajor, otherMinor int
	if _, err := fmt.Sscanf(a, "%d.%d", &major, &minor); err != nil {
		return false
	}
	if _, err := fmt.Sscanf(b, "%d.%d", &otherMajor, &otherMinor); err != nil {
		return false
	}
	return major < otherMajor || major == otherMajor && minor < otherMinor
}

// list is all containers that run, paused ones too.
func (c *Client) list(ctx context.Context, version string, timeout time.Duration) ([]*container, error) {
	text, _, err := c.call(ctx, timeout, "/v"+version+"/containers/json", nil)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	list, err := parseList(text)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return list, nil
}

// happening is one event.
type happening struct {
	Type   string `json:"Type"`
	Action string `json:"Action"`
	Actor  struct {
		ID         string            `json:"ID"`
		Attributes map[string]string `json:"Attributes"`
	} `json:"Actor"`
}

// interesting are the events that can change an endpoint. What health checks run in containers is not among them.
var interesting = []string{
	"start", "die", "stop", "kill", "pause", "unpause", "rename", "update", "destroy", "restart", "health_status", "connect", "disconnect",
}

// events opens the stream of events, says so, and reads it until it ends. The error is never nil.
func (c *Client) events(ctx context.Context, version string, timeout time.Duration, opened func(), say func(happening)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	filters, err := json.Marshal(map[string][]string{"type": {"container", "network"}, "event": interesting})
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	tooLate := time.AfterFunc(timeout, func() { cancel(fmt.Errorf("no answer within %s", timeout)) })
	res, err := c.get(ctx, "/v"+version+"/events", url.Values{"filters": {string(filters)}})
	if !tooLate.Stop() {
		<-ctx.Done()
	}
	if err != nil {
		return fmt.Errorf("read events: %w", late(ctx, err))
	}
	defer res.Body.Close()
	opened()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var h happening
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			return fmt.Errorf("read events: what came is none: %w", err)
		}
		say(h)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read events: the stream broke: %w", err)
	}
	return errors.New("read events: the engine ended the stream")
}
