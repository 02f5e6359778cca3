package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// largeDocument is what is near, and above, what one value of Consul takes.
func largeDocument(t *testing.T, s *stack) {
	s.steady(t, func() {
		good := route("large", "large.example.com", "/", "blue")
		filler := strings.Repeat("# "+strings.Repeat("x", 97)+"\n", 5100)
		s.put("large.hcl", good+filler) // 500 KB: a document like any other
		s.serve(t, "large.example.com", "/", "blue")
		s.says(t, "large.hcl", "accepted (")

		kv := s.consul.Client().KV()
		_, err := kv.Put(&api.KVPair{Key: "sluice/routes/large.hcl", Value: []byte(good + filler + filler)}, nil)
		if err == nil {
			t.Error("consul took a document of 1 MB")
		}
		s.serve(t, "large.example.com", "/", "blue")

		var many strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&many, "route \"r%d\" {\n  hosts = [\"h\"]\n  respond {}\n}\n\n", i)
		}
		s.put("large.hcl", good+many.String())
		s.says(t, "large.hcl", "rejected: it cannot be read", "2000")
		s.serve(t, "large.example.com", "/", "blue")

		s.put("large.hcl", good+"locals {\n  x = "+strings.Repeat("[", 200_000)+"\n}\n")
		s.says(t, "large.hcl", "rejected: it cannot be read", "64 deep")
		s.serve(t, "large.example.com", "/", "blue")
		s.put("beside.hcl", route("beside", "beside.example.com", "/", "green"))
		s.serve(t, "beside.example.com", "/", "green")
		s.remove("large.hcl", "beside.hcl")
		s.answer(t, "large.example.com", "/", 404)
	})
}

// hostileDocuments are regular expressions that cost too much, and values that are no text.
func hostileDocuments(t *testing.T, s *stack) {
	s.steady(t, func() {
		for i, expression := range []string{
			"/(x{1,1000}){1,1000}", "/(((a{1,30}){1,30}){1,30})", "/[a-z]{1,900}", "/(a|b", "/a**", "/(?=x)",
		} {
			name := fmt.Sprintf("bomb-%d", i)
			s.put(name+".hcl", fmt.Sprintf(`
route %[1]q {
  hosts = ["bomb.example.com"]
  match { regex = %[2]q }
  to { upstream = upstream.blue }
}

route "%[1]s-beside" {
  hosts = ["bomb.example.com"]
  match { path = "/%[1]s" }
  to { upstream = upstream.blue }
}
`, name, expression))
		}
		for i := range 6 {
			name := fmt.Sprintf("bomb-%d", i)
			s.serve(t, "bomb.example.com", "/"+name, "blue")
			s.says(t, name+".hcl", "rejected in part", "route."+name, "regex")
		}
		for name, value := range map[string]string{
			"binary": "\x7fELF\x02\x01\x01\x00\x00\xff\xfe\x00\x80", "json": `{"route": {"x": {}}}`, "yaml": "route:\n  - x: 1\n",
			"prose": "this is not a document", "latin": "route \"caf\xe9\" {}\n",
		} {
			s.put("odd/"+name, value)
			s.says(t, "odd/"+name, "rejected", "odd/"+name)
		}
		s.put("odd/empty", "")
		s.says(t, "odd/empty", "accepted")
		s.serve(t, "bomb.example.com", "/bomb-0", "blue")
	})
	for i := range 6 {
		s.remove(fmt.Sprintf("bomb-%d.hcl", i))
	}
	s.consul.Delete("sluice/routes/odd/")
	s.answer(t, "bomb.example.com", "/bomb-0", 404)
}
