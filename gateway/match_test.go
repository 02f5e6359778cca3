package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func text(s string) *string { return &s }

func TestMatchesPath(t *testing.T) {
	for _, c := range []struct {
		match *Match
		path  string
		ok    bool
		vars  map[string]string
	}{
		{&Match{}, "/", true, nil},
		{&Match{}, "/a/b", true, nil},
		{&Match{}, "*", false, nil}, // OPTIONS *
		{&Match{Path: "/a"}, "/a", true, nil},
		{&Match{Path: "/a"}, "/a/", false, nil},
		{&Match{Path: "/a"}, "/A", false, nil},
		{&Match{Prefix: "/"}, "/a", true, nil},
		{&Match{Prefix: "/a"}, "/a", true, nil},
		{&Match{Prefix: "/a"}, "/a/", true, nil},
		{&Match{Prefix: "/a"}, "/a/b", true, nil},
		{&Match{Prefix: "/a"}, "/ab", false, nil},
		{&Match{Prefix: "/a/"}, "/a", false, nil},
		{&Match{Prefix: "/a/"}, "/a/", true, nil},
		{&Match{Prefix: "/a/"}, "/a/b", true, nil},
		{&Match{Path: "/u/{id}"}, "/u/7", true, map[string]string{"id": "7"}},
		{&Match{Path: "/u/{id=*}"}, "/u/7", true, map[string]string{"id": "7"}},
		{&Match{Path: "/u/{id}"}, "/u/a%20*=b", true, map[string]string{"id": "a%20*=b"}},
		{&Match{Path: "/u/{id}"}, "/u/", false, nil},
		{&Match{Path: "/u/{id}"}, "/u/7/", false, nil},
		{&Match{Path: "/u/{id}"}, "/u/7/8", false, nil},
		{&Match{Path: "/u/{id}.bin"}, "/u/7.bin", true, map[string]string{"id": "7"}},
		{&Match{Path: "/u/{id}.bin"}, "/u/7xbin", false, nil},
		{&Match{Path: "/u/{id}.bin"}, "/u/.bin", false, nil},
		{&Match{Path: "/u/{id}:go"}, "/u/7:go", true, map[string]string{"id": "7"}},
		{&Match{Path: "/{y}-{m}.csv"}, "/2025-04.csv", true, map[string]string{"y": "2025", "m": "04"}},
		{&Match{Path: "/f/{rest=**}"}, "/f/a/b/", true, map[string]string{"rest": "a/b/"}},
		{&Match{Path: "/f/{rest=**}"}, "/f/", true, map[string]string{"rest": ""}},
		{&Match{Path: "/f/{rest=**}"}, "/f", false, nil},
		{&Match{Path: "/{a}/x/{b}"}, "/1/x/2", true, map[string]string{"a": "1", "b": "2"}},
		{&Match{Path: "/{a"}, "/{a", false, nil}, // malformed
		{&Match{Regex: `/v\d+/.*`}, "/v12/x", true, nil},
		{&Match{Regex: `/v\d+`}, "/v12/x", false, nil}, // the whole path
		{&Match{Regex: `/a|/b`}, "/b", true, nil},
		{&Match{Regex: `(?i)/a`}, "/A", true, nil},
		{&Match{Regex: `/(?P<n>\w+)`}, "/abc", true, map[string]string{"n": "abc"}},
		{&Match{Regex: `/a)|(/b`}, "/a", false, nil}, // malformed
		{&Match{Function: Ref{ID: FunctionID("shop", "get")}}, "/a", false, nil},
	} {
		vars, ok := c.match.Matches(Request{Method: "GET", Path: c.path})
		if ok != c.ok || cmp.Diff(c.vars, vars) != "" {
			t.Errorf("%+v on %s: %v %v, want %v %v", c.match, c.path, ok, vars, c.ok, c.vars)
		}
	}
}

