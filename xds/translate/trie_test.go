package translate_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestBucketsHoldWhatCanMatch proves the trie without Envoy: for any path, the bucket of the longest key that it begins
// with holds every route whose literal beginning the path has, in the table's order.
func TestBucketsHoldWhatCanMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(/[ab]{0,2}){0,3}`)
		pattern := rapid.StringMatching(`!?(/[ab]{1,2}){0,3}(/\*|\*\*|)`)
		literals := rapid.SliceOfN(pattern, 1, 60).Draw(t, "patterns")
		path := text.Draw(t, "path")
		buckets := translate.BucketsOf(literals)
		var got []int
		for _, i := range buckets[longest(slices.Collect(maps.Keys(buckets)), path)] {
			if takes(literals[i], path) {
				got = append(got, i)
			}
		}
		var want []int
		for i, l := range literals {
			if takes(l, path) {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q may be taken by %v, its bucket holds %v of them: %v", path, want, got, buckets)
		}
		if n := size(buckets); n > 4*len(literals) {
			t.Fatalf("%d routes became %d entries", len(literals), n)
		}
	})
}

func takes(pattern, path string) bool {
	pattern = strings.TrimPrefix(pattern, "!")
	if text, ok := strings.CutSuffix(pattern, "**"); ok {
		return strings.HasPrefix(path, text)
	}
	if text, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path == text || strings.HasPrefix(path, text+"/")
	}
	return path == pattern
}

func longest(keys []string, path string) string {
	out := ""
	for _, k := range keys {
		if strings.HasPrefix(path, k) && len(k) > len(out) {
			out = k
		}
	}
	return out
}

func size(buckets map[string][]int) int {
	n := 0
	for _, b := range buckets {
		n += len(b)
	}
	return n
}

// TestBucketsStayWithinTheirBudget gives tables that would grow without it, and says how long a bucket may be.
func TestBucketsStayWithinTheirBudget(t *testing.T) {
	const n = 10_000
	for _, c := range []struct {
		name   string
		bucket int // the longest allowed
		make   func(i int) string
	}{
		{"one beside another", 1, func(i int) string { return fmt.Sprintf("/api/v1/functions/fn-%d/*", i) }},
		{"each below the one before", n, func(i int) string { return strings.Repeat("/a", i%1000) + "/*" }},
		{"catch-alls before all", 600, func(i int) string {
			if i%100 == 0 {
				return "/**"
			}
			return fmt.Sprintf("/api/fn-%d/**", i)
		}},
		{"costly catch-alls before all", 300, func(i int) string {
			if i < 2 {
				return "!/**"
			}
			return fmt.Sprintf("/api/fn-%04d/**", i)
		}},
		{"all alike", n, func(int) string { return "/**" }},
		{"without a beginning", n, func(int) string { return "**" }},
	} {
		literals := make([]string, n)
		for i := range literals {
			literals[i] = c.make(i)
		}
		buckets := translate.BucketsOf(literals)
		longest, costly, copies := 0, 0, 0
		for _, l := range literals {
			if l[0] == '!' {
				costly++
			}
		}
		for _, b := range buckets {
			longest = max(longest, len(b))
			for _, i := range b {
				if literals[i][0] == '!' {
					copies++
				}
			}
		}
		t.Logf("%s: %d buckets, %d entries, the longest has %d", c.name, len(buckets), size(buckets), longest)
		if got := size(buckets); got > 4*n {
			t.Errorf("%s: %d routes became %d entries", c.name, n, got)
		}
		if copies > 128*costly {
			t.Errorf("%s: %d costly routes became %d", c.name, costly, copies)
		}
		if longest > c.bucket {
			t.Errorf("%s: a bucket has %d routes, want %d at most", c.name, longest, c.bucket)
		}
	}
}

func BenchmarkBuckets(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		literals := make([]string, n)
		for i := range literals {
			literals[i] = fmt.Sprintf("/api/v1/functions/fn-%d", i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				translate.BucketsOf(literals)
			}
		})
	}
}
