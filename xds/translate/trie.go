package translate

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// trieBudget bounds the repetition of catch-alls in buckets: the trie holds at most so many times the table's routes.
const trieBudget = 4

// costlyBudget bounds the same for routes of which each copy costs Envoy memory in every thread: they are in so many
// buckets on average at most. A bucket that holds more routes for it is scanned, which costs a request little.
const costlyBudget = 128

// literal is what every path that a route takes begins with, and how such a path goes on.
type literal struct {
	text   string
	reach  reach
	costly bool // the route should stand in few buckets
}

// reach is how a path goes on after a route's literal beginning.
type reach uint8

const (
	reachAny     reach = iota // with anything
	reachSegment              // with a slash, or not at all
	reachExact                // not at all
)

// into says whether a path that begins with key, which begins with l.text and is longer, may still be one of l's.
func (l literal) into(key string) bool {
	return l.reach == reachAny || l.reach == reachSegment && key[len(l.text)] == '/'
}

// buckets maps a key to the routes, by position in the table, that a path may match if the key is the longest one that
// it begins with. Routes of the key "" are tried where no key fits.
type buckets map[string][]int

// bucketsOf parts a table. Every route stands in the bucket of the longest key that its literal beginning begins with,
// and in every bucket whose key begins with that literal and that the route reaches, in table order: so a bucket holds
// every route that can match a path that comes to it, and the first of them that matches is the first of the whole
// table that does.
//
// With a key for every distinct literal, k catch-alls before n buckets would be k×n entries. Keys whose routes are
// fewer than a threshold are therefore given up, their routes going to the next shorter key, and the threshold doubles
// until the entries are within the budgets. At worst one key is left: the list.
func bucketsOf(literals []literal) buckets {
	prefixes := distinct(literals)
	for least := 1; ; least *= 2 {
		keys := chooseKeys([]string{""}, prefixes, "", least)
		slices.Sort(keys)
		shares := share(prefixes, keys)
		if least > len(literals) || within(shares, literals) {
			return fill(shares)
		}
	}
}

// within says whether buckets keep to their budgets.
func within(shares []*portion, literals []literal) bool {
	entries, costly, allowed := 0, 0, 0
	for _, q := range shares {
		entries += q.size
		costly += q.costly
	}
	for _, l := range literals {
		if l.costly {
			allowed += costlyBudget
		}
	}
	return entries <= trieBudget*len(literals) && costly <= allowed
}

// prefix is one distinct literal and the routes that have it.
type prefix struct {
	literal
	routes []int
}

func distinct(literals []literal) []prefix {
	byLiteral := map[literal][]int{}
	for i, l := range literals {
		byLiteral[l] = append(byLiteral[l], i)
	}
	out := make([]prefix, 0, len(byLiteral))
	for l, routes := range byLiteral {
		out = append(out, prefix{l, routes})
	}
	slices.SortFunc(out, func(a, b prefix) int {
		return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.reach, b.reach), cmp.Compare(a.routes[0], b.routes[0]))
	})
	return out
}

// chooseKeys adds to keys those below key for the sorted prefixes, which all begin with it: the common beginning of
// every group of at least so many routes.
func chooseKeys(keys []string, ps []prefix, key string, least int) []string {
	for len(ps) > 0 {
		if ps[0].text == key {
			ps = ps[1:]
			continue
		}
		next := ps[0].text[:len(key)+1]
		n := sort.Search(len(ps), func(i int) bool { return !strings.HasPrefix(ps[i].text, next) })
		group := ps[:n]
		ps = ps[n:]
		routes := 0
		for _, p := range group {
			routes += len(p.routes)
		}
		if routes < least {
			continue
		}
		child := common(group[0].text, group[len(group)-1].text)
		keys = chooseKeys(append(keys, child), group, child, least)
	}
	return keys
}

func common(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// portion is what the bucket of one key holds: its own prefixes, and those that its key begins with.
type portion struct {
	key       string
	own       []prefix
	inherited []prefix
	size      int // routes of both
	costly    int // those among them that are costly
}

func (q *portion) count(p prefix) {
	q.size += len(p.routes)
	if p.costly {
		q.costly += len(p.routes)
	}
}

// share gives every prefix to its key, and the shorter prefixes to the keys that begin with them. Keys without routes
// of their own are left out: a shorter key holds all that could match there. Both arguments are sorted.
func share(prefixes []prefix, keys []string) []*portion {
	var open, out []*portion
	own := make([]*portion, len(prefixes))
	k := 0
	for i, p := range prefixes {
		for ; k < len(keys) && keys[k] <= p.text; k++ {
			open = append(closeBefore(open, keys[k]), &portion{key: keys[k]})
		}
		open = closeBefore(open, p.text)
		own[i] = open[len(open)-1]
		if own[i].own == nil {
			out = append(out, own[i])
		}
		own[i].own = append(own[i].own, p)
		own[i].count(p)
	}
	slices.SortFunc(out, func(a, b *portion) int { return cmp.Compare(a.key, b.key) })
	var above []prefix
	next := 0
	for _, q := range out {
		for ; next < len(prefixes) && prefixes[next].text < q.key; next++ {
			above = append(cut(above, prefixes[next].text), prefixes[next])
		}
		above = cut(above, q.key)
		for _, p := range above {
			if p.into(q.key) {
				q.inherited = append(q.inherited, p)
				q.count(p)
			}
		}
	}
	return out
}

// closeBefore drops the keys that text does not begin with.
func closeBefore(open []*portion, text string) []*portion {
	for len(open) > 0 && !strings.HasPrefix(text, open[len(open)-1].key) {
		open = open[:len(open)-1]
	}
	return open
}

// cut drops the prefixes that text does not begin with.
func cut(above []prefix, text string) []prefix {
	for len(above) > 0 && !strings.HasPrefix(text, above[len(above)-1].text) {
		above = above[:len(above)-1]
	}
	return above
}

func fill(portions []*portion) buckets {
	out := buckets{}
	for _, q := range portions {
		routes := make([]int, 0, q.size)
		for _, p := range append(q.inherited, q.own...) {
			routes = append(routes, p.routes...)
		}
		slices.Sort(routes)
		out[q.key] = routes
	}
	return out
}
