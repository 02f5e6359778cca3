package discovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestEmptyAnswerIsHeldAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan []gateway.Endpoint)
		b := launch(t, &Guard{}, map[string]*script{"a": led(words)})
		defer b.stop()
		b.Want(wanted("a"))
		words <- endpoints(1)
		words <- endpoints()
		b.expect(t, "a", endpoints(1))
		if got := b.source(t, "a"); got.Held != 1 || got.State != OK {
			t.Errorf("status %+v", got)
		}
		time.Sleep(30 * time.Second)
		words <- endpoints()
		b.expect(t, "a", endpoints(1))
		words <- endpoints(1) // back again: nothing happened
		words <- endpoints()
		time.Sleep(59 * time.Second)
		b.expect(t, "a", endpoints(1))
		time.Sleep(2 * time.Second)
		b.expect(t, "a", endpoints())
	})
}

func TestEmptyAnswerIsNotBelievedOfAFailingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heal := make(chan struct{})
		s := &script{run: func(ctx context.Context, n int, update func([]gateway.Endpoint), alive func()) error {
			if n == 1 {
				update(endpoints(1, 2))
				update(endpoints())
			}
			select {
			case <-heal:
			default:
				return errors.New("broken")
			}
			alive()
			<-ctx.Done()
			return nil
		}}
		b := launch(t, &Guard{}, map[string]*script{"a": s})
		defer b.stop()
		b.Want(wanted("a"))
		time.Sleep(5 * time.Minute)
		b.expect(t, "a", endpoints(1, 2))
		close(heal)
		time.Sleep(15 * time.Second)
		b.expect(t, "a", endpoints())
	})
}

func TestLargeFallNeedsASecondAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan []gateway.Endpoint)
		b := launch(t, &Guard{}, map[string]*script{"a": led(words)})
		defer b.stop()
		b.Want(wanted("a"))
		words <- endpoints(1, 2, 3, 4)
		words <- endpoints(1, 2) // half: fine
		b.expect(t, "a", endpoints(1, 2))
		words <- endpoints(1, 2, 3, 4)
		worse := endpoints(4, 5) // 4 is worse off, 5 is new: both hold at once
		worse[0].Health = gateway.Critical
		words <- worse[:1]
		b.expect(t, "a", append(endpoints(1, 2, 3), worse[0]))
		words <- worse[:1] // within the second: the same moment
		b.expect(t, "a", append(endpoints(1, 2, 3), worse[0]))
		time.Sleep(time.Second)
		words <- worse[:1]
		b.expect(t, "a", worse[:1])
	})
}

func TestAliveConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{run: func(ctx context.Context, _ int, update func([]gateway.Endpoint), alive func()) error {
			update(endpoints(1, 2, 3))
			update(endpoints(1))
			sleep(ctx, 5*time.Second)
			alive()
			<-ctx.Done()
			return nil
		}}
		b := launch(t, &Guard{}, map[string]*script{"a": s})
		defer b.stop()
		b.Want(wanted("a"))
		b.expect(t, "a", endpoints(1, 2, 3))
		time.Sleep(5 * time.Second)
		b.expect(t, "a", endpoints(1))
	})
}

func TestSeedIsGuarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := launch(t, &Guard{}, map[string]*script{"a": constant(endpoints())})
		defer b.stop()
		b.Seed(map[gateway.SourceKey][]gateway.Endpoint{key("a"): endpoints(1, 2)})
		b.Want(wanted("a"))
		time.Sleep(time.Second)
		b.expect(t, "a", endpoints(1, 2))
		time.Sleep(time.Minute)
		b.expect(t, "a", endpoints())
	})
}

func TestGuardDoubts(t *testing.T) {
	for _, c := range []struct {
		guard       *Guard
		before, now int
		want        bool
	}{
		{nil, 9, 0, false},
		{&Guard{}, 1, 0, true},
		{&Guard{}, 2, 1, false},
		{&Guard{}, 3, 1, true},
		{&Guard{}, 4, 2, false},
		{&Guard{}, 4, 5, false},
		{&Guard{}, 0, 0, false},
		{&Guard{Share: 0.1, Least: 1}, 2, 1, true},
		{&Guard{Least: 10}, 9, 1, false},
	} {
		if got := c.guard.doubts(c.before, c.now); got != c.want {
			t.Errorf("%+v.doubts(%d, %d) = %v", c.guard, c.before, c.now, got)
		}
	}
}

func TestTheAgentsGuardReplacesWhatItSets(t *testing.T) {
	kinds := &Guard{Share: 0.2, Hold: time.Hour}
	if got := *kinds.with(Guard{}); got != *kinds {
		t.Errorf("nothing replaced gives %+v", got)
	}
	if got := *kinds.with(Guard{Share: 0.9, Second: time.Minute}); got != (Guard{Share: 0.9, Second: time.Minute, Hold: time.Hour}) {
		t.Errorf("%+v", got)
	}
	if !kinds.doubts(10, 7) || kinds.with(Guard{Share: 0.9}).doubts(10, 2) || !kinds.with(Guard{Share: 1}).doubts(10, 0) {
		t.Error("the share in force is not the one that was set")
	}
}
