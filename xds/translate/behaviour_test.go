package translate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
)

const edge = `
gateway "edge" {
  listener "http" {
    port = 8080
  }
}
`

// echo answers with the upstream's name, the Host header and the path it was asked for.
func echo(t *testing.T, name string) string {
	return featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", name, r.Host, r.RequestURI)
	})
}

func upstream(name string, addresses ...string) string {
	return fmt.Sprintf("upstream %q {\n  static {\n    endpoints = [%q]\n  }\n}\n", name, strings.Join(addresses, `", "`))
}

func TestPathsAreRewritten(t *testing.T) {
	type route struct{ match, to, request, upstream string }
	cases := []route{
		{`path = "/a"`, `path = "/b"`, "/a?q=1", "/b?q=1"},
		{`path = "/t/{x}/{y=**}"`, `path = "/r/{y}/{x}"`, "/t/1=2/b/c%20d", "/r/b/c%20d/1=2"},
		{`path = "/n/{a}/{b}/{c}/{d}/{e}/{f}"`, `path = "/{f}{a}"`, "/n/1/2/3/4/5/6?x", "/61?x"},
		{`path = "/k/{x}.bin"`, `path = "/const"`, "/k/file.bin", "/const"},
		{`path = "/esc/{x}"`, `path = "/a\\1{x}"`, "/esc/z", "/a\\1z"},
		{`regex = "/re/(?P<n>[0-9]+)/.*"`, `path = "/n/{n}"`, "/re/42/x", "/n/42"},
		{`prefix = "/p"`, `path = "/one"`, "/p/x/y?z", "/one?z"},
		{`prefix = "/q"`, `prefix_rewrite = "/"`, "/q/x", "/x"},
		{`prefix = "/q2"`, `prefix_rewrite = "/"`, "/q2", "/"},
		{`prefix = "/r"`, `prefix_rewrite = "/s/"`, "/r/x", "/s/x"},
		{`prefix = "/u/"`, `prefix_rewrite = "/v"`, "/u/x", "/v/x"},
		{`prefix = "/w"`, `prefix_rewrite = "/w/w"`, "/w/w", "/w/w/w"},
		{`prefix = "/q3"`, `prefix_rewrite = "/"`, "/q3?a=/q3/b", "/?a=/q3/b"},
		{`prefix = "/q4"`, `prefix_rewrite = "/"`, "/q4/", "/"},
		{`prefix = "/q5"`, `prefix_rewrite = "/v/"`, "/q5/", "/v/"},
		{`prefix = "/q6"`, `prefix_rewrite = "/v/"`, "/q6?x", "/v?x"},
		{`prefix = "/u2/"`, `prefix_rewrite = "/"`, "/u2/x/", "/x/"},
		{`prefix = "/a.b+c"`, `prefix_rewrite = "/"`, "/a.b+c/x", "/x"},
		{`prefix = "/same"`, `prefix_rewrite = "/same/"`, "/same/x", "/same/x"},
		{`prefix = "/pc"`, `prefix_rewrite = "/100%25"`, "/pc/x", "/100%25/x"},
		{`path = "/e/{x}"`, `path = "/f/{x}"`, "/e/%C3%A9;v=1,2!*'()$&@:~%7C?a=b%20c&d=+", "/f/%C3%A9;v=1,2!*'()$&@:~%7C?a=b%20c&d=+"},
		{`path = "/g/{x}"`, `path = "/$1%25\\9{x}"`, "/g/1", `/$1%25\91`},
	}
	docs := edge + upstream("shop", echo(t, "shop"))
	for i, c := range cases {
		docs += fmt.Sprintf("route \"r%d\" {\n  match { %s }\n  to {\n    upstream = upstream.shop\n    %s\n  }\n}\n", i, c.match, c.to)
	}
	docs += "route \"root\" {\n  hosts = [\"root.test\"]\n  to {\n    upstream = upstream.shop\n    prefix_rewrite = \"/below\"\n  }\n}\n"
	cases = append(cases, route{"", "root", "/x", "/below/x"}, route{"", "root", "/", "/below/"})
	e := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": docs})
	for _, c := range cases {
		host := "shop.test:8080"
		if c.to == "root" {
			host = "root.test"
		}
		if a, want := e.Do(t, "GET", host, c.request), "shop "+host+" "+c.upstream; a.Body != want {
			t.Errorf("%s %s: the upstream saw %d %q, want %q", c.match, c.to, a.Status, a.Body, want)
		}
	}
}

