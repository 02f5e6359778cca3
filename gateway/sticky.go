package gateway

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Sticky keeps clients on a share of a route: requests that carry the header or cookie go where the hash of its value
// falls, the same in every Envoy; the others are drawn at random. Exactly one of Header and Cookie is set.
type Sticky struct {
	Header string    `hcl:"header,optional"`
	Cookie string    `hcl:"cookie,optional"`
	Range  hcl.Range `hcl:",def_range"`
}

// Million is what shares are counted in.
const Million = 1_000_000

// StickyBytes is how much of a value is hashed: its end, which is where tokens differ.
const StickyBytes = 1024

// StickyBucket is where a value falls, from 0 to Million-1. It is Jenkins' one-at-a-time hash of the value's last
// StickyBytes, mixed and scaled, and it must never change: that would move every client of every route.
func StickyBucket(value string) uint32 {
	var h uint32
	for _, b := range []byte(value[max(0, len(value)-StickyBytes):]) {
		h += uint32(b)
		h += h << 10
		h ^= h >> 6
	}
	h += h << 3
	h ^= h >> 11
	h += h << 15
	h = (h ^ h>>16) * 0x85ebca6b // murmur3's last step: without it, values that differ at the end fall close together
	h = (h ^ h>>13) * 0xc2b2ae35
	h ^= h >> 16
	return uint32(uint64(h) * Million >> 32) //nolint:gosec // below a million
}

// bucket is where a request falls; ok is false where it carries no value, or an empty one. Of a header that is sent
// several times the lowest counts, for the edge asks of each value by itself whether it lies in a share. Of cookies the
// first of the name counts, without quotes.
func (s *Sticky) bucket(req Request) (lowest uint32, ok bool) {
	values := req.values(s.Header)
	if s.Cookie != "" {
		values = []string{req.cookie(s.Cookie)}
	}
	lowest = Million
	for _, v := range values {
		if v != "" {
			lowest = min(lowest, StickyBucket(v))
		}
	}
	return lowest, lowest < Million
}

// Text names what a client is known by: "header x-user".
func (s *Sticky) Text() string {
	if s.Cookie != "" {
		return "cookie " + s.Cookie
	}
	return "header " + strings.ToLower(s.Header)
}

// Shares says, by destination, below which number of Million its share ends; it begins where the one before ends. They
// are nil where no destination has a share.
func (e *TableRoute) Shares() []uint32 {
	var total, sum uint64
	for _, d := range e.Destinations {
		total += uint64(d.Weight)
	}
	if total == 0 {
		return nil
	}
	out := make([]uint32, len(e.Destinations))
	for i, d := range e.Destinations {
		sum += uint64(d.Weight)
		out[i] = uint32(sum * Million / total) //nolint:gosec // at most a million
	}
	return out
}

// Sticks says whether a value can decide: the route has a sticky block and more than one destination with a share.
func (e *TableRoute) Sticks() bool {
	n := 0
	for _, d := range e.Destinations {
		if d.Weight > 0 {
			n++
		}
	}
	return e.Route.Sticky != nil && n > 1
}

// Kept is the destination that a request is kept on; nil where it is drawn at random.
func (e *TableRoute) Kept(req Request) *TableDestination {
	if !e.Sticks() {
		return nil
	}
	bucket, ok := e.Route.Sticky.bucket(req)
	if !ok {
		return nil
	}
	for i, end := range e.Shares() {
		if bucket < end {
			return e.Destinations[i]
		}
	}
	return nil
}

// cookie is the first cookie of a name, as the edge reads it: parted by semicolons, quotes around the value dropped.
func (r *Request) cookie(name string) string {
	for _, line := range r.values("cookie") {
		for part := range strings.SplitSeq(line, ";") {
			key, value, ok := strings.Cut(strings.TrimLeft(part, " \t"), "=")
			if !ok || key != name {
				continue
			}
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value
		}
	}
	return ""
}
