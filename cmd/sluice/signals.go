package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal is a context that ends at SIGINT or SIGTERM. A second signal ends the program at once.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// hangups takes SIGHUP from now on, so that none ends the program; stop gives it back.
func hangups() (hup chan os.Signal, stop func()) {
	hup = make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	return hup, func() { signal.Stop(hup) }
}

// onHangup calls f at each SIGHUP until ctx ends.
func onHangup(ctx context.Context, hup <-chan os.Signal, f func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			f()
		}
	}
}
