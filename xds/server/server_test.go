package server_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(fleetEnv); addr != "" {
		if err := fleet(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestClientReceivesAndFollows(t *testing.T) {
	r := newRig(t, server.Options{RemovalGrace: -1})
	r.set(cluster(t, "pets", 0, "pets@1"), assignment(t, "pets", 80), cluster(t, "other", 0, "", "inside"))
	c := r.connect("envoy-1", "edge")
	c.subscribe(cds)
	c.awaitHave(cds, "pets")
	c.subscribe(eds, "pets@1")
	c.awaitHave(eds, "pets@1")
	next := assignment(t, "pets", 81)
	r.set(next)
	c.await("new assignment", func() bool { return c.have[eds]["pets@1"] == next.Version })
	r.publish(store.Change{Remove: []store.Key{key(cds, "pets")}, Set: []*store.Resource{cluster(t, "cats", 0, "")}})
	c.awaitHave(cds, "cats")
}
