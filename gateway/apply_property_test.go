package gateway

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestIncrementalEqualsRebuild applies random sequences of changes. After each, the world must equal the one built at
// once from the same inputs and what is in force, and every unit whose inputs differ must have been named as touched.
func TestIncrementalEqualsRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := Input{Documents: map[string]*Document{}, Leaves: map[ID]*string{}, Endpoints: map[SourceKey][]Endpoint{},
			Quarantine: map[FormRef]*string{}, Drained: map[string]bool{}, Functions: map[FinderKey][]*Function{}, Secrets: map[ID]string{}}
		w := New(testRules)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			in := drawInput(t, w)
			merge(&all, in)
			next, change := Apply(w, in)
			requireTouched(t, w, next, change)
			w = next
			requireRebuild(t, w, all)
		}
	})
}

// testRules has two features whose filters came later than the first ones.
var testRules = &Rules{Features: []FeatureRule{
	{Type: "old", Combine: Compose, Levels: AllLevels, Since: 1}, {Type: "new", Combine: Compose, Levels: AllLevels, Since: 2},
	{Type: "newest", Combine: Nearest, Levels: AllLevels, Since: 3}, {Type: "reads", Combine: Compose, Levels: AllLevels, Since: 1},
	{Type: "cred-s0", Combine: Compose, Levels: AllLevels, Since: 1}, {Type: "cred-s1", Combine: Compose, Levels: AllLevels},
}}

func drawInput(t *rapid.T, w *World) Input {
	in := Input{}
	switch rapid.IntRange(0, 16).Draw(t, "op") {
	case 0, 1, 2, 3:
		n := rapid.IntRange(0, 4).Draw(t, "doc")
		in.Documents = map[string]*Document{fmt.Sprintf("d%d", n): drawDocument(t, n)}
	case 4, 5:
		v := rapid.SampledFrom([]string{"5", "50", "200", "x"}).Draw(t, "raw")
		p := &v
		if rapid.Bool().Draw(t, "absent") {
			p = nil
		}
		in.Leaves = map[ID]*string{{KindValue, drawName(t, "k", 2)}: p}
	case 6:
		in.Endpoints = map[SourceKey][]Endpoint{{"fake", drawName(t, "s", 3)}: {{ID: "e", Address: drawName(t, "10.0.0.", 3), Port: 1}}}
	case 7:
		in.Ledger = map[ID]*Form{}
		for _, b := range w.Blocks() {
			if b.InForce != nil && rapid.Bool().Draw(t, "ack") {
				in.Ledger[b.ID] = b.InForce
			}
		}
	case 8:
		in.Quarantine = map[FormRef]*string{}
		for _, b := range w.Blocks() {
			// A block of a document that does not parse now is known from what is in force alone; refused then, it is
			// known to the replica that saw it before and to no other.
			if b.InForce != nil && b.Kind != KindLocal && w.broken.get(b.InForce.Written.Document()) == nil && rapid.IntRange(0, 5).Draw(t, "nack") == 0 {
				said := "no"
				in.Quarantine[FormRef{b.ID, b.InForce.Hash}] = &said
			}
		}
		for _, k := range slices.SortedFunc(maps.Keys(w.Finders()), CompareFinderKey) {
			for _, f := range w.listings.get(k).functions() {
				if rapid.IntRange(0, 5).Draw(t, "nack of a function") == 0 {
					said := "no"
					in.Quarantine[functionForm(k.Upstream, f)] = &said
				}
			}
		}
	case 9:
		in.Drained = map[string]bool{"10.0.0.1:1": rapid.Bool().Draw(t, "drained")}
		in.Settled = rapid.Bool().Draw(t, "settled")
	case 10:
		least := 1
		for _, b := range w.Blocks() { // as with what is refused
			for _, f := range []*Form{b.InForce, b.Newest} {
				if f != nil && w.broken.get(f.Written.Document()) != nil && testRules.needs(f, 1) != nil {
					least = 3
				}
			}
		}
		in.Generation = rapid.IntRange(least, 3).Draw(t, "generation")
	case 11, 12, 13:
		in.Functions = map[FinderKey][]*Function{}
		for _, k := range slices.SortedFunc(maps.Keys(w.Finders()), CompareFinderKey) {
			if rapid.Bool().Draw(t, "answers") {
				in.Functions[k] = drawFunctions(t)
			}
		}
	case 15:
		if len(w.broken.m) == 0 { // as with what is refused
			in.Documents = map[string]*Document{"teams": drawTeams(t)}
		}
	case 14:
		id := ID{KindSecret, drawName(t, "s", 2)}
		if rapid.Bool().Draw(t, "of a mesh") {
			id = MeshSecret("")
		}
		in.Secrets = map[ID]string{id: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "version")}
	}
	return in
}

