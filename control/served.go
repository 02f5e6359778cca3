package control

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// hold leaves what Envoys have of a unit as it is: what it is built from is not known, or unfit. For what a listener
// cannot be without, Envoys that come new get what the others have, or a stand-in.
func (l *Loop) hold(tx *store.Change, key store.Key, in gateway.Inputs) {
	if in.Form.StandsIn() {
		r := l.cfg.Store.Get(key)
		if r == nil {
			r = l.standIn(key, in)
		}
		if r != nil {
			tx.Set = append(tx.Set, r.For(in.Gateways))
			return
		}
	}
	tx.Hold = append(tx.Hold, key)
}

// standIn is nil where there is none. Nobody waits for its ACK, as most Envoys are not sent it.
func (l *Loop) standIn(key store.Key, in gateway.Inputs) *store.Resource {
	made, err := translate.StandIn(in)
	if err != nil || made == nil {
		return nil
	}
	r, err := store.NewResource(key, made.Message, nil, in.Gateways)
	if err != nil {
		return nil
	}
	r.StandIn = true
	return r
}

// onTime refuses a certificate whose time is over, or has not come; that one is tried again when it has.
func (l *Loop) onTime(in gateway.Inputs, r *translate.Resource) error {
	from, err := translate.CheckTime(in, r, time.Now())
	delete(l.later, in.Unit)
	if !from.IsZero() {
		l.later[in.Unit] = from
	}
	return err
}

// nextLater is how long until the first of them is tried again; 0: there is none.
func (l *Loop) nextLater() (d time.Duration) {
	for _, at := range l.later {
		d = sooner(d, max(time.Until(at), time.Millisecond))
	}
	return d
}

// comeLater tries those again whose time has come.
func (l *Loop) comeLater() bool {
	var units []gateway.Unit
	for u, at := range l.later {
		if !time.Now().Before(at) {
			units = append(units, u)
			delete(l.later, u)
		}
	}
	if len(units) > 0 {
		l.publish(gateway.Change{Units: units}, time.Now())
	}
	return len(units) > 0
}
