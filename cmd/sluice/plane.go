package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/lambda"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/ratelimit"
	"github.com/sluice-gateway/sluice/secrets"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
)

// maxCounters bounds those of rate limits; each takes about half a KiB.
const maxCounters = 1 << 20

// planeConfig says what a control plane is made of.
type planeConfig struct {
	log       hclog.Logger
	stateDir  string
	noMetrics bool          // the API has no /metrics
	grace     time.Duration // 0: the loop's own
	paths     []string      // documents on disk; empty: they are in kv
	platforms platforms     // reveal is the plane's own
	vaults    map[string]secrets.VaultConfig
	lambdas   lambda.Options
	guard     discovery.Guard // of sources; zero: as their kinds say
	kv        *catalog.Client // that has the documents; nil: they are on disk
	loopback  bool            // every listener is on 127.0.0.1, whatever its document says

	xdsListener net.Listener
	xdsTLS      *server.TLS // nil: loopback peers only
	trustDomain string

	apiListener net.Listener
	apiTLS      *tls.Config
	apiToken    *console.Token
}

// plane is a control plane put together. Data goes one way: feeds (feedkv.go, feedfiles.go) and the manager of sources
// hand values to the loop; the loop publishes to the store; the xDS server sends from there, and tells the loop what
// Envoys say.
type plane struct {
	cfg      planeConfig
	schema   *hcl.Schema
	registry *prometheus.Registry
	loop     *control.Loop
	manager  *discovery.Manager
	wanted   *wanted
	finders  *discovery.Finders
	leftOut  omissions // of finders
	secrets  *secrets.Keeper
	xds      *server.Server
	grpc     *grpc.Server
	writer   *catalog.Writer // nil without a Consul that has the documents
	inputs   *inputs
	told     map[string]bool    // documents that the loop was given; of the feed's goroutine
	rescan   chan chan struct{} // documents on disk are read again; closed when the loop was given them
	ready    atomic.Bool        // Envoys have been let in
	facts    *facts

	generations *generations
	api         *console.Server
}

func newPlane(cfg planeConfig) (*plane, error) {
	p := &plane{cfg: cfg, schema: schema(), registry: prometheus.NewRegistry(), told: map[string]bool{}, rescan: make(chan chan struct{})}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if len(cfg.platforms.consuls) > 0 {
		p.registry.MustRegister(catalog.Metrics(cfg.platforms.consuls...))
	}
	if err := p.newSecrets(); err != nil {
		return nil, err
	}
	t, err := translator()
	if err != nil {
		return nil, err
	}
	t = t.WithReveal(p.secrets.Reveal)
	p.manager = discovery.New(discovery.Options{
		Kinds: p.cfg.platforms.kinds(), Guard: p.cfg.guard, Log: cfg.log.Named("discovery"),
		Publish: func(m map[gateway.SourceKey][]gateway.Endpoint) { p.loop.Endpoints(m) },
	})
	p.registry.MustRegister(newSourceMetrics(p.manager))
	p.wanted = &wanted{Manager: p.manager}
	p.newFinders()
	resources, gate := store.New(), &lateGate{}
	loop := control.Config{
		Schema: p.schema, Translator: t, Store: resources, Sources: p.wanted, Finders: wantedFinders{p.finders, &p.leftOut}, Secrets: p.secrets, Gate: gate,
		Expect: p.expect(), Grace: cfg.grace, StateDir: cfg.stateDir, Roots: roots(cfg.paths), Log: cfg.log, Metrics: p.registry,
	}
	if cfg.kv != nil {
		p.writer = cfg.kv.NewWriter(holder())
		loop.Recorder = recorder{p.writer, cfg.kv}
	}
	if p.loop, err = control.New(loop); err != nil {
		return nil, err
	}
	p.inputs = newInputs(p.loop, loop.Expect)
	if err := p.newGenerations(); err != nil {
		return nil, err
	}
	if err := p.newXDS(resources); err != nil {
		return nil, err
	}
	gate.Server = p.xds
	p.facts = &facts{plane: p}
	api := console.Config{
		Version: version, Origin: "files", World: p.loop, Facts: p.facts, Actions: p.actions(), Parse: p.parse, Programs: t.ProgramOf, Gatherer: p.registry,
		Token: cfg.apiToken, TLS: cfg.apiTLS, Log: cfg.log.Named("console"),
	}
	if cfg.kv != nil {
		api.Origin = "consul"
	}
	if cfg.noMetrics {
		api.Gatherer = nil
	}
	p.api = console.New(api)
	return p, nil
}

