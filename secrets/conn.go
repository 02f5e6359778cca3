package secrets

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
)

// parallelCalls bounds the requests to one Vault at a time, however many secrets there are.
const parallelCalls = 16

// conn is one Vault and the one login that all secrets share. Its methods are safe for concurrent use.
type conn struct {
	name  string
	cfg   VaultConfig
	log   hclog.Logger
	http  *http.Client
	slots chan struct{}
	doubt chan struct{} // a call was refused: is the token still good? Holds one

	begin sync.Once // starts run

	unwrapped wrapped // of the goroutine that logs in alone

	mu      sync.Mutex
	session *session
	err     error         // of the last login; nil while logged in
	changed chan struct{} // closed whenever the two above change
	up      chan struct{} // closed at each login
	counts  struct {
		logins, failures, renewals uint64
		codes                      map[int]uint64 // answers by status; 0 is none
	}
}

// session is one token.
type session struct {
	client    *api.Client
	born      time.Time
	renewable bool          // of the goroutine that holds it alone, as full
	blind     bool          // the policy does not let the token look at itself
	full      time.Duration // life at its beginning; 0: for ever

	mu      sync.Mutex
	expires time.Time // zero: never
}

func (s *session) ends() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expires
}

// lives notes how long the token lives from now on.
func (s *session) lives(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expires = time.Time{}
	if ttl > 0 {
		s.expires = time.Now().Add(ttl)
	}
}

func newConn(name string, cfg VaultConfig, log hclog.Logger) *conn {
	if name != "" {
		log = log.With("connection", name)
	}
	c := &conn{
		name: name, cfg: cfg, log: log,
		http:  &http.Client{Transport: limited{newTransport(cfg)}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		slots: make(chan struct{}, parallelCalls), doubt: make(chan struct{}, 1), changed: make(chan struct{}), up: make(chan struct{}),
	}
	c.counts.codes = map[int]uint64{}
	return c
}

// client makes a client of its own for one token. It tries nothing again: this package does.
func (c *conn) client(token string) (*api.Client, error) {
	address := c.cfg.Address
	if strings.HasPrefix(address, "unix://") {
		address = "http://localhost"
	}
	client, err := api.NewClient(&api.Config{Address: address, HttpClient: c.http, Timeout: c.cfg.Timeout, ReadYourWrites: true})
	if err != nil {
		return nil, refusedf("make a client of vault: an address or the VAULT_ environment is wrong")
	}
	client.ClearNamespace()
	if c.cfg.Namespace != "" {
		client.SetNamespace(c.cfg.Namespace)
	}
	client.SetToken(token)
	return client, nil
}

// run logs in and holds the login until ctx ends. It never gives up.
func (c *conn) run(ctx context.Context) {
	files := watchFiles(ctx, c.log, c.cfg.Auth.files()...)
	defer files.close()
	var retry backoff
	for ctx.Err() == nil {
		s, err := c.login(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.failed(err)
			if old := c.current(); old != nil {
				c.good(ctx, old, false) // nobody else looks after it now
			}
			longest := whileDown(err)
			if kindOf(err) != unreachable {
				longest = refusedRetry
			}
			if !sleep(ctx, retry.next(longest), files.changed) {
				return
			}
			continue
		}
		retry.reset()
		c.loggedIn(s)
		c.hold(ctx, c.current(), files.changed)
	}
}

func (c *conn) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.failures++
	if c.err == nil || c.err.Error() != err.Error() {
		c.log.Warn("login to vault failed, and will be tried for ever", "method", c.cfg.Auth.Method(), "error", err)
	}
	c.err = err
	c.announce()
}

// loggedIn makes s the session. The same token again is the same session: what was leased with it stays good.
func (c *conn) loggedIn(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.logins++
	if c.err != nil {
		c.log.Info("logged in to vault again", "method", c.cfg.Auth.Method())
	}
	c.err = nil
	if old := c.session; old != nil && old.client.Token() == s.client.Token() {
		old.renewable, old.full = s.renewable, s.full
		old.mu.Lock()
		old.expires = s.expires
		old.mu.Unlock()
	} else {
		c.session = s
	}
	close(c.up)
	c.up = make(chan struct{})
	c.announce()
}

// dead forgets a session whose token Vault no longer knows.
func (c *conn) dead(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != s {
		return
	}
	c.log.Warn("vault no longer takes the token, logging in again")
	c.session = nil
	c.announce()
}

func (c *conn) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *conn) current() *session {
	s, _, _ := c.state()
	return s
}

// state is the session, nil while there is none, what is closed when it changes, and the error of the last login.
func (c *conn) state() (*session, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.changed, c.err
}

// nextLogin is closed at the next login.
func (c *conn) nextLogin() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

// await returns the session. While there is none it waits for the end of the first attempt to log in.
func (c *conn) await(ctx context.Context) (*session, error) {
	for {
		s, changed, err := c.state()
		if s != nil {
			return s, nil
		}
		if err != nil {
			return nil, &problem{kind: unreachable, text: "not logged in: " + err.Error()}
		}
		select {
		case <-ctx.Done():
			return nil, &problem{kind: unreachable, text: "not logged in yet", cause: ctx.Err()}
		case <-changed:
		}
	}
}
