package control

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/gateway"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), text)
}

func TestAnUpstreamWithoutEndpointsIsSaidOnceAndThatItIsBack(t *testing.T) {
	var log lines
	r := newRig(t, func(c *Config) { c.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	said := func(text string) (n int) {
		for _, e := range r.Events(0) {
			if e.Kind == "upstream" && e.Block == "upstream.shop" && e.Text == text {
				n++
			}
		}
		return n
	}
	fixed := func(health ...gateway.Health) {
		list := []gateway.Endpoint{}
		for i, h := range health {
			list = append(list, gateway.Endpoint{ID: string(rune('a' + i)), Address: "127.0.0.1", Port: uint16(8080 + i), Health: h})
		}
		r.Endpoints(map[gateway.SourceKey][]gateway.Endpoint{{Kind: "fixed", Query: "shop"}: list})
	}
	r.put("a.hcl", base+route("one", "/one"))
	r.eventually("known", func() bool { return r.World().Block(gateway.ID{Kind: "upstream", Name: "shop"}) != nil })
	fixed(gateway.Healthy, gateway.Critical)
	r.eventually("published", func() bool { list, _ := r.World().Merged("shop"); return len(list) > 0 })
	if i := slices.IndexFunc(r.Events(0), func(e Event) bool { return e.Kind == "upstream" }); i >= 0 {
		t.Errorf("said before anything was lost: %v", r.Events(0)[i])
	}
	fixed(gateway.Draining, gateway.Critical)
	r.eventually("said to be without", func() bool { return said("has no endpoint that takes traffic") == 1 })
	fixed()
	fixed(gateway.Healthy)
	r.eventually("said to be back", func() bool { return said("has an endpoint that takes traffic again") == 1 })
	if n := said("has no endpoint that takes traffic"); n != 1 {
		t.Errorf("said %d times", n)
	}
	r.stop()
	for _, want := range []string{"[WARN]  control: upstream has no endpoint that takes traffic: upstream=shop", "[INFO]  control: upstream has an endpoint that takes traffic again: upstream=shop"} {
		if !log.has(want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestManyUpstreamsThatTurnAtOnceAreCounted(t *testing.T) {
	r := newRig(t, nil)
	r.stop()
	r.turned(slices.Repeat([]string{"u"}, manyTurned), "has no endpoint that takes traffic", r.log.Warn)
	got := slices.DeleteFunc(r.Events(0), func(e Event) bool { return e.Kind != "upstream" })
	if len(got) != 1 || got[0].Text != "each of 20 upstreams has no endpoint that takes traffic" {
		t.Errorf("%v", got)
	}
}