// drawTeams is a document that says what some of the others may do.
func drawTeams(t *rapid.T) *Document {
	var lines []string
	for _, name := range []string{"a", "b"} {
		if rapid.Bool().Draw(t, "team "+name) {
			lines = append(lines, fmt.Sprintf("team.%s docs=%s;claim=%s;up=%s;fn=%s;kv=%s;policy=%s;gw=%s;define=%s", name,
				rapid.SampledFrom([]string{"d1", "d1,d2", "d*", "d3"}).Draw(t, "docs"),
				rapid.SampledFrom([]string{"", "h0/", "h0/p0,h1/", "*/"}).Draw(t, "claims"),
				rapid.SampledFrom([]string{"", "u0", "*"}).Draw(t, "upstreams"),
				rapid.SampledFrom([]string{"", "u0.f0", "*.f1"}).Draw(t, "functions"),
				rapid.SampledFrom([]string{"", "k0", "**"}).Draw(t, "values"),
				rapid.SampledFrom([]string{"", "p0"}).Draw(t, "policies"),
				rapid.SampledFrom([]string{"", "g0", "g1"}).Draw(t, "gateways"),
				rapid.SampledFrom([]string{"", "upstream", "upstream,function,secret"}).Draw(t, "define")))
		}
	}
	return fakeDoc("teams", 9, lines...)
}

// drawFunctions is what a finder says; nil: nobody asks it any more.
func drawFunctions(t *rapid.T) []*Function {
	if rapid.IntRange(0, 7).Draw(t, "forgotten") == 0 {
		return nil
	}
	out := []*Function{}
	for _, name := range []string{"f0", "a/f1", "b/f1"} {
		if path := rapid.SampledFrom([]string{"", "/x", "/x/{a}", "/y"}).Draw(t, "path of "+name); path != "" {
			_, short, _ := strings.Cut(name, "/")
			out = append(out, found(name+"~"+short+"="+path)...)
		}
	}
	return out
}

func drawFunction(t *rapid.T) string {
	return drawName(t, "u", 3) + "." + rapid.SampledFrom([]string{"f0", "f1", "a/f1", "gone"}).Draw(t, "function")
}

func drawName(t *rapid.T, prefix string, n int) string {
	return fmt.Sprintf("%s%d", prefix, rapid.IntRange(0, n-1).Draw(t, prefix))
}

func drawDocument(t *rapid.T, n int) *Document {
	name := fmt.Sprintf("d%d", n)
	switch rapid.IntRange(0, 9).Draw(t, "kind of document") {
	case 0:
		return nil
	case 1:
		return &Document{Name: name, Index: uint64(n), Broken: true}
	}
	var lines []string
	for range rapid.IntRange(0, 6).Draw(t, "blocks") {
		lines = append(lines, drawBlock(t))
	}
	return fakeDoc(name, uint64(n), lines...)
}

func drawBlock(t *rapid.T) string {
	bad := ""
	if rapid.IntRange(0, 7).Draw(t, "bad") == 0 {
		bad = ";bad=1"
	}
	value := func() string {
		return rapid.SampledFrom([]string{"1", "20", "local.l0", "local.l1", "kv.k0", "kv.k1", "local.none"}).Draw(t, "value")
	}
	if f := rapid.SampledFrom([]string{"", "", "", "", "old", "new", "newest", "reads-a", "off", "cred-s0", "cred-s1"}).Draw(t, "feature"); f != "" {
		bad += ";feature=" + f
	}
	switch rapid.IntRange(0, 11).Draw(t, "block") {
	case 0:
		return fmt.Sprintf("gateway.%s scope=%s;listeners=%s;attach=%s;variant=%s%s", drawName(t, "g", 3), rapid.SampledFrom([]string{"", "first_segment"}).Draw(t, "scope"),
			rapid.SampledFrom([]string{"http", "http,https"}).Draw(t, "listeners"), rapid.SampledFrom([]string{"", "1"}).Draw(t, "attach"),
			rapid.SampledFrom([]string{"", "v3"}).Draw(t, "gateway variant"), bad)
	case 1, 2:
		return fmt.Sprintf("upstream.%s src=%s;each=%s%s%s", drawName(t, "u", 3), drawName(t, rapid.SampledFrom([]string{"s", "s", "mesh-s"}).Draw(t, "source"), 3),
			rapid.SampledFrom([]string{"", "", "a", "b", "a,b"}).Draw(t, "each"),
			rapid.SampledFrom([]string{"", "", ";openapi=/1", ";openapi=/1", ";openapi=/2", ";lambda=s0", ";lambda=s1;discover=0"}).Draw(t, "finder"), bad)
	case 3:
		return fmt.Sprintf("policy.%s variant=%s%s", drawName(t, "p", 2), rapid.SampledFrom([]string{"", "v1", "v2"}).Draw(t, "variant"), bad)
	case 4:
		return fmt.Sprintf("local.%s v=%s%s", drawName(t, "l", 2), value(), bad)
	case 5:
		return fmt.Sprintf("function.%s %s%s", drawFunction(t), rapid.SampledFrom([]string{"", "path=/d", "path=/d/{b}"}).Draw(t, "declares"), bad)
	case 6:
		return fmt.Sprintf("secret.%s x=%s%s", drawName(t, "s", 2), drawName(t, "x", 2), bad)
	}
	bad += rapid.SampledFrom([]string{"", "", ";fn=" + drawFunction(t), ";args=a:1;fn=" + drawFunction(t)}).Draw(t, "calls")
	bad += rapid.SampledFrom([]string{"", "", "", ";match=" + drawFunction(t)}).Draw(t, "matches")
	bad += rapid.SampledFrom([]string{"", "", ";default=1", ";default=2"}).Draw(t, "default")
	return fmt.Sprintf("route.%s host=%s;path=/%s;up=%s%s;weight=%s;policy=%s;gw=%s;tag=%s%s", drawName(t, "r", 5), rapid.SampledFrom([]string{"h0", "h1", "any"}).Draw(t, "host"),
		rapid.SampledFrom([]string{"p0", "p1", "p2", "p0/x", ""}).Draw(t, "path"), drawName(t, "u", 3), rapid.SampledFrom([]string{"", "", `["a"]`, `["b"]`}).Draw(t, "instance"), value(), rapid.SampledFrom([]string{"", "p0", "p1"}).Draw(t, "policy"),
		rapid.SampledFrom([]string{"", "", "g0", "g1", "g0.https"}).Draw(t, "gw"), rapid.SampledFrom([]string{"", "", "t1"}).Draw(t, "tag"), bad)
}

