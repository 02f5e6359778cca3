package catalog

import (
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

func TestIndexRules(t *testing.T) {
	for _, tc := range []struct {
		name         string
		have, answer uint64
		want         uint64
		verdict      verdict
	}{
		{"first", 0, 7, 7, verdict{}},
		{"first of a Consul without an index", 0, 0, 1, verdict{}},
		{"advanced", 7, 9, 9, verdict{}},
		{"unchanged", 7, 7, 7, verdict{Same: true}},
		{"went back", 7, 3, 0, verdict{WentBack: true}},
		{"went back to none", 7, 0, 0, verdict{WentBack: true}},
		{"still without an index", 1, 0, 1, verdict{}},
	} {
		r := newRules(time.Minute)
		r.index = tc.have
		if got := r.answered(tc.answer); got != tc.verdict || r.index != tc.want {
			t.Errorf("%s: %+v, asks with %d; want %+v, %d", tc.name, got, r.index, tc.verdict, tc.want)
		}
	}
	if got, want := deadline(5*time.Minute), 5*time.Minute+18750*time.Millisecond; got <= want {
		t.Errorf("a call that waits 5 m is given %s, and Consul may take %s", got, want)
	}
}

func TestPace(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRules(time.Minute)
	for i, want := range []bool{true, true, false, false} {
		if got := r.pause(now, verdict{}, true, 10_000) == 0; got != want {
			t.Errorf("change %d of a large list: asks at once: %v", i, got)
		}
	}
	if d := r.pause(now.Add(time.Hour), verdict{}, true, 10_000); d != 0 {
		t.Errorf("a lone change is followed by a pause of %s", d)
	}
	r = newRules(time.Minute)
	for range 100 {
		r.pause(now, verdict{}, true, 1)
		now = now.Add(time.Millisecond)
	}
	if d := r.pause(now, verdict{}, true, 1); d > 2*time.Millisecond {
		t.Errorf("a small list that changes every millisecond is read after %s", d)
	}
	var last time.Duration
	for i := range 20 {
		d := r.pause(now, verdict{}, false, 1)
		if i < burst && d != 0 || d > idleLast || d < last {
			t.Errorf("idle wake %d: a pause of %s after %s", i, d, last)
		}
		last, now = d, now.Add(d)
	}
	if last != idleLast {
		t.Errorf("sustained idle wakes are read every %s", last)
	}
	if d := r.pause(now, verdict{Same: true}, false, 1); d != 0 {
		t.Errorf("a wait that ran out is followed by a pause of %s", d)
	}
	if r.pause(now, verdict{}, true, 1); r.pause(now, verdict{}, false, 1) != 0 {
		t.Error("a change does not end the slow pace")
	}
}

func TestBackOff(t *testing.T) {
	r := newRules(time.Minute)
	var last time.Duration
	for range 20 {
		last = r.failed(1)
		if last > retryLast {
			t.Fatalf("waits %s after an error", last)
		}
	}
	if last != retryLast || r.failed(0) != retryLast/2 {
		t.Errorf("the last back-off is %s", last)
	}
	r.answered(5)
	if d := r.failed(1); d != retryFirst {
		t.Errorf("the first back-off after an answer is %s", d)
	}
}

func TestTrust(t *testing.T) {
	good := api.QueryMeta{KnownLeader: true, DefaultACLPolicy: "deny"}
	with := func(f func(*api.QueryMeta)) *api.QueryMeta { m := good; f(&m); return &m }
	for _, tc := range []struct {
		name              string
		meta              *api.QueryMeta
		verdict           verdict
		anonymous, leader bool
		want              trust
	}{
		{"good", &good, verdict{}, false, true, proves},
		{"no leader", with(func(m *api.QueryMeta) { m.KnownLeader = false }), verdict{}, false, true, denies},
		{"old", with(func(m *api.QueryMeta) { m.LastContact = time.Minute }), verdict{}, false, true, denies},
		{"filtered", with(func(m *api.QueryMeta) { m.ResultsFilteredByACLs = true }), verdict{}, false, true, denies},
		{"index went back", &good, verdict{WentBack: true}, false, true, suspects},
		{"anonymous under default deny", &good, verdict{}, true, true, suspects},
		{"streamed", with(func(m *api.QueryMeta) { m.KnownLeader, m.QueryBackend = false, "streaming" }), verdict{}, false, true, proves},
		{"streamed, leader lost", with(func(m *api.QueryMeta) { m.QueryBackend = "streaming" }), verdict{}, false, false, denies},
	} {
		if got := trusted(tc.meta, tc.verdict, tc.anonymous, tc.leader); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestWatchesThatBeganTogetherDoNotEndTogether(t *testing.T) {
	r := newRules(time.Minute)
	for random, want := range map[float64]time.Duration{0: 30 * time.Second, 0.5: 45 * time.Second, 0.999999: 59999970 * time.Microsecond} {
		if got := r.patience(random); got != want {
			t.Errorf("patience(%v) = %v, want %v", random, got, want)
		}
	}
}
