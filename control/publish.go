package control

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// publish translates the touched units, hands them to the store in one transaction, and opens the books on what
// Envoys have to acknowledge. A unit that cannot be translated keeps its last form; its blocks are put to the question
// as if an Envoy had refused it.
func (l *Loop) publish(change gateway.Change, since time.Time) {
	start := time.Now()
	var tx store.Change
	var failed []failure
	for _, u := range change.Units {
		in := l.w.Inputs(u)
		key := storeKey(translate.KeyOf(u))
		if in.Held {
			l.hold(&tx, key, in)
			continue
		}
		r, err := l.build(in)
		l.settling.built(key, in, r, err != nil)
		switch {
		case l.unfit(in, err):
			l.hold(&tx, key, in)
		case err != nil:
			failed = append(failed, failure{key, l.blame(in), err.Error(), nil})
		case r == nil:
			tx.Remove = append(tx.Remove, key)
			l.book.remove(key)
		default:
			if refusal := l.book.expect(r, u, in.Forms, since); refusal != "" {
				failed = append(failed, failure{key, in.Forms, refusal, in.Gateways})
				continue
			}
			tx.Set = append(tx.Set, r)
		}
	}
	if len(change.Units) > 0 {
		l.meters.translate(time.Since(start))
	}
	l.cfg.Store.Publish(tx)
	for _, f := range failed {
		l.log.Warn("not published", "resource", f.key.String(), "error", f.words)
		l.inquest.refused(f.key, f.forms, f.words, f.gateways)
	}
	l.accept(l.book.settled(l.w, append(l.book.freedNow(), change.Blocks...)))
}

// failure is a unit that was refused, by an Envoy or before any saw it.
type failure struct {
	key      store.Key
	forms    []gateway.FormRef
	words    string
	gateways []string // whose Envoys can say more; none: the translation failed
}

func (l *Loop) build(in gateway.Inputs) (*store.Resource, error) {
	r, err := l.cfg.Translator.Build(in)
	if err == nil {
		err = l.onTime(in, r)
	}
	if err != nil || r == nil {
		return nil, err
	}
	needs := make([]store.Key, len(r.Needs))
	for i, n := range r.Needs {
		needs[i] = storeKey(n)
	}
	out, err := store.NewResource(storeKey(r.Key), r.Message, needs, in.Gateways)
	if err != nil {
		return nil, err
	}
	out.Requires = r.Requires
	return out, nil
}

func storeKey(k translate.Key) store.Key { return store.Key{Type: k.TypeURL, Name: k.Name} }
