package ec2

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asking is an account whose answers a test gives, with the time of each question since the beginning.
type asking struct {
	account
	mu     sync.Mutex
	at     []time.Duration
	asked  []question
	answer func(context.Context) error
}

func newAsking() *asking {
	began := time.Now()
	a := &asking{answer: func(context.Context) error { return nil }}
	a.account = account{pace: usualPace, ask: func(ctx context.Context, q question) (*listing, error) {
		a.mu.Lock()
		a.at, a.asked = append(a.at, time.Since(began).Round(10*time.Millisecond)), append(a.asked, q)
		a.mu.Unlock()
		if err := a.answer(ctx); err != nil {
			return nil, err
		}
		return &listing{question: q}, nil
	}}
	return a
}

// count is the number of questions, when nobody who could ask is at work any more.
func (a *asking) count() int {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

func reading(interval time.Duration) *reader {
	return &reader{wants: selection{{"tag:a", []string{"b"}}}, interval: interval}
}

// One question an interval, the shortest of those who read, and none when nobody reads.
func TestQuestionsAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking()
		slow, fast := reading(time.Minute), reading(10*time.Second)
		leaveSlow := a.join(slow)
		time.Sleep(3 * time.Minute)
		if n := a.count(); n != 3 {
			t.Errorf("%d questions in three minutes: %v", n, a.at)
		}
		leaveFast := a.join(fast)
		if w := <-fast.words; w.listing == nil {
			t.Error("what was known is not told")
		}
		before := a.count()
		time.Sleep(time.Minute)
		if n := a.count() - before; n < 5 || n > 7 {
			t.Errorf("%d questions in a minute: %v", n, a.at)
		}
		leaveFast(false)
		leaveSlow(false)
		before = a.count()
		time.Sleep(time.Hour)
		if n := a.count() - before; n != 0 {
			t.Errorf("%d questions that nobody wants", n)
		}
	})
}

// Who joins together is asked for together; who comes later waits for the gap.
func TestReadersGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking()
		var leave []func(bool)
		for n := range 5 {
			r := reading(time.Minute)
			r.wants = selection{{"tag:a", []string{string(rune('a' + n))}}}
			leave = append(leave, a.join(r))
			time.Sleep(5 * time.Millisecond)
		}
		late := reading(time.Minute)
		late.status = true
		time.Sleep(100 * time.Millisecond)
		leave = append(leave, a.join(late))
		time.Sleep(5 * time.Second)
		if a.count() != 2 || a.at[0] != 50*time.Millisecond || a.at[1] != 1050*time.Millisecond {
			t.Errorf("questions at %v", a.at)
		}
		if len(a.asked[0].narrow) != 1 || len(a.asked[0].narrow[0].values) != 5 || a.asked[0].status || !a.asked[1].status {
			t.Errorf("asked was %+v", a.asked)
		}
		for _, l := range leave {
			l(false)
		}
	})
}

// However often blocks come again, an account that fails is asked later and later.
func TestFailuresAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking()
		fails := errors.New("no")
		a.answer = func(context.Context) error { return fails }
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		ended := make(chan struct{}, 20)
		for range 20 { // blocks, each of which comes again after a second
			go func() {
				defer func() { ended <- struct{}{} }()
				for ctx.Err() == nil {
					r := reading(30 * time.Second)
					leave := a.join(r)
					select {
					case w := <-r.words:
						leave(w.err != nil)
					case <-ctx.Done():
						leave(false)
					}
					time.Sleep(time.Second)
				}
			}()
		}
		for range 20 {
			<-ended
		}
		if n := a.count(); n < 7 || n > 12 {
			t.Errorf("%d questions in three minutes: %v", n, a.at)
		}
		// What is good again counts at once.
		a.answer = func(context.Context) error { return nil }
		r := reading(time.Minute)
		leave := a.join(r)
		if w := <-r.words; w.err != nil || a.failures != 0 {
			t.Errorf("the word is %v", w.err)
		}
		leave(false)
	})
}

// A question that hangs ends, and one that is not wanted any more ends at once.
func TestQuestionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking()
		a.answer = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		r := reading(time.Minute)
		leave := a.join(r)
		w := <-r.words
		if !errors.Is(w.err, context.DeadlineExceeded) || time.Since(began) > usualPace.deadline+time.Second {
			t.Errorf("%v after %s", w.err, time.Since(began))
		}
		leave(true)
		leave = a.join(reading(time.Minute))
		time.Sleep(time.Minute)
		began = time.Now()
		leave(false)
		if e := time.Since(began); e > 0 {
			t.Errorf("it took %s to leave", e)
		}
	})
}

// An answer to a question that was put before a reader came is not for it, unless it covers what the reader wants.
func TestReadersThatComeDuringAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking()
		a.answer = func(context.Context) error { time.Sleep(10 * time.Second); return nil }
		leave := a.join(reading(time.Minute))
		time.Sleep(time.Second)
		same, other := reading(time.Minute), reading(time.Minute)
		other.wants = selection{{"vpc-id", []string{"v"}}}
		leaveSame, leaveOther := a.join(same), a.join(other)
		began := time.Now()
		<-same.words
		if e := time.Since(began).Round(time.Second); e != 9*time.Second {
			t.Errorf("what the question covers is told after %s", e)
		}
		if w := <-other.words; w.narrow != nil || len(a.asked) != 2 {
			t.Errorf("%+v was told after %d questions", w, len(a.asked))
		}
		leave(false)
		leaveSame(false)
		leaveOther(false)
	})
}
