package ratelimit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(1_700_000_000, 0)

// No stretch of time as long as the window has more than the limit, and after a window of silence all of it is there.
func TestNoWindowHasMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit{rapid.Uint64Range(1, 50).Draw(t, "requests"), time.Duration(rapid.IntRange(1, 90).Draw(t, "per")) * time.Second}
		c, now := New(100), start
		var allowed []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(limit.Per)/10).Draw(t, "gap")))
			if c.Take(now, Key{}, limit, 1).Allowed {
				allowed = append(allowed, now)
			}
		}
		for i := range allowed {
			if j := i + int(limit.Requests); j < len(allowed) && allowed[j].Sub(allowed[i]) < limit.Per {
				t.Fatalf("%d requests within %s", limit.Requests+1, allowed[j].Sub(allowed[i]))
			}
		}
		d := c.Take(now, Key{}, limit, 1)
		if !d.Allowed && !c.Take(now.Add(d.Reset), Key{}, limit, 1).Allowed {
			t.Fatalf("refused after the time that was promised, %s", d.Reset)
		}
		now = now.Add(3*limit.Per + time.Second)
		if d := c.Take(now, Key{}, limit, limit.Requests); !d.Allowed || d.Remaining != 0 {
			t.Fatalf("after silence: %+v", d)
		}
	})
}

func TestCountersAreBounded(t *testing.T) {
	c := New(640)
	for i := range 1_000_000 {
		c.Take(start, Key{byte(i), byte(i >> 8), byte(i >> 16)}, Limit{1, time.Second}, 1)
	}
	if n, evicted := c.Len(); n != 640 || evicted != 1_000_000-640 {
		t.Fatalf("%d counters, %d evicted", n, evicted)
	}
}

func TestAClockThatGoesBackForgetsNothing(t *testing.T) {
	c, limit := New(64), Limit{1, time.Minute}
	c.Take(start, Key{}, limit, 1)
	if c.Take(start.Add(-time.Hour), Key{}, limit, 1).Allowed {
		t.Fatal("allowed twice")
	}
}