func TestMatchesConditions(t *testing.T) {
	req := Request{
		Method: "POST", Host: "Shop.example:8443", Path: "/a", Query: ParseQuery("v=1&v=2&flag&e=a%20b&&x=y=z"),
		Headers: http.Header{"accept": {"text/html", "*/*"}, "empty": {""}},
	}
	header := func(v ValueMatch) *Match { return &Match{Headers: []*ValueMatch{&v}} }
	query := func(v ValueMatch) *Match { return &Match{Query: []*ValueMatch{&v}} }
	for i, c := range []struct {
		match *Match
		ok    bool
	}{
		{&Match{Method: "POST"}, true},
		{&Match{Method: "GET"}, false},
		{&Match{Methods: []string{"GET", "POST"}}, true},
		{&Match{Methods: []string{"GET", "PUT"}}, false},
		{header(ValueMatch{Name: "Accept", Exact: text("text/html,*/*")}), true},
		{header(ValueMatch{Name: "accept", Exact: text("text/html")}), false},
		{header(ValueMatch{Name: "accept", Prefix: text("text/")}), true},
		{header(ValueMatch{Name: "accept", Regex: text(`text/.*`)}), true},
		{header(ValueMatch{Name: "accept", Regex: text(`text`)}), false},
		{header(ValueMatch{Name: "accept", Regex: text(`(`)}), false},
		{header(ValueMatch{Name: "accept", Present: true}), true},
		{header(ValueMatch{Name: "accept", Absent: true}), false},
		{header(ValueMatch{Name: "empty", Present: true}), true},
		{header(ValueMatch{Name: "empty", Exact: text("")}), true},
		{header(ValueMatch{Name: "none", Exact: text("")}), false},
		{header(ValueMatch{Name: "none", Prefix: text("")}), false},
		{header(ValueMatch{Name: "none", Present: true}), false},
		{header(ValueMatch{Name: "none", Absent: true}), true},
		{header(ValueMatch{Name: "none"}), false},
		{header(ValueMatch{Name: "Host", Prefix: text("Shop.")}), true},
		{header(ValueMatch{Name: ":authority", Exact: text("Shop.example:8443")}), true},
		{header(ValueMatch{Name: ":method", Exact: text("POST")}), true},
		{header(ValueMatch{Name: ":path", Prefix: text("/a?v=1&v=2")}), true},
		{query(ValueMatch{Name: "v", Exact: text("1")}), true},
		{query(ValueMatch{Name: "v", Exact: text("2")}), false}, // the first one counts
		{query(ValueMatch{Name: "V", Exact: text("1")}), false},
		{query(ValueMatch{Name: "flag", Present: true}), true},
		{query(ValueMatch{Name: "flag", Exact: text("")}), true},
		{query(ValueMatch{Name: "e", Exact: text("a b")}), false}, // not decoded
		{query(ValueMatch{Name: "e", Exact: text("a%20b")}), true},
		{query(ValueMatch{Name: "x", Exact: text("y=z")}), true},
		{query(ValueMatch{Name: "w", Absent: true}), true},
		{query(ValueMatch{Name: "v", Absent: true}), false},
		{&Match{Method: "POST", Headers: []*ValueMatch{{Name: "accept", Present: true}}, Query: []*ValueMatch{{Name: "v", Absent: true}}}, false},
	} {
		if _, ok := c.match.Matches(req); ok != c.ok {
			t.Errorf("%d: %v", i, ok)
		}
		if none := len(c.match.reasons(req)) == 0; none != c.ok {
			t.Errorf("%d: reasons %+v", i, c.match.reasons(req))
		}
	}
}

