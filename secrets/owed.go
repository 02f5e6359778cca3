package secrets

import (
	"context"
	"maps"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// debt is what has been replaced, and is ended when no Envoy uses it any more.
type debt struct {
	id     gateway.ID
	leases []lease
	feed   *feed     // instead of leases: a feed whose block was replaced; its leases are kept alive until it is stopped
	since  time.Time // when it was replaced
	due    time.Time // zero: some Envoy may use it still
}

// Settled says that every Envoy has these versions of secrets: what was replaced before is given back when
// Config.Flight has passed. It does not wait.
func (k *Keeper) Settled(versions map[gateway.ID]string) {
	k.mu.Lock()
	maps.Copy(k.settled, versions)
	k.mu.Unlock()
	select {
	case k.wish <- struct{}{}:
	default:
	}
}

// owe notes what has been replaced just now. k.mu is held.
func (k *Keeper) owe(d debt) {
	if len(d.leases) == 0 && d.feed == nil {
		return
	}
	d.since = time.Now()
	k.owed = append(k.owed, d)
	k.ends(d.since.Add(k.cfg.Limit))
}

// settle finds what is no longer used by anybody: what was replaced by a version that every Envoy has. k.mu is held.
func (k *Keeper) settle() {
	now := time.Now()
	for i := range k.owed {
		d := &k.owed[i]
		e := k.entries[d.id]
		gone := e == nil // it was forgotten after a grace of its own
		if d.due.IsZero() && (gone || e.version != "" && e.version == k.settled[d.id]) {
			d.due = now.Add(k.cfg.Flight)
			k.ends(d.due)
		}
	}
	for id, version := range k.settled { // of the past, or to come: what is to come is told again
		if e := k.entries[id]; e == nil || e.version != version {
			delete(k.settled, id)
		}
	}
}

// pay ends what is due. k.mu is held.
func (k *Keeper) pay(run context.Context, now time.Time) {
	left := k.owed[:0]
	for _, d := range k.owed {
		end := d.since.Add(k.cfg.Limit)
		switch {
		case !d.due.IsZero() && !now.Before(d.due):
		case !now.Before(end):
			k.cfg.Log.Warn("some Envoy has not acknowledged a new secret for long: the old one is revoked all the same",
				"secret", d.id.Name, "elapsed", now.Sub(d.since))
		default:
			if !d.due.IsZero() && d.due.Before(end) {
				end = d.due
			}
			k.ends(end)
			left = append(left, d)
			continue
		}
		if d.feed != nil {
			d.feed.stop()
		}
		k.giveBack(run, d.leases)
	}
	clear(k.owed[len(left):])
	k.owed = left
}

// goodbye bounds what a visit does when it ends.
const goodbye = 10 * time.Second

// leave ends the logins of a visit, and what is still leased by them. It is called when all else has ended.
func (k *Keeper) leave(run context.Context) {
	if !k.cfg.Visit {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(run), goodbye)
	defer cancel()
	for _, c := range k.conns {
		if s := c.current(); s != nil && c.ownLogin() {
			c.logout(ctx, s.client)
		}
	}
}
