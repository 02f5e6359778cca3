package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// How much else a platform runs. The simulated vCenter looks at all machines again for each event, so that more of them
// would measure the simulator.
const (
	manyServices = 10_000
	manyMachines = 100
)

// nomadSource measures an instance that Nomad registers, beside a bare subscriber of its event stream.
func nomadSource(s *stage) {
	up := s.role("upstream")
	port, err := strconv.Atoi(up.word)
	s.must(err)
	n := testenv.StartNomad(s)
	for i := range manyServices {
		n.Register(n.Service(fmt.Sprintf("service-%05d", i), fmt.Sprintf("alloc-%05d", i), "10.0.0.1", 8080))
	}
	n.Register(n.Service("probe", stays, "127.0.0.1", 1)) // the list is never empty; nothing listens there
	r := s.platform(`nomad { service = "probe" }`, fmt.Sprintf("nomad \"main\" {\n  address = %q\n}\n", n.Addr))
	events := s.nomadEvents(n.Addr)
	number := 0
	come := func() error {
		number++
		n.Register(n.Service("probe", fmt.Sprint("live-", number), "127.0.0.1", port))
		return nil
	}
	gone := func() { n.Deregister("default", n.Service("probe", fmt.Sprint("live-", number), "", 0).ID) }
	all := r.inTurn(r.comes(come, gone), events.heard(come, gone))
	s.sourceLatency("Nomad", all[0], all[1])
	r.atRest("Nomad, 10,000 services beside", func() int { return n.Calls("") })
}

// vsphereSource measures a virtual machine that is powered on, beside a bare property collector.
func vsphereSource(s *stage) {
	up := s.role("upstream")
	v := testenv.StartVCenter(s)
	v.AddFolder(s, "/DC0/vm/others")
	v.AddFolder(s, "/DC0/vm/probe")
	v.AddVMs(s, "/DC0/vm/others", "other", manyMachines)
	v.AddVM(s, "/DC0/vm/probe", "dead", "127.0.0.2") // the list is never empty; nothing listens there
	vm := v.AddVM(s, "/DC0/vm/probe", "live", "127.0.0.1")
	v.PowerOff(s, vm)
	r := s.platform(fmt.Sprintf("vsphere {\n    folder = \"/DC0/vm/probe\"\n    port   = %s\n    cidr   = \"127.0.0.0/8\"\n  }", up.word), fmt.Sprintf(
		"vsphere \"main\" {\n  address  = %q\n  username = %q\n  password = %q\n  ca_file  = %q\n  tags     = false\n}\n", v.Address, v.Username, v.Password, v.CAFile))
	events := s.vsphereEvents(v, vm)
	come := func() error { v.PowerOn(s, vm); return nil }
	gone := func() { v.PowerOff(s, vm) }
	all := r.inTurn(r.comes(come, gone), events.heard(come, gone))
	s.sourceLatency("vSphere", all[0], all[1])
	r.atRest("vSphere, 100 machines beside", func() int { return v.Calls("") })
}

func (s *stage) sourceLatency(platform string, ours, bare taken) {
	s.latency("endpoint in, "+platform, ours, bare, taken{}, 1.5*bare.p50()+10, 0)
}

// platformRig is a control plane that asks one platform, with an Envoy.
type platformRig struct {
	*rig
}

// platform starts the command with an upstream of a source; more goes into the agent's configuration.
func (s *stage) platform(source, more string) *platformRig {
	port := testenv.FreePorts(s, 1)[0]
	document := fmt.Sprintf(listening, port) + fmt.Sprintf("upstream \"probe\" {\n  %s\n}\nroute \"probe\" {\n  hosts = [%q]\n  to { upstream = upstream.probe }\n}\n", source, probeHost)
	r := &platformRig{rig: &rig{s: s, host: probeHost}}
	r.plane, _ = s.onDisk(document, more)
	r.edge = s.prober(port)
	s.awaitStatus(r.edge, request(probeHost, "/"), http.StatusServiceUnavailable)
	return r
}

// comes measures from the change to the first request that the new endpoint answers; then it is gone again.
func (r *platformRig) comes(come func() error, gone func()) thing {
	return func() (time.Duration, error) {
		took, err := r.edge.change(come, request(probeHost, "/"), is(http.StatusOK))
		gone()
		for refused := 0; refused < 20 && err == nil; { // of several endpoints each has its turn
			var status int
			if status, err = r.edge.get(request(probeHost, "/")); status == http.StatusOK {
				refused = 0
			} else {
				refused++
			}
		}
		return took, err
	}
}

// restTime is how long a control plane is watched that has nothing to do.
const restTime = 20 * time.Second

// atRest measures what a control plane costs while nothing changes.
func (r *platformRig) atRest(what string, calls func() int) {
	before, asked := r.plane.cpu(), calls()
	t := time.NewTimer(restTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.s.ctx.Done():
	}
	busy := 100 * float64(r.plane.cpu()-before) / float64(restTime)
	r.s.note(Entry{Name: what + ": CPU at rest, of one core", Unit: "%", Value: busy}.atMost(1))
	r.s.note(Entry{Name: what + ": questions to it at rest", Unit: "a minute", Value: float64(calls()-asked) * float64(time.Minute) / float64(restTime)})
	r.s.note(Entry{Name: what + ": resident memory", Unit: "MB", Value: r.s.memory(r.plane.pid)})
}

// bareEvents are what a platform says of a change, as it arrives.
type bareEvents struct{ arrived chan time.Time }

// heard measures from the change to the event.
func (e bareEvents) heard(come func() error, gone func()) thing {
	return func() (time.Duration, error) {
		e.drain()
		start := time.Now()
		if err := come(); err != nil {
			return 0, err
		}
		defer e.drain()
		defer gone()
		select {
		case at := <-e.arrived:
			return at.Sub(start), nil
		case <-time.After(patience):
			return patience, errLost
		}
	}
}

func (e bareEvents) drain() {
	for {
		select {
		case <-e.arrived:
		default:
			return
		}
	}
}
