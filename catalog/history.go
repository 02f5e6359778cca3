package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"
)

// keepVersions is how many versions of a document are kept.
const keepVersions = 10

// historyKey is PREFIX/history/NAME/N, below the prefix.
func historyKey(name string, n uint64) string {
	return historyDir + name + "/" + strconv.FormatUint(n, 10)
}

// parseHistoryKey is the inverse of historyKey.
func parseHistoryKey(key string) (name string, n uint64, ok bool) {
	rest, ok := strings.CutPrefix(key, historyDir)
	at := strings.LastIndexByte(rest, '/')
	if !ok || at < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(rest[at+1:], 10, 64)
	return rest[:at], n, err == nil
}

// History is the kept versions of a document, newest first. key is the document's, below PREFIX/routes/.
func (c *Client) History(ctx context.Context, key string) ([]Version, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	rows, _, err := c.listBelow(historyDir, key+"/", query(ctx))
	if err != nil {
		return nil, err
	}
	var out []Version
	for k, p := range rows {
		if name, n, ok := parseHistoryKey(historyDir + k); ok && name == key {
			out = append(out, Version{N: n, Text: p.Value})
		}
	}
	slices.SortFunc(out, func(a, b Version) int { return cmp.Compare(b.N, a.N) })
	return out, nil
}

// Rollback makes the change that puts version n of a document back; Apply writes it.
func (c *Client) Rollback(ctx context.Context, key string, n uint64) (KVChange, error) {
	call, cancel := within(ctx)
	defer cancel()
	rows, _, err := c.get("", historyKey(key, n), query(call))
	if err != nil {
		return KVChange{}, err
	}
	old, ok := rows[historyKey(key, n)]
	if !ok {
		return KVChange{}, fmt.Errorf("roll back %s: there is no version %d", key, n)
	}
	now, _, err := c.get(routesDir, key, query(call))
	if err != nil {
		return KVChange{}, err
	}
	return KVChange{Key: routesDir + key, Value: old.Value, Index: now[key].ModifyIndex}, nil
}

// Pull reads all documents and values as one consistent list each. Keys are below the prefix: "routes/…", "values/…".
func (c *Client) Pull(ctx context.Context) ([]Pair, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	var out []Pair
	for _, dir := range []string{routesDir, valuesDir} {
		rows, meta, err := c.list(dir, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		if err != nil {
			return nil, err
		}
		if meta.ResultsFilteredByACLs {
			return nil, fmt.Errorf("list %s: the token may not read all of it: it needs %s", c.key(dir), c.rule("key_prefix", dir, "read"))
		}
		for _, p := range rows {
			p.Key = dir + p.Key
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}
