package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// feed is what the blocks of one namespace share: one list, and then one watch from where it ended, of the slices of just
// their services. It asks while somebody reads. What it knows outlives an error, so that a watch goes on where it was.
type feed struct {
	client    *Client
	namespace string
	timeout   time.Duration
	pace      pace

	mu      sync.Mutex
	readers map[*reader]bool
	wanted  selection               // of the session; while there is one
	restart context.CancelCauseFunc // ends the session; nil while there is none
	stop    context.CancelFunc      // ends the worker; nil while there is none
	ended   chan struct{}           // closed when the worker has ended
	ending  bool                    // the last reader waits for that
	live    bool                    // the state is as fresh as the cluster's
	state   *state                  // nil: to be listed

	trouble trouble // as all below, of the worker alone
	listed  time.Time
	watched time.Time
	mute    bool // the last watch ended without a word
}

var (
	errWider = errors.New("more services are asked for")
	errGone  = errors.New("the version is too old")
)

// join has the feed tell r until leave is called, which waits for what join started.
func (f *feed) join(ctx context.Context, r *reader) (leave func(failed bool), err error) {
	f.mu.Lock()
	for f.ending {
		ended := f.ended
		f.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if f.readers == nil {
		f.readers = map[*reader]bool{}
	}
	f.readers[r] = true
	switch {
	case f.stop == nil:
		ctx, cancel := context.WithCancel(context.Background())
		f.stop, f.ended = cancel, make(chan struct{})
		go f.work(ctx, f.ended)
	case f.restart != nil && !f.wanted.covers(r.service):
		f.restart(errWider)
	case f.live:
		f.tell(r, true)
	}
	return func(failed bool) { f.leave(r, failed) }, nil
}

func (f *feed) leave(r *reader, failed bool) {
	f.mu.Lock()
	delete(f.readers, r)
	if len(f.readers) > 0 {
		f.mu.Unlock()
		return
	}
	f.ending = true
	f.stop()
	ended := f.ended
	f.mu.Unlock()
	<-ended
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending, f.stop, f.restart, f.live = false, nil, nil, false
	if !failed {
		f.state = nil // nobody may come again
	}
}

// tell tells r what is known of its service. The caller holds mu.
func (f *feed) tell(r *reader, changed bool) {
	w := word{changed: changed || !r.served}
	if w.changed {
		w.slices = f.state.of(r.service)
	}
	r.served = true
	r.put(w)
}

// work lists and watches until ctx ends.
func (f *feed) work(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	for sleep(ctx, time.Until(f.trouble.notYet)) {
		err := f.session(ctx)
		if ctx.Err() != nil {
			return
		}
		f.mu.Lock()
		f.live, f.restart = false, nil
		switch {
		case errors.Is(err, errWider):
		case errors.Is(err, errGone):
			f.state = nil
		default:
			f.trouble.failed(f.pace, err)
			for r := range f.readers {
				r.put(word{err: err})
			}
		}
		f.mu.Unlock()
	}
}

// session lists, unless what is known is of use, and watches. Its error is never nil.
func (f *feed) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !f.begin(cancel) {
		if !sleep(ctx, max(f.pace.gather, time.Until(f.listed.Add(f.pace.gap)))) {
			return context.Cause(ctx)
		}
		wanted := f.choose()
		f.listed = time.Now()
		s, err := f.list(ctx, wanted)
		if err != nil {
			return whyOf(ctx, err)
		}
		f.replace(s)
	}
	for {
		if !sleep(ctx, time.Until(f.watched.Add(f.pace.gap))) {
			return context.Cause(ctx)
		}
		if err := f.watch(ctx); err != nil {
			return whyOf(ctx, err)
		}
	}
}

// whyOf is why ctx was ended, or err where it was not.
func whyOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// begin says whether what is known will do for all readers.
func (f *feed) begin(restart context.CancelCauseFunc) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restart, f.wanted = restart, nil // while blocks gather, all are welcome
	if f.state == nil {
		return false
	}
	for r := range f.readers {
		if !f.state.wanted.covers(r.service) {
			return false
		}
	}
	f.wanted = f.state.wanted
	return true
}

func (f *feed) choose() selection {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = selectionOf(f.readers)
	return f.wanted
}

// replace puts a list in force.
func (f *feed) replace(s *state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.state
	f.state, f.live = s, true
	for r := range f.readers {
		if s.wanted.covers(r.service) {
			f.tell(r, !s.same(before, r.service))
		}
	}
}

// watch follows what happens until the server ends it. What it returns is nil if it may be opened anew.
func (f *feed) watch(ctx context.Context) error {
	f.watched = time.Now()
	heard := false
	err := f.client.watch(ctx, f.question(), f.timeout, f.pace.silence, f.opened, func(e event) {
		heard = true
		f.trouble.worked()
		f.mu.Lock()
		defer f.mu.Unlock()
		touched := map[string]bool{}
		for _, service := range f.state.apply(e) {
			touched[service] = true
		}
		for r := range f.readers {
			f.tell(r, touched[r.service])
		}
	})
	said, isSaid := errors.AsType[*apiError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case isSaid && said.gone():
		return fmt.Errorf("%w: %w", errGone, err)
	case errors.Is(err, errNonsense):
		f.forget()
		return err
	case isSaid || errors.Is(err, errNotOpened):
		return err
	case heard || time.Since(f.watched) >= f.pace.lasting:
		f.trouble.worked()
		f.mute = false
		return nil
	case !f.mute: // once is no trouble yet
		f.mute = true
		return nil
	case err == nil:
		return errors.New("watch endpointslices: it was ended at once")
	}
	return err
}

func (f *feed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = nil
}

// question is where and from where on to watch.
func (f *feed) question() question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return question{namespace: f.namespace, wanted: f.state.wanted, version: f.state.version, lasting: f.pace.watch}
}

// opened says that the server watches from what is known on.
func (f *feed) opened() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live = true
	for r := range f.readers {
		f.tell(r, false)
	}
}

// list reads all pages. A list whose continuation has expired is read again at once, on one page.
func (f *feed) list(ctx context.Context, wanted selection) (*state, error) {
	s, err := f.pages(ctx, wanted, f.pace.pageSize)
	if said, ok := errors.AsType[*apiError](err); ok && said.gone() {
		s, err = f.pages(ctx, wanted, 0)
	}
	return s, err
}

func (f *feed) pages(ctx context.Context, wanted selection, size int) (*state, error) {
	s := newState(wanted)
	q := question{namespace: f.namespace, wanted: wanted, limit: size}
	for {
		p, err := f.client.page(ctx, q, f.timeout)
		if err != nil {
			return nil, err
		}
		if q.next != "" && q.next == p.next {
			return nil, errors.New("list endpointslices: a page follows itself")
		}
		for _, n := range p.slices {
			s.put(n)
		}
		s.version, q.next = p.version, p.next
		if p.next == "" {
			return s, nil
		}
	}
}
