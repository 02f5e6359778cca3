package control

import (
	"fmt"

	"github.com/sluice-gateway/sluice/gateway"
)

// manyTurned is from how many upstreams on that turn at once they are counted and not named.
const manyTurned = 20

// tellTraffic notes the upstreams that have no endpoint any more which takes traffic, and those that have one again.
func (l *Loop) tellTraffic(before *gateway.World, change gateway.Change) {
	silent, back := change.Turned(before, l.w)
	l.turned(silent, "has no endpoint that takes traffic", l.log.Warn)
	l.turned(back, "has an endpoint that takes traffic again", l.log.Info)
}

func (l *Loop) turned(upstreams []string, text string, log func(string, ...any)) {
	if len(upstreams) >= manyTurned {
		l.events.add(Event{Kind: "upstream", Text: fmt.Sprintf("each of %d upstreams %s", len(upstreams), text)})
		log("each of many upstreams "+text, "count", len(upstreams))
		return
	}
	for _, name := range upstreams {
		l.events.add(Event{Kind: "upstream", Block: gateway.ID{Kind: gateway.KindUpstream, Name: name}.String(), Text: text})
		log("upstream "+text, "upstream", name)
	}
}
