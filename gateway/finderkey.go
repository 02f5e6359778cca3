package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// FindersOf lists what an upstream asks for, in the order in which names are looked up: one for each block that finds
// functions. Equal keys are the same listing, and every attribute that changes what is found is part of the key.
func FindersOf(u *Upstream) (out []Finder) {
	key := func(kind string, fields ...string) FinderKey {
		return FinderKey{Upstream: u.Name, Kind: kind, Query: strings.Join(slices.DeleteFunc(fields, func(s string) bool { return s == "" }), " ")}
	}
	if o := u.OpenAPI; o != nil {
		out = append(out, Finder{Key: key("openapi", field("path", o.Path), field("file", o.File), fieldSealed("headers", o.Headers)), OpenAPI: o})
	}
	if g := u.GRPC; g != nil && (g.Reflection == nil || *g.Reflection) {
		services := slices.Compact(slices.Sorted(slices.Values(g.Services)))
		out = append(out, Finder{Key: key("grpc", fieldList("services", services)), GRPC: g})
	}
	if l := u.Lambda; l != nil && l.discovers() {
		out = append(out, Finder{Key: key("lambda", field("region", l.Region), field("connection", l.Connection), field("credentials", l.Credentials.Name),
			field("endpoint", l.Endpoint), field("prefix", l.Prefix), fieldMap("tags", l.Tags)), Lambda: l})
	}
	return out
}

func (l *Lambda) discovers() bool { return l.URL == "" && (l.Discover == nil || *l.Discover) }

// field writes one field so that no two different ones look alike; "" for an empty one.
func field(name, value string) string {
	if value == "" {
		return ""
	}
	return name + "=" + strconv.Quote(value)
}

func fieldList(name string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return name + "=[" + strings.Join(quoted, ",") + "]"
}

func fieldMap(name string, m map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, k, m[k])
	}
	return fieldList(name, pairs)
}

// fieldSealed is fieldMap with values that nobody can read: of headers, one may be a password.
func fieldSealed(name string, m map[string]string) string {
	sealed := make(map[string]string, len(m))
	for k, v := range m {
		h := sha256.Sum256([]byte(k + "\x00" + v))
		sealed[k] = hex.EncodeToString(h[:8])
	}
	return fieldMap(name, sealed)
}

// CompareFinderKey orders keys by upstream, then kind, then query.
func CompareFinderKey(a, b FinderKey) int {
	return cmp.Or(strings.Compare(a.Upstream, b.Upstream), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Query, b.Query))
}
