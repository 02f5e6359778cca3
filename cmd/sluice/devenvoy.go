package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/sluice-gateway/sluice/envoy"
	"github.com/sluice-gateway/sluice/xds/bootstrap"
)

// envoys starts an Envoy for each gateway that appears, and returns when ctx has ended and all have drained, or with the
// error of the first that ends otherwise.
func (d *devRun) envoys(ctx context.Context) error {
	changed, end := d.plane.loop.Subscribe()
	defer end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var children sync.WaitGroup
	defer children.Wait()
	failed := make(chan error, 1)
	started := map[string]bool{}
	for {
		for _, g := range d.plane.loop.World().Gateways() {
			if started[g.Name] || !d.plane.xds.IsOpen() {
				continue
			}
			started[g.Name] = true
			children.Go(func() {
				if err := d.envoy(ctx, g.Name); err != nil {
					select {
					case failed <- fmt.Errorf("run envoy for gateway %s: %w", g.Name, err):
					default:
					}
					cancel()
				}
			})
		}
		select {
		case <-ctx.Done():
			children.Wait()
			select {
			case err := <-failed:
				return err
			default:
				return nil
			}
		case <-changed:
		}
	}
}

// envoy runs the Envoy of one gateway.
func (d *devRun) envoy(ctx context.Context, gateway string) error {
	if g := d.plane.loop.World().Gateway(gateway); g != nil {
		for _, l := range g.Listeners {
			if err := free(l.Port); err != nil {
				return fmt.Errorf("listener %s: %w", l.Name, err)
			}
		}
	}
	raw, err := bootstrap.JSON(bootstrap.Options{
		NodeID: fmt.Sprintf("dev-%s-%d", gateway, os.Getpid()), Gateway: gateway,
		ControlPlanes: []string{d.plane.cfg.xdsListener.Addr().String()}, Admin: "127.0.0.1:0",
	})
	if err != nil {
		return err
	}
	return envoy.Run(ctx, envoy.Options{
		Path: d.envoyPath, BootstrapJSON: raw, DrainTime: d.flags.drain, Concurrency: 1,
		LogLevel: d.flags.envoyLog, Stdout: d.app.errs, Stderr: d.app.errs,
		Ready: func() { d.ready(gateway) },
	})
}

// free says why a port of loopback cannot be listened on. Envoys of one user share a port without a word, and each
// would get a part of the requests.
func free(port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("port %d is taken: %w", port, err)
	}
	return l.Close()
}
