package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestHashStays guards the hash: with another one, every client would be moved.
func TestHashStays(t *testing.T) {
	for value, want := range map[string]uint32{
		"": 0, "a": 752805, "user-1": 568641, "user-2": 678929, "b3f1c1a2-8f7e-4f53-a1cb-0f6d5b4d3c2e": 670851,
	} {
		if got := StickyBucket(value); got != want {
			t.Errorf("%q falls to %d, want %d", value, got, want)
		}
	}
	long := strings.Repeat("x", StickyBytes)
	if StickyBucket(long) != StickyBucket("other"+long) || StickyBucket(long+"1") == StickyBucket(long+"2") {
		t.Error("of a long value not the end is hashed")
	}
}

// TestHashSpreads looks at values as clients have them: tenths of a million get a tenth each.
func TestHashSpreads(t *testing.T) {
	const n = 20_000
	for name, format := range map[string]string{
		"numbers": "%d", "names": "user-%d", "mails": "user%d@example.com", "padded": "%012d", "hex": "%08x",
		"ids": "b3f1c1a2-8f7e-4f53-a1cb-%012x", "ends": "%d-session",
	} {
		var count [10]float64
		for i := range n {
			count[StickyBucket(fmt.Sprintf(format, i))/(Million/10)]++
		}
		chi := 0.0
		for _, c := range count {
			chi += (c - n/10) * (c - n/10) / (n / 10)
		}
		if chi > 33.7 { // nine degrees of freedom, one in ten thousand
			t.Errorf("%s: chi² is %.1f: %v", name, chi, count)
		}
	}
}

func TestKept(t *testing.T) {
	table := func(s *Sticky, weights ...uint32) *TableRoute {
		e := &TableRoute{Route: &Route{Sticky: s}}
		for _, w := range weights {
			e.Destinations = append(e.Destinations, &TableDestination{Weight: w})
		}
		return e
	}
	header, cookie := &Sticky{Header: "X-User"}, &Sticky{Cookie: "u"}
	low, high := "user-5", "user-1" // of 50 and 50
	for _, c := range []struct {
		name  string
		entry *TableRoute
		req   Request
		want  int // the destination; -1: drawn
	}{
		{"header below", table(header, 50, 50), Request{Headers: http.Header{"x-user": {low}}}, 0},
		{"header above", table(header, 50, 50), Request{Headers: http.Header{"x-user": {high}}}, 1},
		{"several headers", table(header, 50, 50), Request{Headers: http.Header{"x-user": {high, low, ""}}}, 0},
		{"no header", table(header, 50, 50), Request{}, -1},
		{"empty header", table(header, 50, 50), Request{Headers: http.Header{"x-user": {""}}}, -1},
		{"no sticky block", table(nil, 50, 50), Request{Headers: http.Header{"x-user": {low}}}, -1},
		{"one share", table(header, 0, 50), Request{Headers: http.Header{"x-user": {low}}}, -1},
		{"no share", table(header, 0, 0), Request{Headers: http.Header{"x-user": {low}}}, -1},
		{"one between", table(header, 50, 0, 50), Request{Headers: http.Header{"x-user": {high}}}, 2},
		{"first cookie", table(cookie, 50, 50), Request{Headers: http.Header{"cookie": {"a=b; u=" + low + "; u=" + high}}}, 0},
		{"quoted cookie", table(cookie, 50, 50), Request{Headers: http.Header{"cookie": {`u="` + high + `"`}}}, 1},
		{"second line", table(cookie, 50, 50), Request{Headers: http.Header{"cookie": {"a=b", "u=" + high}}}, 1},
		{"other case", table(cookie, 50, 50), Request{Headers: http.Header{"cookie": {"U=" + high}}}, -1},
		{"empty cookie", table(cookie, 50, 50), Request{Headers: http.Header{"cookie": {"u=; u=" + high}}}, -1},
	} {
		got := slices.Index(c.entry.Destinations, c.entry.Kept(c.req))
		if got != c.want {
			t.Errorf("%s: destination %d, want %d", c.name, got, c.want)
		}
	}
}

// TestConditionsOnSeveralValues: each value by itself, but for the headers that are one.
func TestConditionsOnSeveralValues(t *testing.T) {
	if !slices.IsSorted(joined) {
		t.Fatal("the headers that are one are searched for, so sorted")
	}
	one, both := "b", "a,b"
	for name, values := range map[string]map[string]bool{"x-user": {one: true, both: false}, "accept": {one: false, both: true}} {
		for v, want := range values {
			m := Match{Headers: []*ValueMatch{{Name: name, Exact: &v}}}
			if _, ok := m.Matches(Request{Path: "/", Headers: http.Header{name: {"a", "b"}}}); ok != want {
				t.Errorf("%s %q: %v", name, v, ok)
			}
		}
	}
}
