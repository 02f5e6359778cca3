package vsphere

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// hubs has one hub for each connection and credentials.
type hubs struct {
	opts Options

	mu  sync.Mutex
	all map[hubKey]*hub
}

type hubKey struct{ connection, secret string }

func newHubs(opts Options) *hubs { return &hubs{opts: opts, all: map[hubKey]*hub{}} }

func (h *hubs) of(cfg Config, secret gateway.ID) *hub {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := hubKey{cfg.Name, secret.Name}
	if h.all[key] == nil {
		h.all[key] = &hub{cfg: cfg, secret: secret, opts: h.opts}
	}
	return h.all[key]
}

// hub is what the blocks of one connection share: the worker that has the session, while one of them runs, and the
// memory of logins, while none does. It is safe for concurrent use.
type hub struct {
	cfg    Config
	secret gateway.ID // of the credentials; zero: the agent's own
	opts   Options

	mu      sync.Mutex
	current *worker // nil: nobody wants one
	pace    pace
	tagged  int // tags on machines, of the last reading that was believed
	doubt   doubt
}

// pace says when the next session may be tried.
type pace struct {
	pause  time.Duration // before the next; 0: the last one worked
	notYet time.Time

	refused [sha256.Size]byte // the account that was refused last
	until   time.Time         // when it may be tried again; zero: none was refused
	reason  error
}

// join has a worker work for m, and starts one where there is none.
func (h *hub) join(ctx context.Context, m *member) (*worker, error) {
	var w *worker
	for w == nil {
		h.mu.Lock()
		switch {
		case h.current == nil:
			w = startWorker(h)
			h.current = w
		case h.current.members > 0:
			w = h.current
		}
		if w != nil {
			w.members++
			h.mu.Unlock()
			break
		}
		ending := h.current
		h.mu.Unlock()
		select {
		case <-ending.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case w.joins <- m:
	case <-w.done:
	}
	return w, nil
}

// leave ends what join began. The last to leave waits until the worker has ended.
func (h *hub) leave(w *worker, m *member) {
	h.mu.Lock()
	w.members--
	last := w.members == 0
	h.mu.Unlock()
	if last {
		w.cancel()
		<-w.done
		return
	}
	select {
	case w.leaves <- m:
	case <-w.done:
	}
}

// ended forgets a worker.
func (h *hub) ended(w *worker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == w {
		h.current = nil
	}
}

// await waits for as long as the last session asks for.
func (h *hub) await(ctx context.Context) error {
	h.mu.Lock()
	left := time.Until(h.pace.notYet)
	h.mu.Unlock()
	if left > 0 && !sleep(ctx, left) {
		return ctx.Err()
	}
	return nil
}

// believes says whether a reading of the tags of all machines counts, and when to read again if not.
func (h *hub) believes(tagged int) (ok bool, again time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok, again = h.doubt.believes(h.tagged, tagged, time.Now()); ok {
		h.tagged = tagged
	}
	return ok, again
}

// worked says that a session had its first whole answer.
func (h *hub) worked() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pace = pace{}
}

const firstPause = 250 * time.Millisecond

// failed puts the next session off, later after each one that has not worked.
func (h *hub) failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.pace
	p.pause = min(max(2*p.pause, firstPause), h.opts.backoff)
	p.notYet = time.Now().Add(p.pause/2 + rand.N(p.pause))
}

// account is what to log in with. Its error may be that the same was refused a short while ago.
func (h *hub) account() (a account, err error) {
	if a, err = h.credentials(); err != nil {
		return a, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if left := time.Until(h.pace.until); left > 0 && h.pace.refused == a.fingerprint() {
		return a, fmt.Errorf("%w; the same is not tried again before %s, lest the account be locked", h.pace.reason, h.pace.until.Format(time.TimeOnly))
	}
	return a, nil
}

// credentials are those of the secret, or the agent's own.
func (h *hub) credentials() (account, error) {
	if h.secret.Name == "" {
		return h.cfg.own()
	}
	return revealed(h.opts.Reveal, h.secret)
}

// refuse remembers a refused login.
func (h *hub) refuse(a account, err error) {
	if _, refused := errors.AsType[*refusal](err); !refused {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pace.refused, h.pace.reason, h.pace.until = a.fingerprint(), err, time.Now().Add(h.opts.refused)
}

func (a account) fingerprint() [sha256.Size]byte {
	return sha256.Sum256([]byte(a.username + "\x00" + a.password))
}

// revealed reads an account from a secret.
func revealed(reveal gateway.Reveal, secret gateway.ID) (account, error) {
	if reveal == nil {
		return account{}, fmt.Errorf("%s cannot be read here", secret)
	}
	m, ok := reveal(secret)
	if !ok {
		return account{}, fmt.Errorf("%s is not known, or has expired", secret)
	}
	username, hasUser := m.Reveal("username")
	password, hasPassword := m.Reveal("password")
	if !hasUser || !hasPassword {
		return account{}, fmt.Errorf("%s has no fields username and password", secret)
	}
	return account{string(username), string(password)}, nil
}
