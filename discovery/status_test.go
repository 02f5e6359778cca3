package discovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestSeedStaysUntilAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan []gateway.Endpoint)
		b := launch(t, nil, map[string]*script{"a": led(words)})
		defer b.stop()
		b.Seed(map[gateway.SourceKey][]gateway.Endpoint{key("a"): endpoints(1), key("gone"): endpoints(9)})
		b.Want(wanted("a"))
		b.expect(t, "a", endpoints(1))
		s, err := b.Snapshot(t.Context())
		if err != nil || s.Answered || !s.Known || !s.Sources[0].Stale {
			t.Errorf("status %+v, %v", s, err)
		}
		words <- endpoints(2)
		b.expect(t, "a", endpoints(2))
		s, err = b.Snapshot(t.Context())
		if err != nil || !s.Answered || s.Sources[0].Stale {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

func TestWaitAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan []gateway.Endpoint)
		b := launch(t, nil, map[string]*script{"a": led(words), "b": constant(endpoints())})
		defer b.stop()
		brief, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := b.WaitAnswered(brief); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("before any wish: %v", err)
		}
		b.Want(wanted("a", "b", "refused")) // the agent cannot serve the last: it holds up nobody
		done := make(chan error)
		go func() { done <- b.WaitAnswered(t.Context()) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("a has not answered")
		default:
		}
		words <- endpoints(1)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := b.source(t, "refused"); got.State != Failing || got.Answered {
			t.Errorf("status %+v", got)
		}
	})
}
