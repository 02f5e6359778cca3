package catalog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

// callTimeout bounds every request that does not wait in Consul.
const callTimeout = 10 * time.Second

// Client is one Consul. All watches and writes of one connection share it, its connections and its token. It is safe
// for concurrent use.
type Client struct {
	Name   string // of the connection
	Prefix string // of everything in KV, ends in "/"

	cfg   Config
	api   *api.Client
	http  *http.Client // of api, for what it has no call for
	rt    *transport
	slots *budget
	log   hclog.Logger
	rand  func() float64 // [0,1)

	mu      sync.Mutex
	watches map[*tracker]struct{}
	counts  map[int]uint64 // answers by status code; 0 is no answer
	confirm uint64         // consistent reads made to confirm a deletion
	beat    heartbeat
}

// New makes a client of cfg, completed from the environment. It does no I/O; an error is a configuration that cannot
// work.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.WithEnv(nil)
	if err != nil {
		return nil, err
	}
	rt, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	slots := plainSlots
	if rt.allSecure() {
		slots = maxShards * shardLimit
	}
	return newClient(cfg, rt, rt, slots)
}

func newClient(cfg Config, rt *transport, over http.RoundTripper, slots int) (*Client, error) {
	c := &Client{
		Name: cfg.Name, Prefix: cfg.Prefix, cfg: cfg, rt: rt, http: &http.Client{Transport: over}, slots: newBudget(slots),
		log: cfg.Logger, rand: rand.Float64,
		watches: map[*tracker]struct{}{}, counts: map[int]uint64{},
	}
	if rt != nil {
		rt.count = c.counted
	}
	inner := api.Config{
		Address: "127.0.0.1:8500", Scheme: "http", // the transport decides where a request goes
		Datacenter: cfg.Datacenter, Namespace: cfg.Namespace, Partition: cfg.Partition,
		HttpClient: c.http,
		Token:      noToken, // keeps the environment's token and file out
	}
	if user, password, _ := strings.Cut(cfg.HTTPAuth, ":"); user != "" {
		inner.HttpAuth = &api.HttpBasicAuth{Username: user, Password: password}
	}
	client, err := api.NewClient(&inner)
	if err != nil {
		return nil, fmt.Errorf("make consul client: %w", err)
	}
	c.api = client
	return c, nil
}

func (c *Client) counted(code int) {
	c.mu.Lock()
	c.counts[code]++
	c.mu.Unlock()
}

// API is the bare client, for what this package does not cover. Its requests carry the current token; those that block
// are outside of the connection budget.
func (c *Client) API() *api.Client { return c.api }

// Close drops idle connections, and logs out where the client has logged in, which takes three seconds at most. Watches
// end with their own contexts, before.
func (c *Client) Close() {
	if c.rt != nil {
		if c.rt.login != nil {
			c.rt.login.end()
		}
		c.rt.closeIdle()
	}
}

// anonymous says that requests carry no token; such a client is not told when rows are filtered.
func (c *Client) anonymous() bool {
	if c.rt == nil {
		return false
	}
	if c.cfg.Login != nil {
		return false
	}
	token, err := c.rt.token(context.Background()) // a token that is given needs no time
	return err == nil && token == ""
}

// Reachable says that the last sign of life came and Consul had a leader; true while nothing is watched.
func (c *Client) Reachable() bool { return c.beat.leader() }

// Lag is how late a change may be seen because there are more watches than the agent allows connections; usually 0.
func (c *Client) Lag() time.Duration { return c.slots.lag() }

// HoldTime is how long the loss of a whole list is held, and a replica that is gone is counted as alive.
func (c *Client) HoldTime() time.Duration { return c.cfg.Hold }

// key is the full key of a path below the prefix.
func (c *Client) key(rel string) string { return c.Prefix + rel }

// query makes options for one call that does not block.
func query(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{}).WithContext(ctx)
}

// within bounds one call that does not block.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}
