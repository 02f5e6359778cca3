package gateway

import (
	"fmt"
	"testing"
)

// manyFunctions is a world of one upstream with n operations, each called by a route of its own host.
func manyFunctions(b *testing.B, n int) (*World, FinderKey, []*Function) {
	b.Helper()
	lines := []string{aGateway, anAPI}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("op%d", i))
		lines = append(lines, fmt.Sprintf("route.r%d host=h%d;match=u.op%d;fn=u.op%d;weight=1", i, i, i, i))
	}
	w, _ := Apply(New(&Rules{}), Input{Documents: map[string]*Document{"d": fakeDoc("d", 1, lines...)}})
	var key FinderKey
	for k := range w.Finders() {
		key = k
	}
	list := found(names...)
	w, _ = Apply(w, Input{Functions: map[FinderKey][]*Function{key: list}})
	if got := len(w.AllUnits()); got < n {
		b.Fatalf("%d units", got)
	}
	return w, key, list
}

// BenchmarkOneFunctionOfMany changes one operation among 5,000, in an answer that is otherwise equal and made anew, or of
// the same pointers.
func BenchmarkOneFunctionOfMany(b *testing.B) {
	for _, fresh := range []bool{false, true} {
		b.Run(fmt.Sprintf("fresh=%v", fresh), func(b *testing.B) {
			w, key, list := manyFunctions(b, 5000)
			for i := 0; b.Loop(); i++ {
				next := append([]*Function(nil), list...)
				if fresh {
					for j, f := range next {
						c := *f
						next[j] = &c
					}
				}
				next[0] = found(fmt.Sprintf("op0=/changed/%d/{a}", i))[0]
				var c Change
				w, c = Apply(w, Input{Functions: map[FinderKey][]*Function{key: next}})
				if len(c.Blocks) != 1 || len(c.Units) != 1 {
					b.Fatalf("touched %v", c)
				}
			}
		})
	}
}

// BenchmarkUnchangedFunctions is an answer that is equal to the last.
func BenchmarkUnchangedFunctions(b *testing.B) {
	w, key, list := manyFunctions(b, 5000)
	for b.Loop() {
		next := make([]*Function, len(list))
		for j, f := range list {
			c := *f
			next[j] = &c
		}
		if _, c := Apply(w, Input{Functions: map[FinderKey][]*Function{key: next}}); len(c.Blocks)+len(c.Units) > 0 {
			b.Fatalf("touched %v", c)
		}
	}
}