func TestMatchTableAndNearly(t *testing.T) {
	table := HostTable{
		{Match: &Match{Path: "/a", Method: "PUT"}},
		{Match: &Match{Path: "/{x}", Headers: []*ValueMatch{{Name: "beta", Exact: text("1")}}}},
		{Match: &Match{Prefix: "/a"}},
		{Match: &Match{}},
	}
	req := Request{Method: "GET", Path: "/a"}
	if entry, _ := MatchTable(table, req); entry != table[2] {
		t.Errorf("matched %+v", entry)
	}
	if entry, _ := MatchTable(table[:2], req); entry != nil {
		t.Errorf("matched %+v", entry)
	}
	want := []Miss{
		{table[0], []Reason{{What: "method", Kind: "one of", Want: "PUT", Got: "GET"}}},
		{table[1], []Reason{{What: "header", Name: "beta", Kind: "exact", Want: "1", None: true}}},
	}
	if d := cmp.Diff(want, table.Nearly(req)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	kinds := []string{}
	for _, m := range []*Match{{Path: "/x"}, {Path: "/x/{y}"}, {Prefix: "/x"}, {Regex: "/x"}, {Function: Ref{ID: FunctionID("u", "f")}}} {
		r := m.reasons(req)[0]
		kinds = append(kinds, r.What+" "+r.Kind+" "+r.Want)
	}
	if d := cmp.Diff([]string{"path exact /x", "path template /x/{y}", "path prefix /x", "path regex /x", "path function function.u.f"}, kinds); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestParsePathTemplate(t *testing.T) {
	got, err := ParsePathTemplate("/a/{id}.bin/{rest=**}")
	want := []PathPart{{Literal: "/a/"}, {Name: "id"}, {Literal: ".bin/"}, {Name: "rest", Rest: true}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for template, complaint := range map[string]string{
		"a/{id}":        "begin with a slash",
		"/a/{id":        "does not close",
		"/a/{i{d}":      "does not close",
		"/a/id}":        "does not open",
		"/a/{}":         "a name is",
		"/a/{1}":        "a name is",
		"/a/{a-b}":      "a name is",
		"/{a}/{a}":      "two variables",
		"/{a=**}/b":     "goes on",
		"/x{a=**}":      "follows a slash",
		"/{a=x}":        "is written",
		"/{a}{rest=**}": "follows a slash",
	} {
		if _, err := ParsePathTemplate(template); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%s: %v, want %q", template, err, complaint)
		}
	}
}

// TestTemplateAgreesWithSegments compares templates of whole segments with the plain reading of them.
func TestTemplateAgreesWithSegments(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "{x}", "{y}", ""})
	rapid.Check(t, func(t *rapid.T) {
		template := rapid.SliceOfNDistinct(piece, 1, 4, rapid.ID[string]).Draw(t, "template")
		path := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c%2e", ""}), 1, 4).Draw(t, "path")
		want := len(template) == len(path)
		vars := map[string]string{}
		for i := 0; want && i < len(path); i++ {
			if name, ok := strings.CutPrefix(template[i], "{"); ok {
				vars[strings.TrimSuffix(name, "}")] = path[i]
				want = path[i] != ""
			} else {
				want = template[i] == path[i]
			}
		}
		m := &Match{Path: "/" + strings.Join(template, "/")}
		got, ok := m.Matches(Request{Path: "/" + strings.Join(path, "/")})
		if ok != want {
			t.Fatalf("%s: %v, want %v", m.Path, ok, want)
		}
		if ok && len(vars) > 0 && cmp.Diff(vars, got) != "" {
			t.Fatalf("%s: %v, want %v", m.Path, got, vars)
		}
	})
}

// TestPrefixAgreesWithSegments compares prefixes with the first segments of the path.
func TestPrefixAgreesWithSegments(t *testing.T) {
	segments := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ab", "b"}), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		prefix, path := segments.Draw(t, "prefix"), segments.Draw(t, "path")
		want := len(path) >= len(prefix) && slices.Equal(prefix, path[:len(prefix)])
		m := &Match{Prefix: "/" + strings.Join(prefix, "/")}
		if _, ok := m.Matches(Request{Path: "/" + strings.Join(path, "/")}); ok != want {
			t.Fatalf("%v", ok)
		}
		m.Prefix += "/"
		if _, ok := m.Matches(Request{Path: "/" + strings.Join(path, "/")}); ok != (want && len(path) > len(prefix)) {
			t.Fatalf("with a final slash: %v", ok)
		}
	})
}

func FuzzMatches(f *testing.F) {
	f.Add("/a/{x}", "/a", "/.*", "GET", "/a/b", "q=1", "v")
	f.Add("/{x=**}", "", "(", "", "*", "&&=", "")
	f.Fuzz(func(t *testing.T, path, prefix, regex, method, target, query, value string) {
		req := Request{Method: method, Path: target, Query: ParseQuery(query), Headers: http.Header{"h": {value}}}
		conditions := []*ValueMatch{{Name: "h", Regex: &regex}, {Name: "q", Prefix: &value}, {Name: "z"}}
		for _, m := range []*Match{
			{Path: path}, {Prefix: prefix}, {Regex: regex}, {Method: method, Path: path, Headers: conditions[:1], Query: conditions[1:]},
		} {
			_, ok := m.Matches(req)
			if none := len(m.reasons(req)) == 0; ok != none {
				t.Errorf("%+v: matches %v, reasons %+v", m, ok, m.reasons(req))
			}
			if m.claim() == "" {
				t.Error("no claim")
			}
		}
	})
}
