package discovery

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Guard says which falls in the number of endpoints, or functions, are doubted. An answer without any endpoint after one with some
// always is: it is held for Hold, and counts once an answer after that still says so. An answer that lost more than
// Share of at least Least endpoints is held until a second answer, a Second later at least, confirms it.
//
// Where no further answer comes, Hold alone decides, unless the source is failing. While an answer is held, what it
// adds or changes (an endpoint that became critical, too) counts at once; only what it lacks stays.
type Guard struct {
	Share  float64       // 0 means one half; 1 doubts nothing but the loss of all
	Least  int           // 0 means 3
	Second time.Duration // 0 means 1 s
	Hold   time.Duration // 0 means 60 s
}

// with is g with what over sets.
func (g *Guard) with(over Guard) *Guard {
	return &Guard{
		Share: cmp.Or(over.Share, g.Share), Least: cmp.Or(over.Least, g.Least), Second: cmp.Or(over.Second, g.Second), Hold: cmp.Or(over.Hold, g.Hold),
	}
}

func (g *Guard) share() float64 {
	if g.Share == 0 {
		return 0.5
	}
	return g.Share
}

func (g *Guard) least() int {
	if g.Least == 0 {
		return 3
	}
	return g.Least
}

func (g *Guard) second() time.Duration {
	if g.Second == 0 {
		return time.Second
	}
	return g.Second
}

func (g *Guard) hold() time.Duration {
	if g.Hold == 0 {
		return time.Minute
	}
	return g.Hold
}

// doubts says whether an answer of now endpoints after one of before is held. A nil guard doubts nothing.
func (g *Guard) doubts(before, now int) bool {
	switch {
	case g == nil || now >= before:
		return false
	case now == 0:
		return true
	}
	return before >= g.least() && float64(before-now) > g.share()*float64(before)
}

// judge believes or holds an answer.
func (l *loop[K, W, E]) judge(e *entry[K, W, E], answer []E, now time.Time) {
	if !e.guard.doubts(len(e.good), len(answer)) {
		l.believe(e, answer)
		return
	}
	if e.doubted.IsZero() {
		e.doubted = now
		l.log.Warn("a source lost many "+l.things+" at once; they stay until that is confirmed", "source", e.key,
			"before", len(e.good), "after", len(answer))
	}
	wait := e.guard.second()
	if len(answer) == 0 {
		wait = e.guard.hold()
	}
	if now.Sub(e.doubted) >= wait {
		l.believe(e, answer)
		return
	}
	e.held = answer
	l.show(e, l.union(answer, e.good))
	l.reviewAt(e.doubted.Add(e.guard.hold()), now)
}

func (l *loop[K, W, E]) believe(e *entry[K, W, E], answer []E) {
	e.good, e.held, e.doubted = answer, nil, time.Time{}
	l.show(e, answer)
}

// review believes what was held long enough by a source that works.
func (l *loop[K, W, E]) review(now time.Time) {
	for _, e := range l.entries {
		if e.doubted.IsZero() {
			continue
		}
		if at := e.doubted.Add(e.guard.hold()); at.After(now) {
			l.reviewAt(at, now)
		} else if e.state == OK {
			l.believe(e, e.held)
		}
	}
}

// reviewAt arms the timer, if it would not fire earlier anyway.
func (l *loop[K, W, E]) reviewAt(at, now time.Time) {
	if l.nextAt.IsZero() || at.Before(l.nextAt) {
		l.nextAt = at
		l.doubt.Reset(max(at.Sub(now), 0))
	}
}

// union is a with those of b whose ids a lacks. Both are sorted by id.
func (l *loop[K, W, E]) union(a, b []E) []E {
	out := slices.Clone(a)
	for _, e := range b {
		if _, found := slices.BinarySearchFunc(a, l.id(e), func(x E, id string) int {
			return strings.Compare(l.id(x), id)
		}); !found {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(x, y E) int { return strings.Compare(l.id(x), l.id(y)) })
	return out
}