func TestAnswersOfTheGateway(t *testing.T) {
	e := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": edge + `
		route "here" {
		  match { path = "/here" }
		  respond {
		    status       = 418
		    body         = "100% here"
		    content_type = "text/markdown"
		  }
		}
		route "empty" {
		  match { path = "/empty" }
		  respond { status = 204 }
		}
		route "large" {
		  match { path = "/large" }
		  respond { body = "` + strings.Repeat("x", 4096) + `" }
		}
		route "whole" {
		  match { path = "/moved/{id}" }
		  redirect { path = "/new" }
		}
		route "prefix" {
		  match { prefix = "/old" }
		  redirect {
		    prefix = "/"
		    query  = false
		    status = 307
		  }
		}
		route "renamed" {
		  match { path = "/users/{id}/posts/{post=**}" }
		  redirect {
		    host   = "new.test"
		    path   = "/posts"
		    status = 308
		  }
		}
		route "below" {
		  match { prefix = "/docs" }
		  redirect {
		    prefix = "/help/"
		    status = 302
		  }
		}
		route "other" {
		  match { path = "/form" }
		  redirect {
		    path   = "/done?from=form"
		    status = 303
		  }
		}
		route "secure" {
		  match { prefix = "/secure" }
		  redirect {
		    scheme = "https"
		    port   = 8443
		  }
		}`})
	here := e.Do(t, "GET", "shop.test", "/here")
	if here.Status != 418 || here.Body != "100% here" || strings.Join(here.Header.Values("content-type"), "|") != "text/markdown" {
		t.Errorf("a response is %d %q %v", here.Status, here.Body, here.Header)
	}
	if a := e.Do(t, "GET", "shop.test", "/empty"); a.Status != 204 || a.Header.Get("content-type") != "" {
		t.Errorf("an empty response is %d %v", a.Status, a.Header)
	}
	if a := e.Do(t, "GET", "shop.test", "/large"); len(a.Body) != 4096 {
		t.Errorf("a large response has %d bytes", len(a.Body))
	}
	for target, want := range map[string]string{
		"/moved/7?x=1":                 "301 http://shop.test/new?x=1",
		"/old/a/b?x=1":                 "307 http://shop.test/a/b",
		"/old":                         "307 http://shop.test/",
		"/docs":                        "302 http://shop.test/help",
		"/docs/a%20b?q":                "302 http://shop.test/help/a%20b?q",
		"/old//evil.test/":             "307 http://shop.test/evil.test/",
		"/form?x=1":                    "303 http://shop.test/done?from=form",
		"/users/1%2B2/posts/a/b?x=%20": "308 http://new.test/posts?x=%20",
		"/secure/a?x=1":                "301 https://shop.test:8443/secure/a?x=1",
	} {
		a := e.Do(t, "GET", "shop.test", target)
		if got := fmt.Sprintf("%d %s", a.Status, a.Header.Get("location")); got != want {
			t.Errorf("%s is answered with %s, want %s", target, got, want)
		}
	}
}

func TestSharesAndSubsets(t *testing.T) {
	e := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": edge +
		upstream("a", echo(t, "a")) + upstream("b", echo(t, "b")) + upstream("c", echo(t, "c")) + `
		upstream "both" {
		  static {
		    endpoint "` + echo(t, "v1") + `" {
		      tags = ["v1"]
		    }
		  }
		  static {
		    endpoint "` + echo(t, "v2") + `" {
		      tags = ["v2"]
		    }
		  }
		}
		route "shares" {
		  match { prefix = "/shares" }
		  to {
		    upstream = upstream.a
		    weight   = 20
		  }
		  to {
		    upstream = upstream.b
		    weight   = 0
		  }
		  to {
		    upstream = upstream.c
		    weight   = 80
		  }
		}
		route "v2" {
		  match { prefix = "/v2" }
		  to {
		    upstream = upstream.both
		    subset   = { tag = "v2" }
		  }
		}
		route "none" {
		  match { prefix = "/none" }
		  to {
		    upstream = upstream.both
		    subset   = { tag = "v3" }
		  }
		}
		route "fallback" {
		  match { prefix = "/fallback" }
		  to {
		    upstream = upstream.both
		    subset   = { tag = "v3" }
		    fallback = true
		  }
		}
		route "any" {
		  match { prefix = "/any" }
		  to { upstream = upstream.both }
		}`})
	count := map[string]int{}
	for range 1000 {
		name, _, _ := strings.Cut(e.Do(t, "GET", "shop.test", "/shares").Body, " ")
		count[name]++
	}
	if count["a"] < 140 || count["a"] > 260 || count["b"] != 0 || count["a"]+count["c"] != 1000 {
		t.Errorf("shares of 20, 0 and 80 became %v", count)
	}
	for target, want := range map[string]string{"/v2": "v2", "/fallback": "v1 v2", "/any": "v1 v2", "/none": "503"} {
		seen := map[string]bool{}
		for range 20 {
			a := e.Do(t, "GET", "shop.test", target)
			name, _, _ := strings.Cut(a.Body, " ")
			if a.Status != 200 {
				name = fmt.Sprint(a.Status)
			}
			seen[name] = true
		}
		for name := range seen {
			if !strings.Contains(want, name) {
				t.Errorf("%s went to %q, want only %s", target, name, want)
			}
		}
		if len(seen) != len(strings.Fields(want)) {
			t.Errorf("%s went to %v, want all of %s", target, seen, want)
		}
	}
}

func TestAGatewayThatDeniesByDefaultAnswers403(t *testing.T) {
	served := featuretest.Serve(t, nil, featuretest.Documents{"a.hcl": strings.Replace(edge, "{\n", "{\n  default = \"deny\"\n", 1) +
		upstream("shop", echo(t, "shop")) + `
		route "shop" {
		  to { upstream = upstream.shop }
		}
		route "here" {
		  match { path = "/here" }
		  respond { body = "here" }
		}
		route "there" {
		  match { path = "/there" }
		  redirect { host = "there.example.com" }
		}`})
	for _, path := range []string{"/", "/here", "/there"} {
		if a := served.Do(t, "GET", "shop.test", path); a.Status != http.StatusForbidden || !strings.Contains(a.Body, `"reason":"denied_by_default"`) {
			t.Errorf("%s is answered with %d %s", path, a.Status, a.Body)
		}
	}
}
