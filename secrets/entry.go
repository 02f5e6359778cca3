package secrets

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// entry is one secret: what is in force, and who reads it.
type entry struct {
	feed *feed // whose material is in force, or who is to bring the first
	next *feed // reads by a changed block, and takes over with its first material; usually nil

	unwanted time.Time // zero: it is wanted

	material fields
	version  string // "": none yet
	note     string
	expired  bool
	since    time.Time // when the version came into force
	contact  time.Time // when the source last answered
	expires  time.Time // zero: never
	renews   time.Time // next step of the reader
	err      error     // of the last step
	errSince time.Time
}

// counts are kept for as long as the Keeper lives.
type counts struct{ renewals, rotations, errors uint64 }

func (k *Keeper) count(id gateway.ID) *counts {
	c := k.counts[id]
	if c == nil {
		c = &counts{}
		k.counts[id] = c
	}
	return c
}

// arrange makes entries what is wanted. k.mu is held.
func (k *Keeper) arrange(run context.Context, news map[gateway.ID]string) {
	for id, spec := range k.wanted {
		if spec == nil {
			continue
		}
		e := k.entries[id]
		switch {
		case e == nil:
			k.entries[id] = &entry{feed: k.start(run, id, spec)}
			continue
		case !e.unwanted.IsZero():
			e.unwanted = time.Time{}
			if e.version != "" {
				news[id] = e.version // whoever asked may have forgotten it
			}
		}
		if e.next != nil {
			if same(e.next.spec, spec) {
				continue
			}
			e.next.stop()
			e.next, e.err = nil, nil
		}
		switch {
		case same(e.feed.spec, spec):
		case e.version == "":
			e.feed.stop()
			e.feed = k.start(run, id, spec)
		default:
			e.next = k.start(run, id, spec)
		}
	}
	for id, e := range k.entries {
		if k.wanted[id] == nil && e.unwanted.IsZero() {
			e.unwanted = time.Now()
			k.ends(e.unwanted.Add(k.cfg.Grace))
		}
	}
}

// same compares two blocks but for their places.
func same(a, b *gateway.Secret) bool { return reflect.DeepEqual(placeless(a), placeless(b)) }

func placeless(s *gateway.Secret) gateway.Secret {
	c := *s
	c.Range = hcl.Range{}
	c.VaultKV = unplaced(c.VaultKV, func(b *gateway.VaultKV) *hcl.Range { return &b.Range })
	c.VaultAWS = unplaced(c.VaultAWS, func(b *gateway.VaultAWS) *hcl.Range { return &b.Range })
	c.File = unplaced(c.File, func(b *gateway.FileValue) *hcl.Range { return &b.Range })
	c.Env = unplaced(c.Env, func(b *gateway.EnvValue) *hcl.Range { return &b.Range })
	return c
}

// unplaced is a copy of a block without its place; of nil it is nil.
func unplaced[B any](b *B, place func(*B) *hcl.Range) *B {
	if b == nil {
		return nil
	}
	c := *b
	*place(&c) = hcl.Range{}
	return &c
}

// take takes over what a feed has found. k.mu is held.
func (k *Keeper) take(run context.Context, ev event, news map[gateway.ID]string) {
	id, out := ev.feed.id, ev.out
	e := k.entries[id]
	stopped := e == nil || ev.feed != e.feed && ev.feed != e.next
	if out.fresh && !stopped {
		k.owe(debt{id: id, leases: out.replaced})
	} else {
		k.giveBack(run, out.replaced) // it was never in force, or is no longer
	}
	if stopped {
		return
	}
	if ev.feed == e.next && out.fresh {
		k.owe(debt{id: id, feed: e.feed})
		e.feed, e.next = e.next, nil
	}
	current := ev.feed == e.feed
	if ev.err != nil {
		k.failed(e, ev)
		return
	}
	if !current || out.quiet {
		return
	}
	if e.next == nil && e.err != nil {
		k.cfg.Log.Info("a secret can be read again", "secret", id.Name)
		e.err = nil
	}
	e.contact, e.expires, e.renews = time.Now(), out.expires, ev.next
	k.ends(e.expires)
	if out.note != "" {
		e.note = out.note
	}
	if out.renewed {
		k.count(id).renewals++
	}
	switch {
	case out.fresh:
		k.swap(id, e, out.material, news)
	case e.expired && time.Now().Before(e.expires): // it was renewed in the last moment
		k.swap(id, e, e.material, news)
	}
}

func (k *Keeper) failed(e *entry, ev event) {
	id := ev.feed.id
	if e.next != nil && ev.feed == e.feed {
		return // that block is no longer wanted
	}
	k.count(id).errors++
	if e.err == nil || e.err.Error() != ev.err.Error() {
		e.errSince = time.Now()
		k.cfg.Log.Warn("a secret cannot be read, what is in force stays", "secret", id.Name, "error", ev.err)
	}
	e.err, e.renews = ev.err, ev.next
}

// swap puts material in force. What is as before is no news.
func (k *Keeper) swap(id gateway.ID, e *entry, m fields, news map[gateway.ID]string) {
	version := k.version(id, m)
	if version == e.version && !e.expired {
		return
	}
	if e.version != "" {
		k.count(id).rotations++
	}
	k.cfg.Log.Debug("a secret has a new version", "secret", id.Name, "version", version)
	e.material, e.version, e.expired, e.since = m, version, false, time.Now()
	k.staged[id] = gateway.NewMaterial(m)
	news[id] = version
}

// version is an opaque name of some material: equal for equal material, as long as the process lives.
func (k *Keeper) version(id gateway.ID, m fields) string {
	h := hmac.New(sha256.New, k.key)
	put := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	put([]byte(id.String()))
	for _, f := range slices.Sorted(maps.Keys(m)) {
		put([]byte(f))
		put(m[f])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// ends notes that something may end at a time; zero is never.
func (k *Keeper) ends(at time.Time) {
	if !at.IsZero() && at.Before(k.deadline) {
		k.deadline = at
	}
}

// expire takes away what has ended, forgets what is unwanted, pays what is due, and notes when to look again. k.mu is held.
func (k *Keeper) expire(run context.Context, now time.Time, news map[gateway.ID]string) {
	k.deadline = now.Add(time.Hour)
	k.pay(run, now)
	for id, e := range k.entries {
		if !e.unwanted.IsZero() {
			end := e.unwanted.Add(k.cfg.Grace)
			if !now.Before(end) {
				k.forget(id, e, news)
				continue
			}
			k.ends(end)
		}
		if e.version == "" || e.expired || e.expires.IsZero() {
			continue
		}
		if now.Before(e.expires) {
			k.ends(e.expires)
			continue
		}
		e.expired = true
		k.staged[id] = gateway.Material{}
		news[id] = ""
		k.cfg.Log.Error("a secret has expired and could not be replaced", "secret", id.Name, "error", errText(e.err))
	}
}

// forget tells that there is no material any more: read again, it may have the version that it had.
func (k *Keeper) forget(id gateway.ID, e *entry, news map[gateway.ID]string) {
	e.feed.stop()
	if e.next != nil {
		e.next.stop()
	}
	delete(k.entries, id)
	delete(k.counts, id)
	k.staged[id] = gateway.Material{}
	news[id] = ""
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// firstFrame is the place in a stack where a panic came from.
func firstFrame(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") && i+3 < len(lines) {
			place, _, _ := strings.Cut(strings.TrimSpace(lines[i+3]), " ")
			return place[strings.LastIndex(place, "/")+1:]
		}
	}
	return "an unknown place"
}
