package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	sessionTTL   = 10 * time.Second // the least that Consul takes; a dead holder is noticed within twice that
	lockDelay    = time.Second      // after a holder that died; every write checks the session besides
	lockPatience = 10 * time.Second // longest wait for the lock in one blocking query
)

// errLost ends the work of a holder whose session is gone.
var errLost = errors.New("the lock was lost")

// underLock runs work whenever this replica holds PREFIX/lock, until ctx ends. The context of work ends when the lock
// is lost; work has returned before the lock is sought again. Losing the lock stops writing, never serving.
func (c *Client) underLock(ctx context.Context, holder string, failed func(err error, again bool), work func(ctx context.Context, session string) error) error {
	fails, lost := 0, false
	over := func(how string) {
		if lost {
			c.log.Info(how, "lock", c.key(lockKey))
		}
		lost = false
	}
	for ctx.Err() == nil {
		held, err := c.lockOnce(ctx, holder, over, work)
		if err == nil || held {
			fails = 0
		}
		lost = lost || held && err != nil
		if err != nil && ctx.Err() == nil {
			failed(err, fails > 0)
			pause := time.Duration((0.5 + c.rand()/2) * float64(doubled(retryFirst, fails, retryLast)))
			fails++
			_ = sleep(ctx, pause) // the loop sees that ctx has ended
		}
	}
	return ctx.Err()
}

// lockOnce waits until the lock is free, takes it and works under it. It says who has it then.
func (c *Client) lockOnce(ctx context.Context, holder string, over func(how string), work func(context.Context, string) error) (held bool, err error) {
	if err := c.awaitFree(ctx, holder, over); err != nil {
		return false, err
	}
	session, err := c.newSession(ctx)
	if err != nil {
		return false, err
	}
	defer c.endSession(session)
	call, cancel := within(ctx)
	got, _, err := c.api.KV().Acquire(&api.KVPair{Key: c.key(lockKey), Value: []byte(holder), Session: session}, (&api.WriteOptions{}).WithContext(call))
	cancel()
	if err != nil {
		return false, fmt.Errorf("take lock %s: %w", c.key(lockKey), bare(err))
	}
	if !got { // somebody was faster, or the lock delay of a dead holder runs
		return false, sleep(ctx, time.Duration((0.5+c.rand()/2)*float64(lockDelay)))
	}
	over("the lock is held again")
	workCtx, stop := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		stop(c.renew(workCtx, session))
	}()
	err = work(workCtx, session)
	stop(nil)
	<-renewed
	if errors.Is(context.Cause(workCtx), errLost) {
		err = errLost
	}
	return true, err
}

// awaitFree waits until nobody holds the lock.
func (c *Client) awaitFree(ctx context.Context, holder string, over func(how string)) error {
	index := uint64(0)
	for {
		call, cancel := context.WithTimeout(blocking(ctx), deadline(lockPatience))
		rows, meta, err := c.get("", lockKey, (&api.QueryOptions{WaitIndex: index, WaitTime: lockPatience}).WithContext(call))
		cancel()
		if err != nil {
			return err
		}
		if rows[lockKey].Session == "" {
			return nil
		}
		if string(rows[lockKey].Value) != holder {
			over("another replica holds the lock")
		}
		if index = meta.LastIndex; index == 0 {
			index = 1
		}
	}
}

// newSession makes a session that lives by its TTL alone: a flap of the node's health does not take the lock.
func (c *Client) newSession(ctx context.Context) (string, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	id, _, err := c.api.Session().CreateNoChecks(&api.SessionEntry{
		Name: c.key(lockKey), TTL: sessionTTL.String(), LockDelay: lockDelay, Behavior: api.SessionBehaviorRelease,
	}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("create consul session: %w", bare(err))
	}
	return id, nil
}

// endSession lets go at once, so that another replica need not wait. What cannot be said is found out by the TTL.
func (c *Client) endSession(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	opts := (&api.WriteOptions{}).WithContext(ctx)
	_, _, err := c.api.KV().Release(&api.KVPair{Key: c.key(lockKey), Session: id}, opts) // before Destroy, which brings the lock delay
	if err == nil {
		_, err = c.api.Session().Destroy(id, opts)
	}
	if err != nil {
		c.log.Debug("consul session left to expire", "error", err)
	}
}

// renew keeps the session until ctx ends. It returns errLost when Consul says that there is none, or has said nothing
// for so long that there may be none.
func (c *Client) renew(ctx context.Context, id string) error {
	last := time.Now()
	for {
		if err := sleep(ctx, sessionTTL/3); err != nil {
			return err
		}
		call, cancel := context.WithTimeout(ctx, sessionTTL/3)
		entry, _, err := c.api.Session().Renew(id, (&api.WriteOptions{}).WithContext(call))
		cancel()
		switch {
		case err == nil && entry == nil:
			return errLost
		case err == nil:
			last = time.Now()
		case time.Since(last) > sessionTTL:
			return errLost
		}
	}
}
