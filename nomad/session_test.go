package nomad

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// TestGapsAreProven: a list that knows more than the stream proves a gap when events that were under way have arrived;
// between two streams only an event that was told already proves that there is none.
func TestGapsAreProven(t *testing.T) {
	for name, x := range map[string]struct {
		opened bool
		events []uint64 // after the list, which is at 15; what is known is at 10
		gap    bool
	}{
		"nothing comes":                  {false, nil, true},
		"not all comes":                  {false, []uint64{12}, true},
		"all comes":                      {false, []uint64{12, 15}, false},
		"reopened, nothing comes":        {true, nil, true},
		"reopened, from where it was":    {true, []uint64{10, 15}, false},
		"reopened, from some time later": {true, []uint64{12, 15}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, startNomad(t))
			f := &feed{c: c, at: scope{namespace: "default"}, names: map[string]*entry{}, seen: 10}
			e := newEntry("shop")
			e.known, e.at = true, 10
			e.subs[&subscriber{ready: make(chan struct{}, 1)}] = struct{}{}
			f.names["shop"] = e
			s := &session{f: f, poke: make(chan struct{}, 1), due: map[*entry]struct{}{}}
			f.session = s
			if from, err := s.opening(); from != 10 || err != nil {
				t.Fatalf("opened from %d, %v", from, err)
			}
			if err := s.listed(listed{index: 15}, true, x.opened); err != nil {
				t.Fatal(err)
			}
			if f.seen != 10 || len(s.queue) > 0 && x.opened {
				t.Errorf("a list says what the stream has told: seen %d, queued %d", f.seen, len(s.queue))
			}
			other := &api.ServiceRegistration{ID: "x", ServiceName: "other", Namespace: "default"}
			for _, index := range x.events {
				if _, err := s.apply(batch{index: index, changes: []change{{reg: other}}}); err != nil {
					t.Fatal(err)
				}
			}
			now := time.Now()
			if at := s.closeGap(now); !at.After(now) || e.stale {
				t.Error("decided before events could arrive")
			}
			s.closeGap(now.Add(time.Minute))
			if e.stale != x.gap || f.seen != 15 {
				t.Errorf("stale %t, want %t; seen %d", e.stale, x.gap, f.seen)
			}
			if s.gap != 0 {
				t.Error("the gap is open still")
			}
		})
	}
}
