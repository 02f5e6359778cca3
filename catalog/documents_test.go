package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func client(t *testing.T, cfg catalog.Config) *catalog.Client {
	t.Helper()
	c, err := catalog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// run starts a watch and makes sure that it ends with the test, within a second.
func run(t *testing.T, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Second):
			t.Error("the watch has not ended within a second")
			<-done
		}
	})
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	return nextWithin(t, ch, 20*time.Second)
}

func nextWithin[T any](t *testing.T, ch <-chan T, limit time.Duration) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(limit):
		t.Fatal("nothing came within " + limit.String())
		panic("unreachable")
	}
}

func docs(t *testing.T, c *catalog.Client) <-chan catalog.DocChange {
	ch := make(chan catalog.DocChange, 1000)
	run(t, func(ctx context.Context) error {
		return c.Documents(ctx, func(d catalog.DocChange) { ch <- d }, nil)
	})
	return ch
}

func TestDocumentsFollowTheirFolders(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{})
	consul.Put("sluice/routes/root.hcl", "root")
	consul.Put("sluice/routes/a/one.hcl", "one")
	consul.Put("sluice/routes/a/two.hcl", "two")
	c := client(t, catalog.Config{Addresses: []string{consul.Addr}, Hold: 500 * time.Millisecond})
	ch := docs(t, c)

	first := next(t, ch)
	if len(first.Set) != 3 || !first.Complete || first.Set[0].Key != "a/one.hcl" || string(first.Set[2].Value) != "root" {
		t.Fatalf("the first change is %+v", first)
	}
	expect := func(set, deleted string) {
		t.Helper()
		got := next(t, ch)
		if set != "" && (len(got.Set) != 1 || got.Set[0].Key+"="+string(got.Set[0].Value) != set || len(got.Deleted) > 0) {
			t.Fatalf("want %s set, got %+v", set, got)
		}
		if deleted != "" && (len(got.Deleted) != 1 || got.Deleted[0] != deleted || len(got.Set) > 0) {
			t.Fatalf("want %s deleted, got %+v", deleted, got)
		}
	}
	start := time.Now()
	consul.Put("sluice/routes/a/one.hcl", "uno")
	expect("a/one.hcl=uno", "")
	t.Logf("changed document after %s", time.Since(start))
	consul.Put("sluice/routes/root.hcl", "radix")
	expect("root.hcl=radix", "")
	consul.Put("sluice/routes/new.hcl", "new")
	expect("new.hcl=new", "")
	consul.Put("sluice/routes/b/three.hcl", "three")
	expect("b/three.hcl=three", "")
	consul.Delete("sluice/routes/a/two.hcl")
	expect("", "a/two.hcl")
	consul.Delete("sluice/routes/new.hcl")
	expect("", "new.hcl")
	start = time.Now()
	consul.Delete("sluice/routes/b/")
	expect("", "b/three.hcl")
	if d := time.Since(start); d < 500*time.Millisecond {
		t.Errorf("a folder that is gone was dropped after %s, before its hold ended", d)
	}
	consul.Put("sluice/routes/b/four.hcl", "four")
	expect("b/four.hcl=four", "")
}
