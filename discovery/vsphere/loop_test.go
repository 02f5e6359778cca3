package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

// A machine that is not shown any more goes only when vCenter says that there is none: the account may have lost a right.
func TestMissingMachines(t *testing.T) {
	t.Parallel()
	w := &worker{hub: &hub{opts: Options{}.withDefaults()}, missing: make(chan []string, 1)}
	l := newLoop(w)
	l.labelled = true
	m := &member{source: newSource(Spec{Name: "*", Port: 80}, w.hub), box: mailbox{signal: make(chan struct{}, 1)}}
	l.members[m] = true
	say := func(ev event) int {
		l.take(ev)
		l.tell()
		return len(m.source.kept)
	}
	asked := func() int {
		select {
		case ids := <-w.missing:
			return len(ids)
		default:
			return 0
		}
	}
	if n := say(event{whole: true, updates: []types.ObjectUpdate{changed(1, 1), changed(2, 1), changed(3, 1)}}); n != 3 {
		t.Fatalf("%d endpoints", n)
	}
	leave := func(i int) types.ObjectUpdate {
		u := changed(i, 1)
		u.Kind, u.ChangeSet = types.ObjectUpdateKindLeave, nil
		return u
	}
	if n := say(event{whole: true, updates: []types.ObjectUpdate{leave(1), leave(2)}}); n != 3 || asked() != 2 {
		t.Errorf("%d endpoints before vCenter was asked", n)
	}
	if n := say(event{whole: true, updates: []types.ObjectUpdate{leave(3)}}); n != 3 || asked() != 0 {
		t.Errorf("%d endpoints, or two questions at a time", n)
	}
	if n := say(event{verdicts: map[string]bool{"vm-1": true, "vm-2": false}}); n != 2 || asked() != 2 {
		t.Errorf("%d endpoints after the first verdict", n)
	}
	if n := say(event{verdicts: map[string]bool{"vm-2": false, "vm-3": false}}); n != 2 || asked() != 0 {
		t.Errorf("%d endpoints, or it asks in a loop", n)
	}
	say(event{whole: true, updates: []types.ObjectUpdate{changed(4, 1)}})
	say(event{labels: &labels{}}) // the next reading asks again
	if asked() != 2 {
		t.Error("it does not ask again")
	}
	if n := say(event{verdicts: map[string]bool{"vm-2": true, "vm-3": true}}); n != 1 {
		t.Errorf("%d endpoints in the end", n)
	}
}

// What vCenter could not read is not known, and takes nothing away.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	w := &worker{hub: &hub{opts: Options{}.withDefaults()}, missing: make(chan []string, 1)}
	l := newLoop(w)
	l.labelled = true
	m := &member{source: newSource(Spec{Name: "m*", Port: 80}, w.hub), box: mailbox{signal: make(chan struct{}, 1)}}
	l.members[m] = true
	l.take(event{whole: true, updates: []types.ObjectUpdate{changed(1, 1)}})
	l.inventory = newInventory() // a new session
	half := changed(1, 1)
	half.ChangeSet = half.ChangeSet[:1]
	half.MissingSet = []types.MissingProperty{{Path: "guest.net"}, {Path: "runtime.powerState"}}
	l.take(event{whole: true, updates: []types.ObjectUpdate{half}})
	if len(m.source.kept) != 1 {
		t.Error("half an answer took the endpoint away")
	}
	l.take(event{whole: true, updates: []types.ObjectUpdate{{
		Kind: types.ObjectUpdateKindModify, Obj: half.Obj,
		ChangeSet: []types.PropertyChange{{Name: "runtime.powerState", Val: types.VirtualMachinePowerStatePoweredOff}},
	}}})
	if len(m.source.kept) != 0 {
		t.Error("a machine that is off is an endpoint")
	}
}