func (p *plane) newXDS(resources *store.Store) (err error) {
	o := server.Options{Observer: p.loop, Logger: p.cfg.log, Registerer: p.registry, TLS: p.cfg.xdsTLS}
	if p.cfg.xdsTLS != nil {
		o.Identity = server.Certificate(p.cfg.trustDomain)
	}
	if p.xds, err = server.New(resources, o); err != nil {
		return err
	}
	if p.grpc, err = server.NewGRPC(o); err != nil {
		return err
	}
	p.xds.Register(p.grpc)
	ratelimit.NewService(ratelimit.New(maxCounters), time.Now).Register(p.grpc)
	return nil
}

// expect lists what must have answered before Envoys are let in.
func (p *plane) expect() []string {
	if p.cfg.kv != nil {
		return []string{control.InputLedger, control.InputReferences, control.InputDocuments, control.InputValues, control.InputEndpoints, control.InputFunctions, control.InputReplicas}
	}
	return []string{control.InputDocuments, control.InputEndpoints, control.InputFunctions}
}

// readAgain has documents on disk read anew, and returns when the loop was given them or ctx ends.
func (p *plane) readAgain(ctx context.Context) {
	if p.cfg.kv != nil {
		return
	}
	done := make(chan struct{})
	select {
	case p.rescan <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// parse makes a document of text, as the feeds do.
func (p *plane) parse(name, text string) *gateway.Document {
	_, kv := catalog.DocumentKey(name)
	return p.document(hcl.Origin{Name: name, File: !kv}, []byte(text))
}

func (p *plane) document(o hcl.Origin, text []byte) *gateway.Document {
	d := hcl.Parse(o, text, p.schema)
	if p.cfg.loopback {
		d.Blocks = onLoopback(d.Blocks)
	}
	return d
}

// add adds everything that runs to a group.
func (p *plane) add(g *run.Group) {
	actor(g, p.loop.Run)
	actor(g, p.manager.Run)
	actor(g, p.finders.Run)
	actor(g, p.secrets.Run)
	actor(g, p.awaitEndpoints)
	if p.cfg.kv != nil {
		p.addKV(g)
	} else {
		actor(g, p.feedFiles)
	}
	g.Add(func() error {
		if err := p.grpc.Serve(p.cfg.xdsListener); err != nil {
			return fmt.Errorf("serve xds: %w", err)
		}
		return nil
	}, func(error) { p.grpc.Stop() })
	actor(g, func(ctx context.Context) error { return p.api.Serve(ctx, p.cfg.apiListener) })
}

// actor adds something that runs until its context ends.
func actor(g *run.Group, work func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	g.Add(func() error {
		err := work(ctx)
		if ctx.Err() != nil {
			return nil
		}
		return err
	}, func(error) { cancel() })
}

// lateGate is the xDS server, which is made after the loop that opens it.
type lateGate struct{ *server.Server }

// recorder writes for all replicas: statuses and the ledger by the lock's holder, quarantine by whoever finds a reason.
type recorder struct {
	*catalog.Writer
	*kvClient
}

type kvClient = catalog.Client

var (
	_ control.Recorder = recorder{}
	_ control.Gate     = (*lateGate)(nil)
	_ console.World    = (*control.Loop)(nil)
)

// holder names this process to operators who look at the lock.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", strings.TrimSpace(host), os.Getpid())
}

// alive says that the loop takes what it is given, and the manager of sources answers, within a time. What the loop is
// given is nothing: to lift a quarantine that never was.
func (p *plane) alive(ctx context.Context, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	changed, end := p.loop.Subscribe()
	defer end()
	before := p.loop.World()
	p.loop.Quarantine(map[gateway.FormRef]*string{{}: nil})
	for p.loop.World() == before {
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
	_, err := p.manager.Snapshot(ctx)
	return err == nil
}
