package secrets

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/vault/api"
)

// blindLogin is how old a token that may not look at itself has to be before a refused request makes a new login.
const blindLogin = 15 * time.Minute

// heartbeat is how often the token is looked at, so that one that was revoked is found before it is missed.
const heartbeat = time.Minute

// hold keeps a token alive, and returns when there should be a new one: it is dead, or renewing no longer helps, or
// what logs in has changed.
func (c *conn) hold(ctx context.Context, s *session, files <-chan struct{}) {
	due := s.plan(time.Now())
	var retry backoff
	for {
		now := time.Now()
		wait := spread(heartbeat, 0.1)
		if !due.IsZero() {
			wait = min(wait, max(0, due.Sub(now)))
		}
		fileChanged, asked := false, false
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-c.doubt:
			asked = true
		case <-files:
			fileChanged = c.cfg.Auth.TokenFile != ""
		}
		t.Stop()
		switch {
		case ctx.Err() != nil:
			return
		case fileChanged:
			return
		case due.IsZero() || time.Now().Before(due):
			if !c.good(ctx, s, asked) {
				return
			}
		case !s.renewable:
			return
		default:
			left, err := c.renew(ctx, s)
			switch {
			case err == nil && (s.full > 0 && capped(left, s.full)):
				return
			case err == nil:
				retry.reset()
				due = s.plan(time.Now())
			case kindOf(err) == refused:
				if !c.good(ctx, s, true) {
					return
				}
				s.renewable = false
				due = s.plan(time.Now())
			default:
				c.log.Debug("renew the token of vault", "error", err)
				due = time.Now().Add(retry.next(downRetry))
			}
		}
	}
}

// plan says when to renew or replace; zero: never.
func (s *session) plan(now time.Time) time.Time {
	ends := s.ends()
	switch {
	case ends.IsZero():
		return ends
	case s.renewable:
		return now.Add(renewIn(ends.Sub(now)))
	}
	return now.Add(max(time.Second, replaceIn(ends.Sub(now))))
}

// good says whether Vault still knows the token; when nobody answers, it is taken to. asked says that a request was
// refused, which is all there is to go by for a token that may not look at itself.
func (c *conn) good(ctx context.Context, s *session, asked bool) bool {
	if s.blind {
		return !asked || time.Since(s.born) < blindLogin
	}
	found, err := c.lookup(ctx, s.client)
	if statusOf(err) == 403 {
		if !sleep(ctx, catchUpIn) {
			return true
		}
		found, err = c.lookup(ctx, s.client)
	}
	switch {
	case statusOf(err) == 403:
		c.dead(s)
		return false
	case err == nil:
		s.lives(found.ttl)
	}
	return true
}

// token is what Vault says of a token.
type token struct {
	ttl       time.Duration // 0: for ever
	renewable bool
}

func (c *conn) lookup(ctx context.Context, client *api.Client) (token, error) {
	const what = "read auth/token/lookup-self"
	s, err := c.once(ctx, what, client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().ReadWithContext(ctx, "auth/token/lookup-self")
	})
	if err != nil {
		return token{}, err
	}
	n, ok := s.Data["ttl"].(json.Number)
	if !ok {
		return token{}, &problem{kind: unreachable, text: what + ": the answer has no ttl"}
	}
	seconds, err := n.Int64()
	if err != nil || seconds < 0 {
		return token{}, &problem{kind: unreachable, text: what + ": the ttl in the answer is none"}
	}
	renewable, _ := s.Data["renewable"].(bool)
	return token{ttl: time.Duration(seconds) * time.Second, renewable: renewable}, nil
}

// renew gives the token more time, and says how much it has now.
func (c *conn) renew(ctx context.Context, s *session) (time.Duration, error) {
	const what = "write auth/token/renew-self"
	answer, err := c.once(ctx, what, s.client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, "auth/token/renew-self", map[string]any{"increment": int(s.full.Seconds())})
	})
	if err != nil {
		return 0, err
	}
	if answer.Auth == nil || answer.Auth.LeaseDuration < 0 {
		return 0, &problem{kind: unreachable, text: what + ": the answer has no lease"}
	}
	left := time.Duration(answer.Auth.LeaseDuration) * time.Second
	s.lives(left)
	s.renewable = s.renewable && answer.Auth.Renewable
	c.mu.Lock()
	c.counts.renewals++
	c.mu.Unlock()
	return left, nil
}
