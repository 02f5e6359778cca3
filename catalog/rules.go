package catalog

import (
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/time/rate"
)

// The pace of one watch. Two answers may follow each other at once, so that neither a lone change nor the second of
// two waits. Sustained change is slowed down in proportion to what a list costs to read again, wakes that change nothing
// down to one in 15 s.
const (
	burst       = 2
	rowPace     = 50 * time.Microsecond // a row, between answers that changed something, when they keep coming
	leastPace   = time.Millisecond
	mostPace    = 15 * time.Second
	idleFirst   = 100 * time.Millisecond // after the burst of answers that changed nothing, doubling
	idleLast    = 15 * time.Second
	idleForget  = time.Minute // without an idle wake, the pace is forgotten
	retryFirst  = 200 * time.Millisecond
	retryLast   = 15 * time.Second
	maxContact  = 10 * time.Second // an answer older than this is no proof of absence
	answerSlack = 10 * time.Second // of a call's deadline, beyond what Consul may take
	recheck     = 5 * time.Second  // between reads that could not confirm a deletion
	shortWait   = time.Minute      // longest blocking query where few are, or a policy may change
	spread      = 2 * time.Second  // over which watches restart after an outage
)

// rules says what a watch asks next and when. It does no I/O and reads no clock; its user is one goroutine.
type rules struct {
	wait time.Duration // longest blocking query

	index    uint64
	fails    int
	changes  *rate.Limiter
	idleLast time.Duration
	idle     int       // answers in a row that changed nothing though the index had advanced
	idleAt   time.Time // of the last of them
}

func newRules(wait time.Duration) *rules {
	return &rules{wait: wait, idleLast: idleLast, changes: rate.NewLimiter(rate.Every(leastPace), burst)}
}

// patience is how long the next call is to wait; random is in [0,1). Thousands of watches that began together would
// otherwise all be answered, with all they watch, in one moment of every few minutes.
func (r *rules) patience(random float64) time.Duration {
	return r.wait/2 + time.Duration(random*float64(r.wait/2))
}

// deadline is when a call that waits for `wait` must have answered: Consul adds up to a sixteenth.
func deadline(wait time.Duration) time.Duration { return wait + wait/16 + answerSlack }

// verdict is what an answer's headers say about it.
type verdict struct {
	Same     bool // the index has not moved: nothing is new
	WentBack bool // the index went back: a restored snapshot, or a lost state
}

// answered takes the index of an answer. An index that goes back restarts the watch, and 0 counts as 1: asking with 0
// would not block.
func (r *rules) answered(index uint64) verdict {
	r.fails = 0
	v := verdict{Same: index == r.index && index != 0, WentBack: index < r.index && r.index > 1}
	switch {
	case v.WentBack:
		r.index = 0
	case index == 0:
		r.index = 1
	default:
		r.index = index
	}
	return v
}

// pause is how long to wait before asking again after an answer of so many rows.
func (r *rules) pause(now time.Time, v verdict, changed bool, rows int) time.Duration {
	switch {
	case changed:
		r.idle = 0
		r.changes.SetLimitAt(now, rate.Every(min(max(leastPace, time.Duration(rows)*rowPace), mostPace)))
		return r.changes.ReserveN(now, 1).DelayFrom(now)
	case v.Same: // the wait ran out: the next call blocks
		return 0
	}
	if now.Sub(r.idleAt) > idleForget {
		r.idle = 0
	}
	r.idle++
	r.idleAt = now
	if r.idle <= burst {
		return 0
	}
	return doubled(idleFirst, r.idle-burst-1, r.idleLast)
}

// failed is how long to wait after an error; random is in [0,1).
func (r *rules) failed(random float64) time.Duration {
	d := doubled(retryFirst, r.fails, retryLast)
	r.fails++
	return time.Duration((0.5 + random/2) * float64(d))
}

// doubled is first·2^n, at most last.
func doubled(first time.Duration, n int, last time.Duration) time.Duration {
	for ; n > 0 && first < last; n-- {
		first *= 2
	}
	return min(first, last)
}

// trust is how much an answer proves about rows that are not in it.
type trust uint8

const (
	proves   trust = iota // a missing row was deleted, once a consistent read says so too
	suspects              // it may be an accident: hold, then confirm
	denies                // it proves nothing: hold until an answer does
)

// trusted judges an answer by its headers. An anonymous client is not told when rows are filtered. An answer of Consul's
// streaming backend says neither that there is a leader nor that rows were filtered, so leader is what the heartbeat
// knows; the consistent read that confirms a deletion is never streamed.
func trusted(meta *api.QueryMeta, v verdict, anonymous, leader bool) trust {
	known := meta.KnownLeader
	if streamed(meta) {
		known = leader
	}
	switch {
	case !known, meta.ResultsFilteredByACLs, meta.LastContact > maxContact:
		return denies
	case v.WentBack, anonymous && meta.DefaultACLPolicy == "deny":
		return suspects
	}
	return proves
}

func streamed(meta *api.QueryMeta) bool { return meta.QueryBackend == api.QueryBackendStreaming }
