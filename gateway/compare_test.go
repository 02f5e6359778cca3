package gateway

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"pgregory.net/rapid"
)

func standing(file string, at int) hcl.Range {
	return hcl.Range{Filename: file, Start: hcl.Pos{Byte: at}}
}

func TestCompareTableOrder(t *testing.T) {
	route := func(priority int, file string, at int) *Route {
		return &Route{Priority: priority, Range: standing(file, at)}
	}
	plain := route(0, "a.hcl", 0)
	cond := []*ValueMatch{{Name: "x", Present: true}}
	early, late := &Variant{Name: "z", Range: standing("a.hcl", 5)}, &Variant{Name: "a", Range: standing("a.hcl", 9)}
	table := []*TableRoute{
		{Route: route(2, "z.hcl", 9), Match: &Match{Regex: "/.*"}},
		{Route: plain, Match: &Match{Path: "/x", Method: "GET", Headers: cond}},
		{Route: plain, Match: &Match{Path: "/x", Methods: []string{"GET", "PUT", "POST"}}},
		{Route: plain, Match: &Match{Path: "/x"}},
		{Route: plain, Match: &Match{Path: "/{y}", Query: cond, Headers: cond}},
		{Route: plain, Match: &Match{Path: "/{y}", Query: cond}},
		{Route: plain, Match: &Match{Path: "/long/{y}"}},
		{Route: plain, Match: &Match{Prefix: "/long/prefix"}},
		{Route: plain, Match: &Match{Prefix: "/long", Headers: cond}, Variant: early},
		{Route: plain, Match: &Match{Prefix: "/long", Headers: cond}, Variant: late},
		{Route: plain, Match: &Match{Prefix: "/long", Headers: cond}},
		{Route: plain, Match: &Match{Prefix: "/long"}},
		{Route: route(0, "a.hcl", 1), Match: &Match{}},
		{Route: route(0, "a.hcl", 2), Match: &Match{Prefix: "/"}},
		{Route: route(0, "b.hcl", 0), Match: &Match{}, Index: 0},
		{Route: route(0, "b.hcl", 0), Match: &Match{}, Index: 1},
		{Route: &Route{Name: `r["b"]`, Range: standing("b.hcl", 0)}, Match: &Match{}, Index: 0},
		{Route: plain, Match: &Match{Regex: "/aaa"}},
		{Route: route(-1, "a.hcl", 0), Match: &Match{Path: "/x"}},
	}
	want := fmt.Sprintf("%p", table)
	shuffled := slices.Clone(table)
	for range 50 {
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		slices.SortFunc(shuffled, CompareTable)
		for i := range table {
			if shuffled[i] != table[i] {
				t.Fatalf("%s: place %d holds %+v of %+v", want, i, shuffled[i].Match, shuffled[i].Route)
			}
		}
	}
}

// drawMatch makes a match out of few values, so that many are alike.
func drawMatch(t *rapid.T) *Match {
	m := &Match{}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		m.Path = rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "path")
	case 1:
		m.Path = rapid.SampledFrom([]string{"/{a}", "/a/{b}", "/a/{c=**}"}).Draw(t, "template")
	case 2:
		m.Prefix = rapid.SampledFrom([]string{"/", "/a", "/a/b"}).Draw(t, "prefix")
	case 3:
		m.Regex = rapid.SampledFrom([]string{"/a", "/b.*"}).Draw(t, "regex")
	}
	m.Methods = rapid.SliceOfN(rapid.SampledFrom([]string{"GET", "PUT"}), 0, 2).Draw(t, "methods")
	value := rapid.Custom(func(t *rapid.T) *ValueMatch {
		v := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")
		return rapid.SampledFrom([]*ValueMatch{{Name: "h", Exact: &v}, {Name: "i", Prefix: &v}, {Name: "h", Present: true}}).Draw(t, "condition")
	})
	m.Headers = rapid.SliceOfN(value, 0, 2).Draw(t, "headers")
	m.Query = rapid.SliceOfN(value, 0, 1).Draw(t, "query")
	return m
}

func drawEntry(t *rapid.T) *TableRoute {
	e := &TableRoute{
		Route: &Route{
			Name:     rapid.SampledFrom([]string{"r", `s["a"]`, `s["b"]`}).Draw(t, "name"),
			Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
			Range:    standing(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "file"), rapid.IntRange(0, 1).Draw(t, "at")),
		},
		Index: rapid.IntRange(0, 1).Draw(t, "index"),
		Match: drawMatch(t),
	}
	if rapid.Bool().Draw(t, "varies") {
		e.Variant = &Variant{Name: rapid.SampledFrom([]string{"v", "w"}).Draw(t, "variant"), Range: standing("a", rapid.IntRange(0, 1).Draw(t, "variant at"))}
	}
	return e
}

