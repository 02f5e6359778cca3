package catalog

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	beatEvery   = 5 * time.Second
	beatAgain   = time.Second // after a missed one
	beatTimeout = 3 * time.Second
)

// errRestart ends blocking queries that were begun before an outage: their connections may be half open.
var errRestart = errors.New("restarted after an outage")

// heartbeat asks Consul for a sign of life while there are watches. A blocking query on a connection that is half open
// hears nothing until its deadline; once Consul answers again after a missed beat, all watches start again.
type heartbeat struct {
	mu      sync.Mutex
	users   int
	stop    context.CancelFunc
	done    chan struct{}
	restart chan struct{} // closed when watches have to start again
	lost    bool          // the last beat found no leader
	err     error         // of the last beat
}

// verdict is what the last beat found: that Consul has no leader, or, with an error, that it did not answer.
func (h *heartbeat) verdict() (lost bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost, h.err
}

// leader says that the last beat found one, or that there was none yet.
func (h *heartbeat) leader() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.lost
}

// join starts the beat with the first watch; the function it returns stops it with the last, and waits for it.
func (h *heartbeat) join(c *Client) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
	if h.users == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.done = cancel, make(chan struct{})
		done := h.done
		go func() {
			defer close(done)
			h.run(ctx, c)
		}()
	}
	return h.leave
}

func (h *heartbeat) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	if h.users == 0 {
		h.stop()
		<-h.done
	}
}

// restarted is closed when a call that is begun now has to be begun again.
func (h *heartbeat) restarted() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.restart == nil {
		h.restart = make(chan struct{})
	}
	return h.restart
}

func (h *heartbeat) run(ctx context.Context, c *Client) {
	missed, pause, said := false, beatEvery, ""
	for sleep(ctx, pause) == nil {
		call, cancel := context.WithTimeout(ctx, beatTimeout)
		leader, err := c.api.Status().LeaderWithQueryOptions(query(call))
		cancel()
		if ctx.Err() != nil {
			return
		}
		err = bare(err)
		said = c.tell(said, leader, err)
		h.beaten(err == nil && leader != "", err == nil && missed, err)
		if pause = beatEvery; err != nil {
			pause = beatAgain
		}
		missed = err != nil && unanswered(err)
	}
}

// tell logs that an outage begins, changes or ends, and returns what is wrong; empty: nothing.
func (c *Client) tell(before, leader string, err error) (now string) {
	switch {
	case err != nil:
		now = "consul does not answer, keeping what is known"
	case leader == "":
		now = noLeader
	}
	switch {
	case now == before:
	case now == "":
		c.log.Info("consul answers again", "connection", c.Name)
	case err != nil:
		c.log.Warn(now, "connection", c.Name, "error", err)
	default:
		c.log.Warn(now, "connection", c.Name)
	}
	return now
}

// beaten notes a beat. leave holds mu while it waits for the beat to end: TryLock keeps the two from waiting for each
// other.
func (h *heartbeat) beaten(leader, again bool, err error) {
	if !h.mu.TryLock() {
		return
	}
	defer h.mu.Unlock()
	h.lost, h.err = !leader, err
	if again && h.restart != nil {
		close(h.restart)
		h.restart = nil
	}
}

// bare is an error of a call without the URL of the call: it names no agent, since the transport picks one.
func bare(err error) error {
	if call, ok := errors.AsType[*url.Error](err); ok {
		err = call.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return late{err}
	}
	return err
}

// late is a deadline in words.
type late struct{ error }

func (late) Error() string   { return "no answer in time" }
func (l late) Unwrap() error { return l.error }

// unanswered says that no HTTP answer came, as opposed to one that says no.
func unanswered(err error) bool {
	var status api.StatusError
	return !errors.As(err, &status)
}
