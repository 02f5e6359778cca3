package main

import (
	"context"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
)

// notify tells systemd, where it listens.
func notify(log hclog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot notify systemd", "error", err)
	}
}

// watchdogPace is how often systemd is told that the service is alive: thrice in the time that it waits for it. 0: it
// does not ask.
func watchdogPace(log hclog.Logger) time.Duration {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("cannot read systemd's watchdog", "error", err)
	}
	return within / 3
}

// reloading does something that systemd sees as a reload: it begins now, and ends when f returns.
func reloading(log hclog.Logger, f func()) {
	notify(log, daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec())
	f()
	notify(log, daemon.SdNotifyReady)
}

// tellSystemd says what the service waits for, that it is ready once Envoys are let in, and from then on that the loop
// is alive.
func (p *plane) tellSystemd(ctx context.Context) error {
	every := watchdogPace(p.cfg.log)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	said := ""
	for !p.ready.Load() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !p.xds.IsOpen() {
			if now := "STATUS=waiting for " + strings.Join(p.inputs.names(), ", "); now != said {
				said = now
				notify(p.cfg.log, now)
			}
			continue
		}
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(gcPercent)
		}
		p.ready.Store(true)
		notify(p.cfg.log, daemon.SdNotifyReady+"\nSTATUS=serving")
		p.cfg.log.Info("serving")
	}
	if every == 0 {
		<-ctx.Done()
		return nil
	}
	tick.Reset(every)
	for {
		if p.alive(ctx, every) {
			notify(p.cfg.log, daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// hangup reloads what can be reloaded, and returns when the loop has it. Before the service is ready there is no reload
// that systemd could be told of.
func (p *plane) hangup(ctx context.Context, reload func()) {
	within, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	all := func() {
		p.readAgain(within)
		reload()
		p.alive(within, reloadTime)
	}
	if !p.ready.Load() {
		all()
		return
	}
	reloading(p.cfg.log, all)
}

// reloadTime is how long a reload may take before it counts as done. What hangs is found by the watchdog.
const reloadTime = 30 * time.Second

// edgeService is what systemd sees of an Envoy and its parent.
type edgeService struct {
	log   hclog.Logger
	ready atomic.Bool
}

// start takes SIGHUP until ctx ends. An edge has nothing to reload, since its configuration comes from the control plane
// and its certificates are read when they change; but whoever reloads all services must not end it.
func (s *edgeService) start(ctx context.Context) (wait func()) {
	hup, release := hangups()
	notify(s.log, "STATUS=waiting for a control plane")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = onHangup(ctx, hup, s.hangup) // it has no error but that ctx ended
	}()
	return func() {
		<-done
		release()
	}
}

func (s *edgeService) hangup() {
	say := func() {
		s.log.Info("nothing to reload: the control plane says what to serve, certificates are read when they change")
	}
	if !s.ready.Load() {
		say()
		return
	}
	reloading(s.log, say)
}

func (s *edgeService) takesTraffic() {
	s.ready.Store(true)
	s.log.Info("envoy takes traffic")
	notify(s.log, daemon.SdNotifyReady+"\nSTATUS=serving")
}