// merge keeps the inputs as a replica that starts now would be given them.
func merge(all *Input, in Input) {
	maps.Copy(all.Documents, in.Documents)
	maps.Copy(all.Leaves, in.Leaves)
	maps.Copy(all.Endpoints, in.Endpoints)
	maps.Copy(all.Quarantine, in.Quarantine)
	maps.Copy(all.Drained, in.Drained)
	maps.Copy(all.Functions, in.Functions)
	maps.Copy(all.Secrets, in.Secrets)
	all.Settled = all.Settled || in.Settled
	if in.Generation > 0 {
		all.Generation = in.Generation
	}
}

// everything has differences shown in unexported fields, too.
var everything = cmp.Exporter(func(reflect.Type) bool { return true })

func requireTouched(t *rapid.T, before, after *World, change Change) {
	touched := map[Unit]bool{}
	for _, u := range change.Units {
		touched[u] = true
	}
	for _, u := range append(before.AllUnits(), after.AllUnits()...) {
		if !touched[u] && !reflect.DeepEqual(before.Inputs(u), after.Inputs(u)) {
			t.Fatalf("inputs of %v changed and it was not named:\n%s", u, cmp.Diff(before.Inputs(u), after.Inputs(u), everything))
		}
	}
}

func requireRebuild(t *rapid.T, w *World, all Input) {
	all.Ledger = map[ID]*Form{}
	maps.Copy(all.Ledger, w.ledger.all())
	for _, b := range w.Blocks() {
		if b.InForce != nil {
			f := *b.InForce
			f.Detached = w.Detached(b.ID)
			all.Ledger[b.ID] = &f
		}
	}
	all.Remembered = w.Remembered()
	full, _ := Apply(New(testRules), all)
	if got, want := w.AllUnits(), full.AllUnits(); !reflect.DeepEqual(got, want) {
		t.Fatalf("units differ, incremental - full +:\n%s\n%s", cmp.Diff(got, want, everything), dump(w, full))
	}
	for _, u := range w.AllUnits() {
		if got, want := w.Inputs(u), full.Inputs(u); !reflect.DeepEqual(got, want) {
			t.Fatalf("inputs of %v differ, incremental - full +:\n%s\n%s", u, cmp.Diff(got, want, everything), dump(w, full))
		}
	}
}

func dump(worlds ...*World) (out string) {
	for i, w := range worlds {
		out += fmt.Sprintf("--- world %d\n", i)
		for _, b := range w.Blocks() {
			out += fmt.Sprintf("%s %s", b.ID, b.State)
			if b.Newest != nil {
				out += fmt.Sprintf(" newest=%s:%s", b.Newest.Written.Document(), b.Newest.Written.Text())
			}
			if b.InForce != nil {
				out += fmt.Sprintf(" inforce=%s:%s", b.InForce.Written.Document(), b.InForce.Written.Text())
			}
			out += fmt.Sprintf(" %v\n", b.Diags)
		}
	}
	return out
}
