package nomad

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// refuseStreams has sources list, as for a token that may not read events.
var refuseStreams = testenv.NomadFault{Path: "/v1/event", Status: 403}

// bothModes runs a test by events and by lists.
func bothModes(t *testing.T, test func(t *testing.T, n *testenv.Nomad, faults ...testenv.NomadFault)) {
	t.Run("events", func(t *testing.T) { test(t, startNomad(t)) })
	t.Run("lists", func(t *testing.T) {
		n := startNomad(t)
		n.Break(refuseStreams)
		test(t, n, refuseStreams)
	})
}

func TestChangesArrive(t *testing.T) {
	bothModes(t, func(t *testing.T, n *testenv.Nomad, _ ...testenv.NomadFault) {
		c := client(t, n, at(steady()))
		l := listen(t, c, Spec{Service: "shop"})
		l.expect(t)
		n.Register(shop(n, 1), shop(n, 2))
		l.expect(t, "10.0.0.1", "10.0.0.2")
		moved := shop(n, 2)
		moved.Address = "10.0.0.22"
		n.Register(moved, n.Service("other", "x", "10.9.9.9", 1))
		l.expect(t, "10.0.0.1", "10.0.0.22")
		n.Deregister("default", shop(n, 1).ID)
		l.expect(t, "10.0.0.22")
		n.Lose("default", shop(n, 2).ID) // its allocation has ended
		l.expect(t)
		n.Register(shop(n, 3))
		l.expect(t, "10.0.0.3")
		if l.errors() > 0 {
			t.Errorf("errors: %v", l.errs)
		}
	})
}

// TestOneStreamServesAll: sources of one namespace share a stream and each other's answers, and none disturbs another.
func TestOneStreamServesAll(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1), n.Service("cart", "c1", "10.1.0.1", 80))
	c := client(t, n, at(steady()))
	all := []*listener{listen(t, c, Spec{Service: "cart"})}
	for i := range 20 {
		all = append(all, listen(t, c, Spec{Service: "shop", Checks: i == 7}))
	}
	for _, l := range all[1:] {
		l.expect(t, "10.0.0.1")
	}
	t.Run("one comes and goes", func(t *testing.T) {
		l := listen(t, c, Spec{Service: "shop", Tags: []string{"v2"}})
		l.expect(t)
	})
	n.Register(shop(n, 1), shop(n, 2))
	for _, l := range all[1:8] {
		l.expect(t, "10.0.0.1", "10.0.0.2")
	}
	if streams := n.Calls("/v1/event/stream"); streams != 1 {
		t.Errorf("%d streams were opened", streams)
	}
	if lists, reads := n.Calls("/v1/services"), n.Calls("/v1/service/shop"); lists != 1 || reads > 2 {
		t.Errorf("%d lists, %d reads of one service", lists, reads)
	}
	for _, l := range all {
		if l.errors() > 0 {
			t.Errorf("errors: %v", l.errs)
		}
	}
}