func sign(n int) int {
	return min(max(n, -1), 1)
}

func TestCompareTableIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawEntry(t), drawEntry(t), drawEntry(t)
		ab, ba, bc, ac := sign(CompareTable(a, b)), sign(CompareTable(b, a)), sign(CompareTable(b, c)), sign(CompareTable(a, c))
		if ab != -ba {
			t.Fatalf("a:b %d, b:a %d", ab, ba)
		}
		if ab <= 0 && bc <= 0 && ac > 0 || ab == 0 && ac != bc {
			t.Fatalf("a:b %d, b:c %d, a:c %d", ab, bc, ac)
		}
		if CompareTable(a, a) != 0 {
			t.Fatal("an entry differs from itself")
		}
		if ab == 0 && (a.Match.claim() != b.Match.claim() || a.Route.Name != b.Route.Name || a.Index != b.Index) {
			t.Fatalf("two entries in one place: %+v, %+v", a, b)
		}
	})
}

func TestClaimOf(t *testing.T) {
	k := ListenerKey{"edge", "http"}
	base := &Match{Path: "/u/{id}", Methods: []string{"GET", "PUT"}, Headers: []*ValueMatch{{Name: "A", Exact: text("1")}, {Name: "b", Present: true}}}
	same := []*Match{
		{Path: "/u/{name=*}", Methods: []string{"PUT", "GET", "PUT"}, Headers: []*ValueMatch{{Name: "B", Present: true}, {Name: "a", Exact: text("1")}}},
	}
	other := []*Match{
		{},
		{Path: "/u/{id}"},
		{Path: "/u/{id=**}", Methods: base.Methods, Headers: base.Headers},
		{Path: "/u/{id}", Methods: base.Methods[:1], Headers: base.Headers},
		{Path: "/u/{id}", Methods: base.Methods, Query: base.Headers},
		{Path: "/u/{id}", Methods: base.Methods, Headers: []*ValueMatch{{Name: "A", Prefix: text("1")}, {Name: "b", Present: true}}},
		{Path: "/u/{id}", Methods: base.Methods, Headers: []*ValueMatch{{Name: "A", Exact: text("1")}, {Name: "b", Absent: true}}},
	}
	want := ClaimOf(k, "Shop.example", base, 1)
	for _, m := range same {
		if got := ClaimOf(k, "shop.example", m, 1); got != want {
			t.Errorf("%s\n%s", got, want)
		}
	}
	claims := []string{want, ClaimOf(k, "shop.example", base, 0), ClaimOf(k, "*.example", base, 1), ClaimOf(ListenerKey{"edge.http", ""}, "shop.example", base, 1)}
	for _, m := range other {
		claims = append(claims, ClaimOf(k, "shop.example", m, 1))
	}
	slices.Sort(claims)
	if n := len(slices.Compact(slices.Clone(claims))); n != len(claims) {
		t.Errorf("claims are alike:\n%s", cmp.Diff(slices.Compact(slices.Clone(claims)), claims))
	}
	for _, pair := range [][2]*Match{
		{{}, {Prefix: "/"}},
		{{Method: "GET"}, {Methods: []string{"GET"}}},
	} {
		if ClaimOf(k, "h", pair[0], 0) != ClaimOf(k, "h", pair[1], 0) {
			t.Errorf("%+v and %+v differ", pair[0], pair[1])
		}
	}
	if ClaimOf(k, "h", &Match{Path: "/a"}, 0) == ClaimOf(k, "h", &Match{Regex: "/a"}, 0) {
		t.Error("a path and a regular expression are one claim")
	}
}

// TestEqualClaimsMatchAlike: of two entries with one claim, the second can never be reached.
func TestEqualClaimsMatchAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawMatch(t), drawMatch(t)
		if a.claim() != b.claim() {
			return
		}
		req := Request{
			Method:  rapid.SampledFrom([]string{"GET", "PUT"}).Draw(t, "method"),
			Path:    rapid.SampledFrom([]string{"/a", "/b", "/a/b", "/a/b/c"}).Draw(t, "path"),
			Headers: map[string][]string{"h": {"1"}},
			Query:   ParseQuery(rapid.SampledFrom([]string{"", "h=1", "i=2"}).Draw(t, "query")),
		}
		_, okA := a.Matches(req)
		_, okB := b.Matches(req)
		if okA != okB {
			t.Fatalf("%+v %v, %+v %v", a, okA, b, okB)
		}
	})
}
