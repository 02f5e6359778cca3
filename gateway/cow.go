package gateway

import "maps"

// cow is a map that is shared between worlds until one of them writes to it.
type cow[K comparable, V any] struct {
	m    map[K]V
	mine bool
}

func (c *cow[K, V]) get(k K) V { return c.m[k] }

func (c *cow[K, V]) own() {
	if c.mine {
		return
	}
	c.mine = true
	if c.m == nil {
		c.m = map[K]V{}
		return
	}
	c.m = maps.Clone(c.m)
}

func (c *cow[K, V]) set(k K, v V) {
	c.own()
	c.m[k] = v
}

func (c *cow[K, V]) del(k K) {
	if _, ok := c.m[k]; ok {
		c.own()
		delete(c.m, k)
	}
}

// counts is a multiset of V by K that is shared as shards are: an entry exists while its count is above zero.
type counts[K, V comparable] struct {
	shards[K, map[V]int]
	fresh map[K]bool // inner maps that this world made itself
}

func (c *counts[K, V]) share() {
	c.shards.share()
	c.fresh = nil
}

// of is the multiset of a key: what is in it, and how often. It is not to be changed.
func (c *counts[K, V]) of(k K) map[V]int { return c.get(k) }

// add changes the count of (k, v) by n and says whether v came to k or left it.
func (c *counts[K, V]) add(k K, v V, n int) (toggled bool) {
	if !c.fresh[k] {
		if c.fresh == nil {
			c.fresh = map[K]bool{}
		}
		c.fresh[k] = true
		inner := maps.Clone(c.get(k))
		if inner == nil {
			inner = map[V]int{}
		}
		c.set(k, inner)
	}
	inner := c.get(k)
	before := inner[v]
	after := before + n
	if after > 0 {
		inner[v] = after
	} else {
		delete(inner, v)
		if len(inner) == 0 {
			c.del(k)
			delete(c.fresh, k)
		}
	}
	return (before > 0) != (after > 0)
}
