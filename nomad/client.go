package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/api"
	"golang.org/x/time/rate"
)

// Client is one Nomad. All sources of one connection share it, its connections, its streams and its token. It is safe
// for concurrent use.
type Client struct {
	Name string // of the connection

	cfg    Config
	pace   pace
	api    *api.Client
	rt     *transport
	log    hclog.Logger
	slots  chan struct{} // one for each connection that may wait in Nomad
	budget *rate.Limiter // of reads of single services and of checks

	mu    sync.Mutex
	feeds map[scope]*feed
	local string // the region of the agent, once known
}

// scope is what one stream covers.
type scope struct{ region, namespace string }

func (s scope) String() string {
	if s.region == "" {
		return "namespace " + s.namespace
	}
	return "namespace " + s.namespace + " of region " + s.region
}

const (
	readsPerSecond = 1000 // of single services and of checks; a start with many services is spread
	readsAtOnce    = 8
)

// New makes a client of cfg, completed from the environment. It sends nothing; an error is a configuration that cannot
// work.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.WithEnv(nil)
	if err != nil {
		return nil, err
	}
	return newClient(cfg)
}

func newClient(cfg Config) (*Client, error) {
	rt := newTransport(cfg)
	inner := &api.Config{
		Address: "http://127.0.0.1:4646", // the transport decides where a request goes, and with which token
		HttpClient: &http.Client{
			Transport:     rt,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if user, password, _ := strings.Cut(cfg.HTTPAuth, ":"); user != "" {
		inner.HttpAuth = &api.HttpBasicAuth{Username: user, Password: password}
	}
	client, err := api.NewClient(inner)
	if err != nil {
		return nil, fmt.Errorf("make nomad client: %w", err)
	}
	return &Client{
		Name: cfg.Name, cfg: cfg, pace: cfg.pace, api: client, rt: rt, log: cfg.Logger,
		slots: make(chan struct{}, streamSlots), budget: rate.NewLimiter(readsPerSecond, readsPerSecond/10),
		feeds: map[scope]*feed{},
	}, nil
}

// Close drops idle connections. Streams end with the sources that want them.
func (c *Client) Close() { c.rt.closeIdle() }

// scope is what a source's block means for this connection.
func (c *Client) scope(s *Spec) scope {
	out := scope{region: s.Region, namespace: s.Namespace}
	if out.region == "" {
		out.region = c.cfg.Region
	}
	if out.namespace == "" {
		out.namespace = c.cfg.Namespace
	}
	return out
}

var (
	errNoIndex  = errors.New("the answer has no index, so that it proves nothing: the token may not read it, or something between changed it")
	errNoLeader = errors.New("nomad has no leader, so that its answer proves nothing")
)

// proof says whether an answer can be believed. Nomad answers a token that may read no namespace with an empty list.
func proof(meta *api.QueryMeta) error {
	switch {
	case meta.LastIndex == 0:
		return errNoIndex
	case !meta.KnownLeader:
		return errNoLeader
	}
	return nil
}

func (*Client) options(ctx context.Context, at scope) *api.QueryOptions {
	return (&api.QueryOptions{Region: at.region, Namespace: at.namespace}).WithContext(ctx)
}

// within bounds one call that does not wait.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.pace.call, fmt.Errorf("no answer within %s", c.pace.call))
}

// listed is what a list of services says: their names with all tags that their instances have.
type listed struct {
	index uint64
	tags  map[string][]string
}

// list asks for the services of a namespace. With an index it waits in Nomad until there is a newer one, or for as long
// as it is told.
func (c *Client) list(ctx context.Context, at scope, index uint64, wait time.Duration) (listed, error) {
	limit := c.pace.call
	if index > 0 {
		limit += wait + wait/16
		ctx = waiting(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	q := c.options(ctx, at)
	if index > 0 {
		q.WaitIndex, q.WaitTime = index, max(wait, time.Millisecond)
	}
	rows, meta, err := c.api.Services().List(q)
	if err == nil {
		err = proof(meta)
	}
	if err != nil {
		return listed{}, fmt.Errorf("list services of %s: %w", at, plain(ctx, err, "read-job", at))
	}
	out := listed{index: meta.LastIndex, tags: map[string][]string{}}
	for _, ns := range rows {
		if ns.Namespace != at.namespace {
			continue
		}
		for _, s := range ns.Services {
			out.tags[s.ServiceName] = s.Tags
		}
	}
	return out, nil
}

// instances reads one service.
func (c *Client) instances(ctx context.Context, at scope, name string) (uint64, []*api.ServiceRegistration, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	rows, meta, err := c.api.Services().Get(name, c.options(ctx, at))
	if err == nil {
		err = proof(meta)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read service %s of %s: %w", name, at, plain(ctx, err, "read-job", at))
	}
	return meta.LastIndex, rows, nil
}

// checks reads what the checks of an allocation say.
func (c *Client) checks(ctx context.Context, at scope, alloc string) (api.AllocCheckStatuses, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	all, err := c.api.Allocations().Checks(alloc, c.options(ctx, at))
	if err != nil {
		return nil, fmt.Errorf("read the checks of allocation %s: %w", alloc, plain(ctx, err, "read-job", at))
	}
	return all, nil
}

// region is the one that a scope means: it says so itself, or the agent knows just one. Otherwise it is "".
func (c *Client) region(ctx context.Context, at scope) (string, error) {
	if at.region != "" {
		return at.region, nil
	}
	c.mu.Lock()
	known := c.local
	c.mu.Unlock()
	if known != "" {
		return known, nil
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	var all []string
	if _, err := c.api.Raw().Query("/v1/regions", &all, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return "", fmt.Errorf("list regions: %w", plain(ctx, err, "", at))
	}
	if len(all) != 1 {
		return "", nil
	}
	c.mu.Lock()
	c.local = all[0]
	c.mu.Unlock()
	return all[0], nil
}

// plain makes an error short, and says what to do about it. capability is what the call needs.
func plain(ctx context.Context, err error, capability string, at scope) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err // the URL is not the one that was asked: the transport has chosen that
	}
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) || !answer.HasStatusCode() {
		return err
	}
	said := strings.Join(strings.Fields(answer.Body()), " ")
	if len(said) > 200 {
		said = said[:200] + "…"
	}
	e := &statusError{code: answer.StatusCode(), said: said}
	if e.code == http.StatusForbidden && capability != "" {
		e.need = fmt.Sprintf("the token is unknown, has expired, or lacks %s", rule(at.namespace, capability))
	}
	return e
}

func rule(namespace, capability string) string {
	return fmt.Sprintf("namespace %q { capabilities = [%q] }", namespace, capability)
}

// statusError is an answer that is none.
type statusError struct {
	code       int
	said, need string
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("nomad answered %d", e.code)
	if e.said != "" {
		text += ": " + e.said
	}
	if e.need != "" {
		text += " (" + e.need + ")"
	}
	return text
}

// status is the code of an answer that is none; 0: there was no answer.
func status(err error) int {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e.code
	}
	return 0
}
