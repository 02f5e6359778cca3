package translate_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestStickyFunctions plays a canary of a function from documents: its new version is a subset by tag, called at another
// path with arguments, under a variant too, and one more destination has no share.
func TestStickyFunctions(t *testing.T) {
	docs := edge + upstream("old", echo(t, "old")) + `
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
		function "both" "divide" {
		  method = "GET"
		  path   = "/calc/{a}"
		  query  = { by = arg.b }
		}
		route "divide" {
		  match {
		    method = "GET"
		    path   = "/divide/{a}/{b}"
		  }
		  sticky { header = "X-User" }
		  to {
		    function = function.both.divide
		    subset   = { tag = "v2" }
		    weight   = 30
		  }
		  to {
		    upstream = upstream.old
		    weight   = 70
		  }
		  to {
		    function = function.both.divide
		    subset   = { tag = "v1" }
		    weight   = 0
		  }
		  variant "first" {
		    match {
		      header "x-first" { present = true }
		    }
		    subset = { tag = "v1" }
		  }
		}`
	result := featuretest.Translate(t, nil, featuretest.Documents{"a.hcl": docs}).Must(t)
	for _, r := range result.Resources {
		if needs := slices.Contains(r.Requires, "envoy.string_matcher.lua"); needs != (r.TypeURL == translate.HostType) {
			t.Errorf("%s %s requires %v", r.TypeURL, r.Name, r.Requires)
		}
	}
	e, _ := featuretest.ServeADS(t, result.Resources)
	count := map[string]int{}
	for u := range 300 {
		user := fmt.Sprintf("x-user: client-%d", u)
		name, rest, _ := strings.Cut(e.Do(t, http.MethodGet, "shop.test", "/divide/6/3", user).Body, " ")
		want, path := "old", "/divide/6/3"
		if gateway.StickyBucket(fmt.Sprintf("client-%d", u)) < gateway.Million*30/100 {
			want, path = "v2", "/calc/6?by=3"
		}
		if name != want || !strings.HasSuffix(rest, path) {
			t.Fatalf("%s went to %q, %q; want %s, %s", user, name, rest, want, path)
		}
		count[name]++
		again, _, _ := strings.Cut(e.Do(t, http.MethodGet, "shop.test", "/divide/1/2", user).Body, " ")
		if again != name {
			t.Fatalf("%s went to %s and then to %s", user, name, again)
		}
		if want == "v2" {
			if first := e.Do(t, http.MethodGet, "shop.test", "/divide/6/3", user, "x-first: 1").Body; !strings.HasPrefix(first, "v1 ") {
				t.Fatalf("under the variant %s went to %q", user, first)
			}
		}
	}
	if count["v2"] < 60 || count["v2"] > 120 {
		t.Errorf("a share of 30 became %v", count)
	}
}
