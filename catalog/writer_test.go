package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// keysBelow lists keys and values below a prefix, as KEY=VALUE.
func keysBelow(t *testing.T, c *testenv.Consul, prefix string) []string {
	t.Helper()
	kvs, _, err := c.Client().KV().List(prefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, kv := range kvs {
		out = append(out, strings.TrimPrefix(kv.Key, prefix)+"="+string(kv.Value))
	}
	return out
}

func expectKeys(t *testing.T, c *testenv.Consul, prefix string, want ...string) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, func() error {
		if got := keysBelow(t, c, prefix); !slices.Equal(got, want) {
			return fmt.Errorf("below %s there is %q, want %q", prefix, got, want)
		}
		return nil
	})
}

func TestWriterKeepsWhatIsDesired(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/status/stale.hcl", "left by an earlier holder")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	w := c.NewWriter("one")
	id := gateway.ID{Kind: "route", Name: "divide"}
	entry := catalog.LedgerEntry{Document: "consul:a.hcl", ModifyIndex: 7, Hash: "h1", Text: "route {}"}
	w.Set(catalog.Desired{
		Accepted: map[gateway.ID]catalog.LedgerEntry{id: entry},
		Status:   map[string][]byte{"a.hcl": []byte("fine")},
		Values:   map[string][]byte{"canary/divide": []byte("50")},
		History:  map[string]catalog.Version{"a.hcl": {N: 7, Text: []byte("route {}")}},
	})
	run(t, w.Run)
	expectKeys(t, consul, "sluice/status/", "a.hcl=fine", "stale.hcl=left by an earlier holder", "values/canary/divide=50")
	expectKeys(t, consul, "sluice/history/", "a.hcl/7=route {}")

	w.Set(catalog.Desired{Status: map[string][]byte{"a.hcl": []byte("fine")}, Complete: true})
	expectKeys(t, consul, "sluice/status/", "a.hcl=fine")
	expectKeys(t, consul, "sluice/accepted/")
	expectKeys(t, consul, "sluice/history/", "a.hcl/7=route {}")

	for n := uint64(8); n < 20; n++ {
		w.Set(catalog.Desired{History: map[string]catalog.Version{"a.hcl": {N: n, Text: []byte("x")}}})
		testenv.Eventually(t, 10*time.Second, func() error {
			v, err := c.History(t.Context(), "a.hcl")
			if err == nil && (v[0].N != n || len(v) > 10) {
				err = fmt.Errorf("versions are %v", v)
			}
			return err
		})
	}
}

func TestLedgerKeepsTheNewerVersion(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	id := gateway.ID{Kind: "route", Name: "r"}
	set := func(w *catalog.Writer, n uint64) {
		w.Set(catalog.Desired{Accepted: map[gateway.ID]catalog.LedgerEntry{id: {ModifyIndex: n, Text: fmt.Sprint(n)}}})
	}
	ledger := make(chan catalog.Change, 10)
	run(t, func(ctx context.Context) error { return c.Accepted(ctx, func(ch catalog.Change) { ledger <- ch }, nil) })
	next(t, ledger)

	ctx, cancel := context.WithCancel(t.Context())
	first, done := c.NewWriter("first"), make(chan struct{})
	set(first, 9)
	go func() { defer close(done); _ = first.Run(ctx) }()
	if e, err := catalog.DecodeEntry(next(t, ledger).Set[0]); err != nil || e.Text != "9" || e.ID != id {
		t.Fatalf("the ledger holds %+v, %v", e, err)
	}
	second := c.NewWriter("second")
	set(second, 8) // what a replica that lags behind would write
	run(t, second.Run)
	if second.Status().Leader {
		t.Fatal("two writers hold the lock")
	}
	cancel()
	<-done
	testenv.Eventually(t, 10*time.Second, func() error {
		if s := second.Status(); !s.Leader || s.Err != nil {
			return fmt.Errorf("the second writer: %+v", s)
		}
		return nil
	})
	set(second, 10)
	if e, _ := catalog.DecodeEntry(next(t, ledger).Set[0]); e.Text != "10" {
		t.Fatalf("an older version won: %+v", e)
	}
}

