package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// login holds the token of one connection. Nothing runs while nobody asks: whoever needs a token has it made, and the sign
// of life that watches ask for every few seconds keeps it fresh. It is safe for concurrent use.
type login struct {
	how       JWTLogin
	cfg       Config
	send      func(req *http.Request, token string) (*http.Response, error)
	surprises *rate.Limiter // of logins because a token was not known

	mu      sync.Mutex
	held    held
	old     []held    // replaced ones, for requests on their way; they go at the end, or by themselves
	making  *attempt  // nil: there is none
	err     error     // of the last attempt
	tried   string    // the identity of the last attempt, where it was refused
	next    time.Time // no attempt with the same identity before it
	fails   int       // in a row
	logins  uint64
	failed  uint64
	closing bool
}

// held is a token, and when it is replaced and ends; zero times stand for never.
type held struct {
	token         string
	replace, ends time.Time
}

func (h held) usable(now time.Time) bool {
	return h.token != "" && (h.ends.IsZero() || now.Before(h.ends))
}

func (h held) due(now time.Time) bool { return !h.replace.IsZero() && !now.Before(h.replace) }

const (
	refusedFirst    = 250 * time.Millisecond // after a refused login
	refusedMax      = 10 * time.Second
	surprisesAtOnce = 5               // logins without a wait because a token was not known
	surpriseEvery   = 5 * time.Second // and one more
)

var errEnded = errors.New("the connection is closed")

func newLogin(cfg Config, send func(*http.Request, string) (*http.Response, error)) *login {
	return &login{how: *cfg.Login, cfg: cfg, send: send, surprises: rate.NewLimiter(rate.Every(surpriseEvery), surprisesAtOnce)}
}

// get returns a token that has not expired. While one is being replaced, all go on with the old one; without one they
// wait for the attempt that is under way. After a refusal there is no attempt for a while, unless the identity is new.
func (l *login) get(ctx context.Context) (string, error) {
	for {
		l.mu.Lock()
		now := time.Now()
		usable := l.held.usable(now)
		if l.making == nil && !l.closing && (!usable || l.held.due(now)) {
			l.begin()
		}
		token, making := l.held.token, l.making
		l.mu.Unlock()
		switch {
		case usable:
			return token, nil
		case making == nil:
			return "", errEnded
		}
		select {
		case <-making.done:
			if making.err != nil {
				return "", making.err
			}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// attempt is a login that is under way. It does not end with the request that needed it first: a token that was made
// and not taken would stay in Consul.
type attempt struct {
	done   chan struct{} // closed at the end
	err    error         // read after done
	cancel context.CancelFunc
}

// begin starts an attempt; l.mu is held. Who ends the login waits for it.
func (l *login) begin() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	m := &attempt{done: make(chan struct{}), cancel: cancel}
	l.making = m
	go func() {
		defer cancel()
		err := l.attempt(ctx)
		l.mu.Lock()
		m.err, l.making = err, nil
		l.mu.Unlock()
		close(m.done)
	}()
}

// attempt logs in, unless it was refused lately with the same identity.
func (l *login) attempt(ctx context.Context) error {
	identity, err := l.how.identity()
	if err == nil {
		l.mu.Lock()
		wait, last := l.tried == identity && time.Now().Before(l.next), l.err
		l.mu.Unlock()
		if wait && last != nil {
			return last
		}
		var token string
		var life time.Duration
		asked := time.Now()
		if token, life, err = l.exchange(ctx, identity); err == nil {
			l.took(asked, token, life)
			return nil
		}
	}
	err = fmt.Errorf("log in to consul by the auth method %s: %w", l.how.Method, err)
	l.refused(identity, err)
	return err
}

// took makes a token the one in use. It is replaced when some two thirds of its life are over.
func (l *login) took(asked time.Time, token string, life time.Duration) {
	now := held{token: token}
	if life > 0 {
		now.replace = asked.Add(time.Duration((0.6 + 0.1*rand.Float64()) * float64(life)))
		now.ends = asked.Add(life)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.cfg.Logger.Info("logged in to consul again", "method", l.how.Method)
	}
	keep := l.old[:0]
	for _, h := range append(l.old, l.held) {
		if h.usable(asked) {
			keep = append(keep, h)
		}
	}
	l.old, l.held, l.err, l.tried, l.fails = keep, now, nil, "", 0
	l.logins++
}

// refused notes a failure. Where Consul does not answer, whoever asks decides when to ask again.
func (l *login) refused(identity string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil || l.err.Error() != err.Error() {
		l.cfg.Logger.Warn("login to consul failed, and will be tried for ever", "method", l.how.Method, "error", err)
	}
	l.err = err
	l.failed++
	if answer := (*refusal)(nil); errors.As(err, &answer) {
		l.pause(identity)
	}
}

// pause lets the next attempt with this identity wait, the longer the more have failed.
func (l *login) pause(identity string) {
	wait := min(refusedFirst<<min(l.fails, 10), refusedMax)
	l.fails++
	l.tried, l.next = identity, time.Now().Add(time.Duration((0.75+0.5*rand.Float64())*float64(wait)))
}

// unknown forgets a token that Consul does not know. Of several who say so of one token, the first is heard.
func (l *login) unknown(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held.token != token || token == "" {
		return
	}
	if identity, err := l.how.identity(); err == nil && !l.surprises.Allow() {
		l.err = errors.New("consul does not know the tokens that it makes")
		l.pause(identity)
	}
	l.held = held{}
}

// end gives all tokens back, within three seconds. What is asked for after it gets none.
func (l *login) end() {
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
	defer cancel()
	l.mu.Lock()
	l.closing = true
	making := l.making
	l.mu.Unlock()
	if making != nil {
		select {
		case <-making.done:
		case <-ctx.Done():
			making.cancel()
			<-making.done
		}
	}
	l.mu.Lock()
	all := append(l.old, l.held)
	l.held, l.old = held{}, nil
	l.mu.Unlock()
	for _, h := range all {
		if !h.usable(time.Now()) {
			continue
		}
		if err := l.logout(ctx, h.token); err != nil {
			l.cfg.Logger.Warn("cannot log out of consul; the token ends by itself", "error", err)
			return
		}
	}
}

// counts are the logins that succeeded and failed.
func (l *login) counts() (logins, failed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logins, l.failed
}
