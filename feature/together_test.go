package feature_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/feature"
	"github.com/sluice-gateway/sluice/internal/featuretest"
)

// TestALargeTableKeepsItsRules has a real Envoy serve a table that is a trie, with what else decides in it: priorities,
// alternatives, expressions, shares, variants, and features that differ by destination.
func TestALargeTableKeepsItsRules(t *testing.T) {
	var tries atomic.Int64
	serve := func(name string) string {
		return featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/slow"):
				<-r.Context().Done() // the gateway gives up first
			case strings.HasSuffix(r.URL.Path, "/fails"):
				tries.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprintf(w, "%s%s", name, r.Header.Get("x-to"))
		})
	}
	docs := fmt.Sprintf(`
gateway "edge" {
  listener "http" { port = 8080 }
}
upstream "a" {
  static { endpoints = [%q] }
}
upstream "b" {
  static {
    endpoint %q {
      tags = ["green"]
    }
    endpoint %q {
      tags = ["blue"]
    }
  }
}
route "thirds" {
  match { prefix = "/thirds" }
  to {
    upstream = upstream.a
    weight   = 1
    headers {
      request {
        set = { x-to = "1" }
      }
    }
  }
  to {
    upstream = upstream.a
    weight   = 1
    headers {
      request {
        set = { x-to = "2" }
      }
    }
  }
  to {
    upstream = upstream.a
    weight   = 1
    headers {
      request {
        set = { x-to = "3" }
      }
    }
  }
}
route "all" {
  match { prefix = "/all" }
  to {
    upstream = upstream.b
    weight   = 0
  }
  to {
    upstream = upstream.a
    weight   = 100
  }
}
route "quick" {
  match { path = "/x/slow" }
  match { path = "/x/fails" }
  to {
    upstream = upstream.a
    weight   = 100
    timeout { request = "100ms" }
    retry {
      attempts = 2
      on       = ["503"]
    }
  }
  to {
    upstream = upstream.b
    weight   = 0
  }
}
route "colour" {
  match { prefix = "/colour" }
  variant "green" {
    match {
      header "x-colour" { exact = "green" }
    }
    subset = { tag = "green" }
  }
  to {
    upstream = upstream.b
    subset   = { tag = "blue" }
  }
}
route "first" {
  priority = 10
  match { regex = "/r1[0-9]/(?P<rest>.*)" }
  respond { body = "first" }
}
route "catch-all" {
  match { prefix = "/" }
  respond { body = "catch-all" }
}
`, serve("a"), serve("green"), serve("blue"))
	for i := range 100 {
		docs += fmt.Sprintf("route \"r%d\" {\n  match { path = \"/r%d/{x}\" }\n  respond { body = \"r%d\" }\n}\n", i, i, i)
	}
	resources := featuretest.Translate(t, feature.All(), featuretest.Documents{"a.hcl": docs}).Must(t).Resources
	for _, r := range resources {
		if h, ok := r.Message.(*routev3.VirtualHost); ok && h.Matcher == nil {
			t.Errorf("%s is a list", r.Name)
		}
	}
	e := featuretest.ServeResources(t, resources)
	for target, want := range map[string]string{
		"/r7/x": "200 r7", "/r99/x?y=/r1": "200 r99", "/r15/x": "200 first", "/r15/x/y": "200 first", "/r7/x/y": "200 catch-all",
		"/r7": "200 catch-all", "/none": "200 catch-all", "/colour/x": "200 blue", "/x/slow": `504 {"error":"the upstream has taken too long","reason":"upstream_timeout"}`,
	} {
		if a := e.Do(t, "GET", "shop.test", target); fmt.Sprintf("%d %s", a.Status, a.Body) != want {
			t.Errorf("%s is answered with %d %q, want %s", target, a.Status, a.Body, want)
		}
	}
	if a := e.Do(t, "GET", "shop.test", "/colour/x", "x-colour: green"); a.Body != "green" {
		t.Errorf("the green variant is answered by %q", a.Body)
	}
	if a := e.Do(t, "GET", "shop.test", "/x/fails"); a.Status != http.StatusServiceUnavailable || tries.Load() != 3 {
		t.Errorf("what fails always is answered with %d after %d tries, want 3", a.Status, tries.Load())
	}
	count := map[string]int{}
	for range 900 {
		count[e.Do(t, "GET", "shop.test", "/thirds").Body]++
		if a := e.Do(t, "GET", "shop.test", "/all"); a.Body != "a" {
			t.Fatalf("a share of 0 was answered by %q", a.Body)
		}
	}
	for _, to := range []string{"a1", "a2", "a3"} {
		if count[to] < 220 || count[to] > 380 || len(count) != 3 {
			t.Errorf("thirds of 900 requests became %v", count)
		}
	}
}