func TestApplySmallIsOneTransaction(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	consul.Put("sluice/routes/a.hcl", "old")
	pairs, err := c.Pull(t.Context())
	if err != nil || len(pairs) != 1 {
		t.Fatal(pairs, err)
	}
	err = c.Apply(t.Context(), []catalog.KVChange{
		{Key: "routes/a.hcl", Value: []byte("new"), Index: pairs[0].ModifyIndex},
		{Key: "values/x", Value: []byte("1")},
	}, catalog.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expectKeys(t, consul, "sluice/", "routes/a.hcl=new", "values/x=1")
	err = c.Apply(t.Context(), []catalog.KVChange{
		{Key: "routes/a.hcl", Value: []byte("newer"), Index: pairs[0].ModifyIndex},
		{Key: "values/y", Value: []byte("2")},
	}, catalog.ApplyOptions{})
	var conflict *catalog.ConflictError
	if !errors.As(err, &conflict) || !slices.Equal(conflict.Keys, []string{"routes/a.hcl"}) {
		t.Fatalf("want a conflict on a.hcl, got %v", err)
	}
	expectKeys(t, consul, "sluice/", "routes/a.hcl=new", "values/x=1")
}

func TestApplyLargeIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/routes/a/000.hcl", "old")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	ch := docs(t, c)
	first := next(t, ch)
	var changes []catalog.KVChange
	for i := range 200 {
		change := catalog.KVChange{Key: fmt.Sprintf("routes/a/%03d.hcl", i), Value: []byte("new")}
		if i == 0 {
			change.Index = first.Set[0].ModifyIndex
		}
		changes = append(changes, change)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Apply(ctx, changes, catalog.ApplyOptions{Progress: func(written, total int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted apply returned %v", err)
	}
	late := docs(t, c)
	if got := next(t, late); len(got.Set) != 0 || len(got.Held) != 200 {
		t.Fatalf("a replica that starts meanwhile was told %d documents, %d held", len(got.Set), len(got.Held))
	}
	if err := c.Apply(t.Context(), changes, catalog.ApplyOptions{}); !errors.Is(err, catalog.ErrHeld) {
		t.Fatalf("want ErrHeld, got %v", err)
	}
	if err := c.Apply(t.Context(), changes, catalog.ApplyOptions{Resume: true}); err != nil {
		t.Fatal(err)
	}
	for _, ch := range []<-chan catalog.DocChange{ch, late} {
		if got := next(t, ch); len(got.Set) != 200 || len(got.Held) != 0 {
			t.Fatalf("%d of 200 documents changed at once", len(got.Set))
		}
	}
	// Aborted, nobody sees anything.
	pairs, _ := c.Pull(t.Context())
	old := map[string][]byte{}
	for i, p := range pairs {
		changes[i] = catalog.KVChange{Key: p.Key, Value: []byte("never seen"), Index: p.ModifyIndex}
		old[p.Key] = p.Value
	}
	ctx, cancel = context.WithCancel(t.Context())
	if err := c.Apply(ctx, changes, catalog.ApplyOptions{Progress: func(int, int) { cancel() }}); err == nil {
		t.Fatal("the apply was not interrupted")
	}
	if err := c.Abort(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	for p := range 200 {
		changes[p].Value = []byte("new")
	}
	for _, p := range next(t, ch).Set {
		if string(p.Value) != "new" {
			t.Fatalf("%s is %s after an abort", p.Key, p.Value)
		}
	}
}

func TestWriterRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}})
	w := c.NewWriter("one")
	most := strings.Repeat("x", 380_000)
	w.Set(catalog.Desired{
		Status:  map[string][]byte{"a.hcl": []byte("fine"), "b.hcl": []byte(most)},
		History: map[string]catalog.Version{"a.hcl": {N: 7, Text: []byte(most + most)}},
	})
	run(t, w.Run)
	expectKeys(t, consul, "sluice/status/", "a.hcl=fine", "b.hcl="+most)
	testenv.Eventually(t, 5*time.Second, func() error {
		if s := w.Status(); len(s.Refused) != 1 || s.Refused["history/a.hcl/7"] == "" || s.Pending != 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

func TestLostLockStopsWriting(t *testing.T) {
	t.Parallel()
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	log := &lockedLog{}
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Logger: hclog.New(&hclog.LoggerOptions{Output: log})})
	w := c.NewWriter("one")
	w.Set(catalog.Desired{Status: map[string][]byte{"a.hcl": []byte("1")}})
	run(t, w.Run)
	expectKeys(t, consul, "sluice/status/", "a.hcl=1")
	sessions, _, err := consul.Client().Session().List(nil)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("sessions %v, %v", sessions, err)
	}
	if _, err := consul.Client().Session().Destroy(sessions[0].ID, nil); err != nil {
		t.Fatal(err)
	}
	w.Set(catalog.Desired{Status: map[string][]byte{"a.hcl": []byte("2")}})
	expectKeys(t, consul, "sluice/status/", "a.hcl=2") // with a new session
	now, _, err := consul.Client().Session().List(nil)
	if err != nil || len(now) != 1 || now[0].ID == sessions[0].ID {
		t.Errorf("written under session %v, %v", now, err)
	}
	if text := log.String(); strings.Count(text, "will try again") != 1 || strings.Count(text, "the lock is held again") != 1 {
		t.Errorf("the log does not say once that the lock is lost, and once that it is held:\n%s", text)
	}
}
