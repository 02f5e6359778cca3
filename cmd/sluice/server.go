package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
	"github.com/oklog/run"
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/xds/server"
)

func (a *app) serverCommand() *cobra.Command {
	var paths []string
	var check bool
	c := &cobra.Command{
		Use: "server -config PATH", Short: "Run the control plane", Args: cobra.NoArgs,
		Long: "Run the control plane with the agent configuration at the given paths: files, or directories whose *.hcl files\n" +
			"are read in the order of their names. SIGHUP reads documents on disk and the log level again; tokens and\ncertificates are read again when their files change.",
		RunE: func(c *cobra.Command, _ []string) error {
			if len(paths) == 0 {
				return usage("-config says where the agent's configuration is")
			}
			if check {
				return a.checkConfig(paths)
			}
			return a.serve(c.Context(), paths)
		},
	}
	c.Flags().StringArrayVar(&paths, "config", nil, "agent configuration at `PATH` (repeatable)")
	c.Flags().BoolVar(&check, "check", false, "say whether the configuration is fine, and end; nobody is asked for anything")
	return c
}

// checkConfig finds what would keep the control plane from starting, as far as its configuration alone shows it.
func (a *app) checkConfig(paths []string) error {
	cfg, err := a.agentConfigFrom(paths)
	if err != nil {
		return err
	}
	if err := cfg.exposure(); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "The configuration is fine.")
	return nil
}

// agentConfigFrom reads the agent's configuration and prints what is wrong with it.
func (a *app) agentConfigFrom(paths []string) (*agentConfig, error) {
	cfg, diags, texts, err := readAgentConfig(paths)
	if err != nil {
		return nil, err
	}
	a.diagnose(diags, texts)
	if diags.HasErrors() {
		return nil, wrong()
	}
	return cfg, nil
}

// gcPercent lets the heap grow by a third before it is collected, where Go's default is to double it. What a control plane
// holds is large and seldom changes; the room between the two is memory that the edge's machines have better use for. It
// holds once Envoys are served: until then time counts.
const gcPercent = 30

func (a *app) serve(ctx context.Context, paths []string) error {
	cfg, err := a.agentConfigFrom(paths)
	if err != nil {
		return err
	}
	log, err := a.logger(cfg.LogLevel, cfg.LogJSON)
	if err != nil {
		return err
	}
	pc, err := cfg.plane(log)
	if err != nil {
		return err
	}
	if pc.xdsListener, err = net.Listen("tcp", cfg.XDS.Address); err != nil {
		return fmt.Errorf("listen for envoys: %w", err)
	}
	defer pc.xdsListener.Close()
	if pc.apiListener, err = net.Listen("tcp", cfg.HTTP.Address); err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	defer pc.apiListener.Close()
	p, err := newPlane(pc)
	if err != nil {
		return err
	}
	log.Info("starting", "version", version, "xds", pc.xdsListener.Addr().String(), "api", pc.apiListener.Addr().String())
	ctx, stop := untilSignal(ctx)
	defer stop()
	hup, release := hangups()
	defer release()
	context.AfterFunc(ctx, func() { notify(log, daemon.SdNotifyStopping) })
	var g run.Group
	g.Add(func() error { <-ctx.Done(); return nil }, func(error) { stop() })
	p.add(&g)
	actor(&g, p.logProblems)
	actor(&g, func(ctx context.Context) error { return p.tellSystemd(ctx) })
	actor(&g, func(ctx context.Context) error {
		return onHangup(ctx, hup, func() { p.hangup(ctx, func() { a.reload(p, paths, cfg) }) })
	})
	err = g.Run()
	pc.platforms.close()
	return err
}

// plane makes what the control plane needs of the configuration, but for its listeners.
func (c *agentConfig) plane(log hclog.Logger) (pc planeConfig, err error) {
	pc = planeConfig{log: log, guard: c.guard(), stateDir: c.StateDir, grace: c.grace, noMetrics: c.Telemetry != nil && c.Telemetry.DisableMetrics}
	if pc.platforms, pc.kv, err = c.connect(context.Background(), log); err != nil {
		return pc, err
	}
	pc.vaults = c.vaults()
	if pc.lambdas, err = c.lambdas(context.Background()); err != nil {
		return pc, err
	}
	if c.Config.Path != "" {
		pc.paths = []string{c.Config.Path}
	}
	if c.StateDir != "" {
		if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
			return pc, fmt.Errorf("make state directory: %w", err)
		}
	}
	if err := c.exposure(); err != nil {
		return pc, err
	}
	if t := c.XDS.TLS; t != nil {
		pc.xdsTLS, pc.trustDomain = &server.TLS{Cert: t.CertFile, Key: t.KeyFile, ClientCA: t.CAFile}, t.TrustDomain
	}
	if c.HTTP.TokenFile != "" {
		if pc.apiToken, err = console.ReadToken(c.HTTP.TokenFile); err != nil {
			return pc, err
		}
	}
	if t := c.HTTP.TLS; t != nil {
		if pc.apiTLS, err = serverTLS(t.CertFile, t.KeyFile); err != nil {
			return pc, err
		}
	}
	return pc, nil
}

// exposure says what is open to others and not protected.
func (c *agentConfig) exposure() error {
	if c.XDS.TLS == nil {
		if err := loopbackOnly("xds", c.XDS.Address); err != nil {
			return &exit{codeDocuments, err}
		}
	}
	if err := console.CheckBind(c.HTTP.Address, c.HTTP.TLS != nil, c.HTTP.TokenFile != ""); err != nil {
		return &exit{codeDocuments, err}
	}
	return nil
}

func loopbackOnly(what, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s address %q: host and port are needed, such as 127.0.0.1:8551", what, address)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s address %s is not loopback: it needs a tls block, by which Envoys and control plane know each other", what, address)
}

// serverTLS reads the certificate for each handshake, so that it can be renewed.
func serverTLS(cert, key string) (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read certificate %s: %w", cert, err)
		}
		return &c, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}, nil
}

// reload takes what can be taken anew of the configuration at a SIGHUP: the log level.
func (a *app) reload(p *plane, paths []string, running *agentConfig) {
	cfg, err := a.agentConfigFrom(paths)
	if err != nil {
		p.cfg.log.Error("the configuration is not reloaded", "error", errors.Join(errors.New("it has mistakes"), err))
		return
	}
	p.cfg.log.SetLevel(hclog.LevelFromString(cfg.LogLevel))
	cfg.LogLevel = running.LogLevel
	if !reflect.DeepEqual(cfg, running) {
		p.cfg.log.Warn("reloaded; what changed beside the log level needs a restart")
	} else {
		p.cfg.log.Info("reloaded")
	}
}
