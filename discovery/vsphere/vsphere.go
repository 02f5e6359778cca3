// Package vsphere is the source of virtual machines of VMware vSphere.
//
// All blocks that ask one vCenter with the same credentials share one session and one view of its inventory. vCenter
// pushes what changes; tags and custom attributes, of which it pushes nothing or little, are read again every minute.
//
//   - vsphere.go: the kind; spec.go, check.go: the block; config.go: a connection of the agent.
//   - source.go: one block at work; hub.go: who shares a session, and when the next login may be tried.
//   - worker.go: the one goroutine that owns an inventory and what blocks make of it; judge.go: what becomes of a machine
//     in a block's answer; watch.go: the property collector; labels.go: tags and custom attributes.
//   - inventory.go: what is known of machines and the places where they are; match.go, address.go: which machines a
//     block means, and at which address.
//   - session.go: logging in and out; dial.go: connections and certificates; faults.go: what vCenter's errors mean.
//   - discover.go, doctor.go: what else vCenter can be asked.
//
// API: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/
package vsphere

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what the agent says of all these sources. Its zero value is that of offline commands: blocks are known and
// checked, and open nothing.
type Options struct {
	Connections []Config       // by name, each once
	Reveal      gateway.Reveal // of the secrets that blocks name as credentials; nil: none can be read

	Log hclog.Logger // nil logs nothing

	wait    time.Duration // longest that vCenter is to wait for a change; 0 means 20 s
	timeout time.Duration // of one call; 0 means 10 s
	resync  time.Duration // between two readings of tags and attributes; 0 means 60 s
	refused time.Duration // between two tries of a login that was refused; 0 means 5 min
	backoff time.Duration // longest pause before another session; 0 means 10 s
}

// With is o with what reveals the secrets that blocks name.
func (o Options) With(reveal gateway.Reveal) Options {
	o.Reveal = reveal
	return o
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		at        *time.Duration
		otherwise time.Duration
	}{
		{&o.wait, 20 * time.Second}, {&o.timeout, 10 * time.Second}, {&o.resync, time.Minute},
		{&o.refused, 5 * time.Minute}, {&o.backoff, 10 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.otherwise
		}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	return o
}

// Kind is the kind "vsphere". It has no Guard: the source knows of each machine that is missing why it is, and keeps
// those of which it does not.
func Kind(opts Options) discovery.Kind {
	opts = opts.withDefaults()
	hubs := newHubs(opts)
	return discovery.Kind{
		Name: "vsphere",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("open vsphere source: %T is no vsphere block", spec)
			}
			cfg, err := connection(opts.Connections, s.Connection)
			if err != nil {
				return nil, fmt.Errorf("open vsphere source: %w", err)
			}
			if opts.Reveal == nil && !s.Credentials.IsZero() {
				return nil, fmt.Errorf("open vsphere source: %s cannot be read here", s.Credentials.ID)
			}
			return newSource(*s, hubs.of(cfg, s.Credentials.ID)), nil
		},
		Discover: func(ctx context.Context) ([]discovery.Found, error) { return discover(ctx, opts) },
		Doctor: func(ctx context.Context, specs []gateway.SourceSpec) []discovery.Finding {
			return examine(ctx, opts, specs)
		},
	}
}

// connection chooses one by name; the name may be left out where there is one.
func connection(all []Config, name string) (Config, error) {
	return discovery.Connection("vsphere", all, func(c Config) string { return c.Name }, name)
}
