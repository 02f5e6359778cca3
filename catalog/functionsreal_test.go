package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// led is the value of a reference that led to a function of that name.
func led(t testing.TB, name string) []byte {
	t.Helper()
	value, err := catalog.EncodeFunction(gateway.Led{Function: &gateway.Function{
		Name: name, Kind: gateway.FunctionREST, REST: &gateway.RESTOperation{Method: "GET", Path: "/" + name + "/{id}"},
		Signature: gateway.Signature{Known: true, Args: []gateway.Argument{{Name: "id", In: gateway.InPath, Required: true, Type: gateway.Type{Kind: gateway.TypeString}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// heard follows AcceptedFunctions and tells each change.
func heard(t *testing.T, c *catalog.Client) <-chan catalog.Change {
	t.Helper()
	ch := make(chan catalog.Change, 100)
	run(t, func(ctx context.Context) error {
		return c.AcceptedFunctions(ctx, func(change catalog.Change) { ch <- change }, nil)
	})
	return ch
}

func TestFunctionsThatWereAcceptedFirstStay(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/accepted-functions/u/bad", "not what sluice writes")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	ch := heard(t, c)
	if first := next(t, ch); len(first.Set) != 1 || !first.Complete {
		t.Fatalf("first: %+v", first)
	}
	short, gone, odd := gateway.FunctionID("u", "get"), gateway.FunctionID("u", "gone"), gateway.FunctionID("u", "GET /a/")
	w := c.NewWriter("one")
	w.Set(catalog.Desired{Functions: map[gateway.ID]catalog.FunctionEntry{
		short: {Value: led(t, "v2/get")}, gone: {Value: led(t, "gone")}, odd: {Value: led(t, "odd")},
	}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	index := map[gateway.ID]uint64{}
	for _, p := range next(t, ch).Set {
		id, l, err := catalog.DecodeFunction(p)
		if err != nil {
			t.Fatal(err)
		}
		index[id] = l.Index
	}
	if len(index) != 3 {
		t.Fatalf("written: %v", index)
	}
	stop()
	<-done

	second := c.NewWriter("two") // it has not read that somebody was first, and another entry it may replace
	bad := gateway.FunctionID("u", "bad")
	second.Set(catalog.Desired{Complete: true, Functions: map[gateway.ID]catalog.FunctionEntry{
		short: {Value: led(t, "v1/get")}, odd: {Value: led(t, "odder"), Seen: index[odd]}, gone: {Seen: index[gone]}, bad: {Value: led(t, "good")},
	}})
	run(t, second.Run)
	got := next(t, ch)
	if len(got.Set) != 2 || got.Set[0].Key != "u/GET%20%2Fa%2F" || got.Set[1].Key != "u/bad" {
		t.Fatalf("changed: %+v", got)
	}
	if len(got.Deleted) == 0 {
		got = next(t, ch) // what is missing is read once more before it counts
	}
	if len(got.Deleted) != 1 || got.Deleted[0] != "u/gone" {
		t.Fatalf("deleted: %+v", got)
	}
	if keys := strings.Join(keysBelow(t, consul, "sluice/accepted-functions/"), "\n"); !strings.Contains(keys, "v2/get") || strings.Contains(keys, "v1/get") {
		t.Errorf("there are\n%s", keys)
	}
}

// TestThousandsOfFunctionsAreWrittenInFewTransactions bounds what the first start of a large world costs Consul.
func TestThousandsOfFunctionsAreWrittenInFewTransactions(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	const n = 5000
	want := func(last string) map[gateway.ID]catalog.FunctionEntry {
		out := map[gateway.ID]catalog.FunctionEntry{}
		for i := range n {
			name := fmt.Sprintf("operation-%d", i)
			out[gateway.FunctionID("u", name)] = catalog.FunctionEntry{Value: led(t, name)}
		}
		out[gateway.FunctionID("u", "last")] = catalog.FunctionEntry{Value: led(t, last)}
		return out
	}
	w := c.NewWriter("one")
	written := func(begin time.Time) {
		testenv.Eventually(t, time.Minute, func() error {
			if s := w.Status(); !s.Leader || s.Err != nil || s.Pending != 0 || !s.LastWrite.After(begin) {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
	}
	start := time.Now()
	w.Set(catalog.Desired{Functions: want("one")})
	run(t, w.Run)
	written(start)
	took, indexes := time.Since(start), map[uint64]int{}
	pairs, _, err := consul.Client().KV().List("sluice/accepted-functions/", nil)
	if err != nil || len(pairs) != n+1 {
		t.Fatalf("%d entries, %v", len(pairs), err)
	}
	for _, p := range pairs {
		indexes[p.ModifyIndex]++
	}
	t.Logf("%d entries in %d transactions and %s", len(pairs), len(indexes), took.Round(time.Millisecond))
	if rate := float64(len(indexes)) / took.Seconds(); len(indexes) > n/63+2 || rate > 20 {
		t.Errorf("%d transactions, %.0f a second", len(indexes), rate)
	}

	again := time.Now()
	w.Set(catalog.Desired{Functions: want("one"), Status: map[string][]byte{"a.hcl": []byte("fine")}})
	written(again)
	after, _, err := consul.Client().KV().List("sluice/accepted-functions/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range after {
		if indexes[p.ModifyIndex] == 0 {
			t.Errorf("%s was written again", p.Key)
		}
	}
}

// TestAPolicyWithoutFunctionsKeepsTheRest lets a token of an earlier release write what it may.
func TestAPolicyWithoutFunctionsKeepsTheRest(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	earlier := strings.ReplaceAll(policies.Writer("sluice/"), "sluice/accepted-functions/", "sluice/no-such/")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Token: consul.CreateToken(policies.Reader("sluice/") + earlier)})
	w := c.NewWriter("one")
	id := gateway.FunctionID("u", "get")
	w.Set(catalog.Desired{
		Status: map[string][]byte{"a.hcl": []byte("fine")}, Functions: map[gateway.ID]catalog.FunctionEntry{id: {Value: led(t, "get")}},
	})
	run(t, w.Run)
	expectKeys(t, consul, "sluice/status/", "a.hcl=fine")
	testenv.Eventually(t, 10*time.Second, func() error {
		if s := w.Status(); s.Refused["accepted-functions/"] == "" || s.Err != nil || !s.Leader {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	w.Set(catalog.Desired{Status: map[string][]byte{"a.hcl": []byte("still fine")}, Functions: map[gateway.ID]catalog.FunctionEntry{id: {Value: led(t, "get")}}})
	expectKeys(t, consul, "sluice/status/", "a.hcl=still fine")
	found := false
	for _, f := range c.Doctor(t.Context(), true) {
		found = found || !f.OK && strings.Contains(f.Need, "sluice/accepted-functions/")
	}
	if !found {
		t.Error("the doctor does not name the rule")
	}
}
