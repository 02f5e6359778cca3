package vsphere

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// event is what a session tells its worker. Each is one of these.
type event struct {
	updates []types.ObjectUpdate
	whole   bool // updates complete an answer
	alive   bool // vCenter answered, and nothing changed

	labels *labels

	verdicts map[string]bool // machines that were asked for: true where vCenter says that there is none

	wanted chan<- []string // asks for the machines whose attributes are to be read
}

// labels is one reading of what vCenter does not push.
type labels struct {
	tags   *labelling // nil: not believed, or not read this time
	fields map[int32]string
	values map[string]map[int32]string
}

// session is one login and all that hangs on it, until it fails or ctx ends.
func (w *worker) session(ctx context.Context) error {
	h := w.hub
	if err := h.await(ctx); err != nil {
		return err
	}
	err := w.serve(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.failed()
	return err
}

func (w *worker) serve(ctx context.Context) error {
	h := w.hub
	who, err := h.account()
	if err != nil {
		return err
	}
	c, err := connect(ctx, h.cfg, h.opts.timeout)
	if err != nil {
		return err
	}
	defer c.close(ctx)
	if err := c.login(ctx, who); err != nil {
		h.refuse(who, err)
		return err
	}
	l := &labeller{worker: w, client: c}
	if err := l.first(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	tasks.Go(func() { l.run(ctx) })
	tasks.Go(func() { w.answer(ctx, c) })
	return w.watch(ctx, c)
}

// objectsAtOnce bounds one answer of the property collector.
const objectsAtOnce = 1000

// fewCancels is how many waits in a row may be cancelled before the session counts as broken.
const fewCancels = 3

// watch follows the inventory. The answer to the first question comes in parts; nothing counts before the last.
func (w *worker) watch(ctx context.Context, c *client) error {
	spec, err := c.everything(ctx)
	if err != nil {
		return err
	}
	collector, err := c.collector(ctx, spec)
	if err != nil {
		return err
	}
	seconds := int32(max(w.hub.opts.wait/time.Second, 1)) //nolint:gosec // an option of ours, small
	request := types.WaitForUpdatesEx{
		This: collector, Options: &types.WaitOptions{MaxWaitSeconds: &seconds, MaxObjectUpdates: objectsAtOnce},
	}
	whole := false // the first answer is
	cancelled := 0 // waits in a row
	for {
		var set *types.UpdateSet
		limit := time.Duration(seconds)*time.Second + w.hub.opts.timeout
		if err := c.callWithin(ctx, "watch the inventory", limit, func(ctx context.Context) error {
			res, err := methods.WaitForUpdatesEx(ctx, c.vim, &request)
			switch {
			case err == nil:
				set, cancelled = res.Returnval, 0
			case fault.Is(err, &types.RequestCanceled{}) && cancelled < fewCancels && request.Version != "":
				cancelled++ // the wait alone has ended: the session and what was told in it stand
				return nil
			}
			return err
		}); err != nil {
			return err
		}
		if set == nil {
			if request.Version == "" {
				return errors.New("watch the inventory: the first answer is empty")
			}
			w.send(ctx, event{alive: true})
			continue
		}
		request.Version = set.Version
		ev := event{whole: set.Truncated == nil || !*set.Truncated}
		for _, f := range set.FilterSet {
			ev.updates = append(ev.updates, f.ObjectSet...)
		}
		w.send(ctx, ev)
		if ev.whole && !whole {
			whole = true
			w.hub.worked()
		}
	}
}

// answer asks for the machines that the worker misses.
func (w *worker) answer(ctx context.Context, c *client) {
	for {
		select {
		case <-ctx.Done():
			return
		case ids := <-w.missing:
			verdicts := make(map[string]bool, len(ids))
			for _, id := range ids {
				verdicts[id] = errors.Is(c.exists(ctx, id), errVanished)
				if ctx.Err() != nil {
					return
				}
			}
			w.send(ctx, event{verdicts: verdicts})
		}
	}
}

// labeller reads tags and attributes again and again.
type labeller struct {
	worker *worker
	client *client
	failed bool // the last reading; said once
}

// first reads what an answer cannot be whole without.
func (l *labeller) first(ctx context.Context) error {
	fields, err := l.client.fields(ctx)
	if err != nil {
		return err
	}
	for {
		read, err := l.client.readTags(ctx)
		if err != nil {
			return err
		}
		ok, again := l.worker.hub.believes(read.pairs)
		if ok {
			l.worker.send(ctx, event{labels: &labels{tags: &read, fields: fields}})
			return nil
		}
		if !sleep(ctx, again) {
			return ctx.Err()
		}
	}
}

func (l *labeller) run(ctx context.Context) {
	for pause := l.worker.hub.opts.resync; sleep(ctx, pause); {
		pause = l.round(ctx)
	}
}

// round reads once, and says when to read again. What cannot be read stays as it was.
func (l *labeller) round(ctx context.Context) time.Duration {
	pause := l.worker.hub.opts.resync
	out := &labels{}
	var failures [2]error
	out.fields, out.values, failures[0] = l.attributes(ctx)
	read, err := l.readTags(ctx)
	if _, refused := errors.AsType[*refusal](err); refused {
		pause = max(pause, l.worker.hub.opts.refused)
	}
	if err == nil {
		if ok, again := l.worker.hub.believes(read.pairs); ok {
			out.tags = &read
		} else {
			pause = min(again, pause)
		}
	}
	failures[1] = err
	if ctx.Err() == nil {
		l.report(errors.Join(failures[:]...))
		l.worker.send(ctx, event{labels: out})
	}
	return pause
}

// attributes reads the custom attributes of the machines that matter. Without any definition there is nothing to read.
func (l *labeller) attributes(ctx context.Context) (map[int32]string, map[string]map[int32]string, error) {
	fields, err := l.client.fields(ctx)
	if err != nil || len(fields) == 0 {
		return fields, nil, err
	}
	wanted := make(chan []string, 1)
	l.worker.send(ctx, event{wanted: wanted})
	select {
	case ids := <-wanted:
		values, err := l.client.values(ctx, ids)
		return fields, values, err
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// readTags reads them, with a new session of tags where the old one has ended.
func (l *labeller) readTags(ctx context.Context) (labelling, error) {
	read, err := l.client.readTags(ctx)
	if !errors.Is(err, errTagSession) {
		return read, err
	}
	who, err := l.worker.hub.account()
	if err != nil {
		return read, err
	}
	if err := l.client.loginTags(ctx, who); err != nil {
		l.worker.hub.refuse(who, err)
		return read, err
	}
	return l.client.readTags(ctx)
}

func (l *labeller) report(err error) {
	log := l.worker.hub.opts.Log
	switch {
	case err != nil && !l.failed:
		log.Warn("tags or attributes of machines cannot be read; they stay as they were", "connection", l.worker.hub.cfg.Name, "error", err)
	case err == nil && l.failed:
		log.Info("tags and attributes of machines can be read again", "connection", l.worker.hub.cfg.Name)
	}
	l.failed = err != nil
}

// sleep waits; false says that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
