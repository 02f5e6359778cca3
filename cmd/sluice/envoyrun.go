package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/envoy"
	"github.com/sluice-gateway/sluice/xds/bootstrap"
)

type envoyRunFlags struct {
	bootstrapFlags
	path, envoyLog, logLevel string
	logJSON                  bool
	drain, linger            time.Duration
	concurrency              int
}

func (a *app) envoyRunCommand() *cobra.Command {
	var f envoyRunFlags
	c := &cobra.Command{
		Use: "run [-- ENVOY-ARGUMENT…]", Short: "Run an Envoy as a child",
		Long: "Run an Envoy that joins a gateway: find the binary, start it, say when it takes traffic, and drain it on SIGTERM\n" +
			"so that no request fails. The exit code is Envoy's where it ends by itself; 128 and the signal where one ended it.",
		RunE: func(c *cobra.Command, args []string) error { return a.envoyRun(c.Context(), f, args) },
	}
	f.add(c)
	c.Flags().StringVar(&f.path, "envoy-path", "", "the binary (default: $ENVOY_PATH, PATH, the cache)")
	c.Flags().StringVar(&f.envoyLog, "envoy-log-level", "warning", "what Envoy logs: trace, debug, info, warning, error, critical or off")
	c.Flags().DurationVar(&f.drain, "drain-time", 30*time.Second, "how long Envoy goes on serving at most when it is told to stop")
	c.Flags().DurationVar(&f.linger, "linger", 0, "how long it goes on even when no client is left, for those who check its health")
	c.Flags().IntVar(&f.concurrency, "concurrency", 0, "worker threads (default: one a processor)")
	addLogFlags(c, &f.logLevel, &f.logJSON)
	return c
}

func addLogFlags(c *cobra.Command, level *string, asJSON *bool) {
	c.Flags().StringVar(level, "log-level", "info", "trace, debug, info, warn or error")
	c.Flags().BoolVar(asJSON, "log-json", false, "log JSON")
}

// logger makes the program's logger.
func (a *app) logger(level string, asJSON bool) (hclog.Logger, error) {
	l := hclog.LevelFromString(level)
	if l == hclog.NoLevel {
		return nil, usage("log level %q: trace, debug, info, warn or error", level)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "sluice", Level: l, Output: a.errs, JSONFormat: asJSON}), nil
}

func (a *app) envoyRun(ctx context.Context, f envoyRunFlags, extra []string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	log, err := a.logger(f.logLevel, f.logJSON)
	if err != nil {
		return err
	}
	path, how, err := envoy.Find(f.path)
	if err != nil {
		return err
	}
	if o.TLS != nil && o.TLS.SecretsFile == "" {
		dir, remove, err := envoy.Folder()
		if err != nil {
			return err
		}
		defer remove()
		o.TLS.SecretsFile = filepath.Join(dir, "secrets.json")
	}
	if o.TLS != nil {
		if err := writeSecrets(o.TLS); err != nil {
			return err
		}
	}
	raw, err := bootstrap.JSON(o)
	if err != nil {
		return &exit{codeUsage, err}
	}
	ctx, stop := untilSignal(ctx)
	unsaid := context.AfterFunc(ctx, func() {
		log.Info("told to stop, draining", "at_most", f.drain.String())
		notify(log, daemon.SdNotifyStopping+"\nSTATUS=draining")
	})
	s := &edgeService{log: log}
	wait := s.start(ctx)
	defer func() {
		unsaid()
		stop()
		wait()
	}()
	log.Info("starting envoy", "path", path, "found", how, "gateway", o.Gateway, "node", o.NodeID)
	err = envoy.Run(ctx, envoy.Options{
		AliveEvery: watchdogPace(log), Alive: func() { notify(log, daemon.SdNotifyWatchdog) },
		Path: path, BootstrapJSON: raw, DrainTime: f.drain, Linger: f.linger, Concurrency: f.concurrency,
		LogLevel: f.envoyLog, ExtraArgs: extra, Stdout: a.out, Stderr: a.errs,
		Ready:    s.takesTraffic,
		Draining: func(n uint64) { log.Info("draining", "connections", n) },
	})
	if ended := (*envoy.ExitError)(nil); errors.As(err, &ended) {
		return &exit{ended.ExitCode(), err}
	}
	return err
}