func TestGaps(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1))
	l := listen(t, client(t, n), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	n.Swallow(1)
	n.Register(shop(n, 2)) // the list knows a later index than the stream
	l.expect(t, "10.0.0.1", "10.0.0.2")
	n.Swallow(1)
	n.Register(shop(n, 3))
	n.Register(n.Service("other", "x", "10.9.9.9", 1)) // the stream is at the index of the list, and has lost something
	l.expect(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	if l.errors() > 0 {
		t.Errorf("errors: %v", l.errs)
	}
}

// TestGapBetweenStreams: so much happens while no stream is open that Nomad does not have it any more.
func TestGapBetweenStreams(t *testing.T) {
	n := startNomad(t, func(o *testenv.NomadOptions) { o.Buffer = 3 })
	n.Register(shop(n, 1))
	p := steady()
	p.lasting, p.retry = 0, 500*time.Millisecond
	l := listen(t, client(t, n, at(p)), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	n.CutStreams()
	n.Register(shop(n, 2))
	for i := range 6 {
		n.Register(n.Service("other", fmt.Sprint(i), "10.9.9.9", 1))
	}
	l.expect(t, "10.0.0.1", "10.0.0.2")
}

func TestDuplicates(t *testing.T) {
	n := startNomad(t)
	n.Duplicate(true)
	n.Register(shop(n, 1))
	l := listen(t, client(t, n), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	n.Register(shop(n, 2))
	n.Deregister("default", shop(n, 1).ID)
	l.expect(t, "10.0.0.2")
	n.CutStreams() // the next one tells of everything again
	n.Register(shop(n, 3))
	l.expect(t, "10.0.0.2", "10.0.0.3")
	l.stays(t, "10.0.0.2", "10.0.0.3")
}

func TestClosedStreams(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1))
	p := steady()
	p.lasting = 0
	l := listen(t, client(t, n, at(p)), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	for i := 2; i < 6; i++ {
		n.CutStreams()
		n.Register(shop(n, i))
	}
	l.expect(t, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
	if l.errors() > 0 {
		t.Errorf("errors: %v", l.errs)
	}
}

// TestSilentStream: a stream without heartbeats is dead, and what it hides is listed.
func TestSilentStream(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1))
	p := hasty
	p.relist = time.Hour
	l := listen(t, client(t, n, at(p)), Spec{Service: "shop"})
	l.expect(t, "10.0.0.1")
	n.Break(testenv.NomadFault{Path: "/v1/event", Hang: true})
	n.Register(shop(n, 2))
	l.expect(t, "10.0.0.1", "10.0.0.2")
}

// TestNothingSpins counts the calls of a second against a Nomad that gives every reason to ask again at once.
func TestNothingSpins(t *testing.T) {
	for name, faults := range map[string][]testenv.NomadFault{
		"streams end at once":        {{Path: "/v1/event", Cut: true}},
		"streams are refused":        {refuseStreams},
		"queries do not wait":        {refuseStreams, {Path: "/v1/services", Restive: true}},
		"everything fails":           {{Status: 500}},
		"services cannot be read":    {{Path: "/v1/service/", Status: 500}},
		"lists have no index":        {{Path: "/v1/services", NoIndex: true}},
		"streams end, lists restive": {{Path: "/v1/event", Cut: true}, {Path: "/v1/services", Restive: true}},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNomad(t)
			n.Register(shop(n, 1))
			n.Break(faults...)
			c := client(t, n, at(pace{}.orDefault()))
			for range 5 {
				listen(t, c, Spec{Service: "shop"})
			}
			over := time.NewTimer(time.Second)
			<-over.C
			if calls := n.Calls(""); calls > 25 || calls == 0 {
				t.Errorf("%d calls in a second", calls)
			}
		})
	}
}

// TestWhatProvesNothing: answers that are none, or half of one, take nothing away.
func TestWhatProvesNothing(t *testing.T) {
	for name, fault := range map[string]testenv.NomadFault{
		"error":             {Status: 500},
		"refused":           {Status: 403},
		"no index":          {NoIndex: true},
		"filtered":          {Filter: true},
		"half":              {Half: true},
		"half list":         {Path: "/v1/services", Half: true},
		"empty list":        {Path: "/v1/services", Empty: true},
		"no index of reads": {Path: "/v1/service/", NoIndex: true},
	} {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, n *testenv.Nomad, mode ...testenv.NomadFault) {
				n.Register(shop(n, 1))
				l := listen(t, client(t, n), Spec{Service: "shop"})
				l.expect(t, "10.0.0.1")
				n.Break(append(mode, fault)...)
				if fault.Path == "" {
					n.CutStreams()
				}
				n.Swallow(1)
				n.Register(n.Service("other", "x", "10.9.9.9", 1))
				l.stays(t, "10.0.0.1")
				n.Break(mode...)
				n.Register(shop(n, 2))
				l.expect(t, "10.0.0.1", "10.0.0.2")
			})
		})
	}
}

