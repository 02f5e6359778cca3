package gateway

import (
	"testing"

	"pgregory.net/rapid"
)

// TestNormalisePath holds what Envoy 1.40 answered with the edge defaults.
func TestNormalisePath(t *testing.T) {
	for _, c := range []struct {
		path, want string
		action     PathAction
	}{
		{"/", "/", PathForward},
		{"/a", "/a", PathForward},
		{"//a///b", "/a/b", PathForward},
		{"/a/../b", "/b", PathForward},
		{"/a/./b", "/a/b", PathForward},
		{"/a/..", "/", PathForward},
		{"/a/.", "/a/", PathForward},
		{"/..", "/", PathForward},
		{"/../../x", "/x", PathForward},
		{"/a/%2e%2e/b", "/b", PathForward},
		{"/a/%2E/b", "/a/b", PathForward},
		{"/a%2Fb", "/a/b", PathRedirect},
		{"/a%5Cb", "/a/b", PathRedirect},
		{"/a\\b", "/a/b", PathForward},
		{"/a/..%2fb", "/b", PathRedirect},
		{"/%41%7e%2d%5f", "/A~-_", PathForward},
		{"/a b", "/a b", PathReject},
		{"/a%20b", "/a%20b", PathForward},
		{"/a\"<>`{}|^[]", "/a%22%3C%3E%60%7B%7D%7C%5E[]", PathForward},
		{"/a%", "/a%", PathForward},
		{"/a%zz", "/a%zz", PathForward},
		{"/a%2", "/a%2", PathForward},
		{"/a//../b", "/a/b", PathForward},
		{"/a//..", "/a/", PathForward},
		{"/a//../../b", "/b", PathForward},
		{"/\xe9", "/\xe9", PathReject},
		{"/%e9", "/%e9", PathForward},
		{"/a#b", "/a#b", PathReject},
		{"a/b", "a/b", PathReject},
		{"*", "*", PathReject},
		{"/a/...", "/a/...", PathForward},
		{"/.../a", "/.../a", PathForward},
		{"/a;x=1/../b", "/b", PathForward},
		{"/a/%2e%2e", "/", PathForward},
		{"/a/.%2e/", "/", PathForward},
		{"/a=*&b", "/a=*&b", PathForward},
		{"/%00", "/%00", PathReject},
		{"/\x7f", "/\x7f", PathReject},
		{"/a%2f%2fb", "/a/b", PathRedirect},
		{"/a%5c..%5cb", "/b", PathRedirect},
		{"/a%252fb", "/a%252fb", PathForward},
		{"//", "//", PathForward},
		{"///", "//", PathForward},
		{"//..", "/", PathForward},
		{"/~", "/~", PathForward},
		{"/a'b", "/a'b", PathForward},
		{"/a~%7E", "/a~~", PathForward},
		{"/x%3fy", "/x%3fy", PathForward},
		{"/a//.", "/a/", PathForward},
		{"/[x", "/[x", PathForward},
		{"/]x", "/]x", PathForward},
		{"/^x", "/%5Ex", PathForward},
		{"/|x", "/%7Cx", PathForward},
		{"/x%00y", "/x%00y", PathReject},
		{"/x%2by", "/x%2by", PathForward},
		{"/x%2dy", "/x-y", PathForward},
		{"/x%ffy", "/x%ffy", PathForward},
		{"/%2e%2e%2e", "/...", PathForward},
		{"/a//", "/a/", PathForward},
		{"//a", "/a", PathForward},
		{"/a%2f", "/a/", PathRedirect},
		{"/%2f", "//", PathRedirect},
		{"/%2f%2f", "//", PathRedirect},
		{"/.", "/", PathForward},
		{"//.", "//", PathForward},
		{"/a%ZZ%2f", "/a%ZZ/", PathRedirect},
		{"/%2E..", "/...", PathForward},
		{"/x///", "/x/", PathForward},
		{"//x//", "/x/", PathForward},
		{"/%2f/", "//", PathRedirect},
		{"/a%2f../b", "/b", PathRedirect},
	} {
		if got, action := NormalisePath(c.path); got != c.want || action != c.action {
			t.Errorf("%q: %q %d, want %q %d", c.path, got, action, c.want, c.action)
		}
	}
}

func TestNormalisePathIsStable(t *testing.T) {
	piece := rapid.SampledFrom([]string{"/", "a", ".", "..", "%2e", "%41", `\\`, "{", "%", "%25", "*"})
	rapid.Check(t, func(t *rapid.T) {
		path := "/"
		for _, p := range rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces") {
			path += p
		}
		once, action := NormalisePath(path)
		if action == PathReject {
			t.Fatalf("%q is rejected", path)
		}
		if action == PathForward && recode(path) == path { // else unescaping makes new escapes
			if twice, _ := NormalisePath(once); twice != once {
				t.Fatalf("%q: %q, then %q", path, once, twice)
			}
		}
	})
}

func FuzzNormalisePath(f *testing.F) {
	f.Add("/a//../%2f%2e%zz")
	f.Fuzz(func(t *testing.T, path string) {
		got, action := NormalisePath(path)
		if action != PathReject && got[0] != '/' {
			t.Errorf("%q: %q", path, got)
		}
	})
}

func TestNormaliseHost(t *testing.T) {
	for host, want := range map[string]string{
		"Shop.Example": "shop.example", "shop:80": "shop", "shop.": "shop", "shop.:80": "shop", "[::1]:8080": "[::1]", "[::1]": "[::1]",
		"": "", "10.0.0.1:1": "10.0.0.1",
	} {
		if got := NormaliseHost(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestMatchHost(t *testing.T) {
	hosts := []string{"*", "*.example.com", "shop.example.com", "*.eu.example.com", "*-canary.example.com"}
	for host, want := range map[string]string{
		"shop.example.com":     "shop.example.com",
		"SHOP.example.com:443": "shop.example.com",
		"pay.example.com":      "*.example.com",
		"a.b.example.com":      "*.example.com",
		"a.eu.example.com":     "*.eu.example.com",
		"eu.example.com":       "*.example.com",
		"x-canary.example.com": "*-canary.example.com",
		".example.com":         "*",
		"example.com":          "*",
		"":                     "*",
	} {
		if got, ok := MatchHost(hosts, host); !ok || got != want {
			t.Errorf("%q: %q %v, want %q", host, got, ok, want)
		}
	}
	if got, ok := MatchHost(hosts[1:], "other.org"); ok {
		t.Errorf("other.org: %q", got)
	}
	if got, ok := MatchHost(nil, "*"); ok {
		t.Errorf("no hosts: %q", got)
	}
}
