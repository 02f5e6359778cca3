package gateway

import (
	"strconv"
	"testing"
)

func TestFunctionsAreNamedByUpstreamAndName(t *testing.T) {
	for _, c := range []struct{ name, upstream, function, written, text string }{
		{"shop.get", "shop", "get", "shop.get", "function.shop.get"},
		{"users.users.v1.S/Get", "users", "users.v1.S/Get", "users.users.v1.S/Get", `function.users["users.v1.S/Get"]`},
		{`svc["eu.west"].get`, `svc["eu.west"]`, "get", `svc["eu.west"].get`, `function.svc["eu.west"].get`},
		{`shop.op["k"]`, "shop", `op["k"]`, "shop.op", `function.shop.op["k"]`},
		{`shop.GET /x["k"]`, "shop", `GET /x["k"]`, "shop.GET /x", `function.shop["GET /x"]["k"]`},
		{`shop.a[]`, "shop", "a[]", "shop.a[]", `function.shop["a[]"]`},
	} {
		id := ID{KindFunction, c.name}
		up, fn, ok := SplitFunction(id)
		if !ok || up != c.upstream || fn != c.function || id.Written().Name != c.written || id.Text() != c.text {
			t.Errorf("%s: %q %q %v, written %q, text %s", c.name, up, fn, ok, id.Written().Name, id.Text())
		}
	}
	for _, bad := range []string{"", "shop", `svc["eu`, `svc["eu"]`, `svc["eu"]get`} {
		if _, _, ok := SplitFunction(ID{KindFunction, bad}); ok {
			t.Errorf("%q is no function", bad)
		}
	}
}

func FuzzFunctionID(f *testing.F) {
	f.Add("shop", "get", "k", true)
	f.Add("shop", "GET /x[\"y\"]", "a\"]", false)
	f.Add("shop", "[\"", "]", true)
	f.Fuzz(func(t *testing.T, upstream, name, key string, instance bool) {
		for _, c := range upstream {
			if c < 'a' || c > 'z' {
				return
			}
		}
		if upstream == "" {
			return
		}
		if instance {
			upstream += "[" + strconv.Quote(key) + "]"
		}
		id := FunctionID(upstream, name)
		up, got, ok := SplitFunction(id)
		if !ok || up != upstream || got != name {
			t.Fatalf("%q: %q, %q, %v", id.Name, up, got, ok)
		}
		if w := id.Written(); w.Written() != w && name != "" {
			_, base, _ := SplitFunction(w)
			if base == "" {
				t.Fatalf("%q is written %q", id.Name, w.Name)
			}
		}
		_ = id.Text()
	})
}