func TestSlowAnswers(t *testing.T) {
	bothModes(t, func(t *testing.T, n *testenv.Nomad, mode ...testenv.NomadFault) {
		n.Break(append(mode, testenv.NomadFault{Delay: 100 * time.Millisecond})...)
		n.Register(shop(n, 1))
		l := listen(t, client(t, n), Spec{Service: "shop"})
		l.expect(t, "10.0.0.1")
		n.Register(shop(n, 2))
		l.expect(t, "10.0.0.1", "10.0.0.2")
	})
}

// TestRestoredSnapshot: the index goes back, and events with lower numbers than were seen count again.
func TestRestoredSnapshot(t *testing.T) {
	bothModes(t, func(t *testing.T, n *testenv.Nomad, _ ...testenv.NomadFault) {
		for i := range 20 {
			n.Register(shop(n, 1), n.Service("other", fmt.Sprint(i), "10.9.9.9", 1))
		}
		n.Register(shop(n, 2))
		l := listen(t, client(t, n), Spec{Service: "shop"})
		l.expect(t, "10.0.0.1", "10.0.0.2")
		n.Restore(12, func(r *api.ServiceRegistration) bool { return r.ID != shop(n, 2).ID })
		l.expect(t, "10.0.0.1")
		n.Register(shop(n, 3))
		l.expect(t, "10.0.0.1", "10.0.0.3")
	})
}

// TestOneServiceFailsAlone: what cannot be read neither blocks nor blanks its neighbours.
func TestOneServiceFailsAlone(t *testing.T) {
	n := startNomad(t)
	n.Register(shop(n, 1), n.Service("cart", "c1", "10.1.0.1", 80))
	n.Break(testenv.NomadFault{Path: "/v1/service/cart", Status: 500})
	c := client(t, n)
	good, bad := listen(t, c, Spec{Service: "shop"}), listen(t, c, Spec{Service: "cart"})
	good.expect(t, "10.0.0.1")
	testenv.Eventually(t, 5*time.Second, func() error {
		if bad.errors() < 3 {
			return errors.New("it does not fail")
		}
		return nil
	})
	n.Register(shop(n, 2))
	good.expect(t, "10.0.0.1", "10.0.0.2")
	if good.errors() > 0 {
		t.Errorf("errors: %v", good.errs)
	}
	if err := bad.firstError(); !strings.Contains(err.Error(), "read service cart of namespace default: nomad answered 500") {
		t.Error(err)
	}
	n.Break()
	bad.expect(t, "10.1.0.1")
}

// TestAfterAnOutage: a Nomad that is back where it was is not read again, however many services are wanted.
func TestAfterAnOutage(t *testing.T) {
	n := startNomad(t)
	p := steady()
	c := client(t, n, at(p))
	var all []*listener
	for i := range 50 {
		n.Register(n.Service(fmt.Sprint("s", i), fmt.Sprint("a", i), fmt.Sprint("10.0.1.", i), 80))
		all = append(all, listen(t, c, Spec{Service: fmt.Sprint("s", i)}))
	}
	for i, l := range all {
		l.expect(t, fmt.Sprint("10.0.1.", i))
	}
	reads := n.Calls("/v1/service/")
	n.Break(testenv.NomadFault{Status: 500})
	testenv.Eventually(t, 5*time.Second, func() error {
		for _, l := range all {
			if l.errors() == 0 {
				return errors.New("not all have noticed")
			}
		}
		return nil
	})
	n.Break()
	for _, l := range all {
		l.mu.Lock()
		before := l.updates
		l.mu.Unlock()
		testenv.Eventually(t, 5*time.Second, func() error {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.updates == before && l.alives == 0 {
				return errors.New("one does not work again")
			}
			return nil
		})
	}
	if more := n.Calls("/v1/service/") - reads; more > 0 {
		t.Errorf("%d services were read again", more)
	}
	n.Register(n.Service("s7", "b7", "10.0.2.7", 80))
	all[7].expect(t, "10.0.1.7", "10.0.2.7")
}
