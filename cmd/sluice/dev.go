package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/run"
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/envoy"
)

type devFlags struct {
	http, envoyPath, logLevel, envoyLog string
	consul                              bool
	drain                               time.Duration
}

func (a *app) devCommand() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use: "dev [PATH]", Short: "Run everything on this machine, to try documents out", Args: cobra.MaximumNArgs(1),
		Long: "Run a control plane, an Envoy for each gateway and the API in one process, all on loopback, with the documents\n" +
			"at PATH (default: this directory). Save a document, and it is live; a mistake in one is printed and changes\n" +
			"nothing. With -consul a Consul dev agent is started too: the documents at PATH are put into its key-value\nstore, and served from there.",
		RunE: func(c *cobra.Command, args []string) error {
			path := "."
			if len(args) > 0 {
				path = args[0]
			}
			return a.dev(c.Context(), path, f)
		},
	}
	c.Flags().BoolVar(&f.consul, "consul", false, "add a Consul dev agent ($CONSUL_PATH, PATH or the cache) and use its KV")
	c.Flags().StringVar(&f.http, "http", "", "`ADDRESS` of the API (default "+defaultAddress+", or a free port)")
	c.Flags().StringVar(&f.envoyPath, "envoy-path", "", "the Envoy to run (default: $ENVOY_PATH, PATH, the cache)")
	c.Flags().StringVar(&f.logLevel, "log-level", "warn", "trace, debug, info, warn or error")
	c.Flags().StringVar(&f.envoyLog, "envoy-log-level", "error", "what Envoy logs: trace, debug, info, warning, error, critical or off")
	c.Flags().DurationVar(&f.drain, "drain-time", 5*time.Second, "how long Envoy goes on serving at most after Ctrl-C")
	return c
}

func (a *app) dev(ctx context.Context, path string, f devFlags) error {
	log, err := a.logger(f.logLevel, false)
	if err != nil {
		return err
	}
	if _, err := readPaths([]string{path}); err != nil {
		return err
	}
	envoyPath, _, err := envoy.Find(f.envoyPath)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	pc := planeConfig{log: log, paths: []string{path}, loopback: true, grace: 10 * time.Second}
	d := &devRun{app: a, log: log, path: path, flags: f, envoyPath: envoyPath}
	if pc.xdsListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("listen for envoys: %w", err)
	}
	defer pc.xdsListener.Close()
	if pc.apiListener, err = listenDev(f.http); err != nil {
		return err
	}
	defer pc.apiListener.Close()
	if f.consul {
		agent, client, err := a.devConsul(ctx, path, log)
		if err != nil {
			return err
		}
		defer agent.stop()
		d.consul, pc.paths, pc.kv, pc.platforms.consuls = agent, nil, client, []*catalog.Client{client}
	} else if os.Getenv("CONSUL_HTTP_ADDR") != "" {
		client, err := catalog.New(catalog.Config{Logger: log.Named("catalog")})
		if err != nil {
			return err
		}
		defer client.Close()
		pc.platforms.consuls = []*catalog.Client{client}
	}
	if d.plane, err = newPlane(pc); err != nil {
		return err
	}
	return d.run(ctx, stop)
}

// listenDev listens on the address of the API. Without one the usual port is taken, or a free one where it is in use.
func listenDev(address string) (net.Listener, error) {
	if address == "" {
		if l, err := net.Listen("tcp", defaultAddress); err == nil {
			return l, nil
		}
		address = "127.0.0.1:0"
	}
	if err := console.CheckBind(address, false, false); err != nil {
		return nil, &exit{codeUsage, err}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w", err)
	}
	return l, nil
}

// devRun is one run of sluice dev.
type devRun struct {
	app       *app
	log       hclog.Logger
	path      string
	flags     devFlags
	envoyPath string
	plane     *plane
	consul    *devAgent // nil without -consul

	printing sync.Mutex // keeps the lines of several goroutines apart
}

// run runs the plane, the Envoys and what prints, until ctx ends or one of them fails. On Ctrl-C the Envoys drain while
// everything else goes on.
func (d *devRun) run(ctx context.Context, stop func()) error {
	var g run.Group
	drained := make(chan struct{})
	g.Add(func() error {
		<-ctx.Done()
		<-drained
		return nil
	}, func(error) { stop() })
	d.plane.add(&g)
	envoysCtx, stopEnvoys := context.WithCancel(context.Background())
	context.AfterFunc(ctx, stopEnvoys)
	g.Add(func() error {
		defer close(drained)
		return d.envoys(envoysCtx)
	}, func(error) { stopEnvoys() })
	actor(&g, d.print)
	hup, release := hangups()
	defer release()
	actor(&g, func(ctx context.Context) error {
		return onHangup(ctx, hup, func() { d.plane.readAgain(ctx) })
	})
	err := g.Run()
	if ended := (*envoy.ExitError)(nil); errors.As(err, &ended) {
		return fmt.Errorf("envoy ended: %w", err)
	}
	return err
}
