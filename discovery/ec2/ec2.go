// Package ec2 is the source of the EC2 instances of an AWS account and region.
//
//   - spec.go: the block, and what can be wrong in it; filter.go: what it selects by.
//   - ec2.go: the kind, and one block's view of what was listed.
//   - account.go: who asks AWS, once for all blocks of an account and region.
//   - client.go: one question with all its pages; page.go: only what is new of an answer is read.
//   - instance.go: what is kept of an instance, and what of it is an endpoint; explain.go: what errors mean.
//   - discover.go, doctor.go: what else AWS can be asked.
//
// API: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what the agent says of all these sources. The zero value is that of offline commands: blocks are known and
// checked, and nothing opens.
type Options struct {
	// Connections are the agent's aws blocks by name: their credentials, and what else AWS's own tools are told by the
	// environment and the shared files. The region of a connection is used where no block says one: by Discover.
	Connections map[string]aws.Config

	// Reveal gives the material of secrets that blocks name; nil where there is none.
	Reveal gateway.Reveal

	// Transport makes the requests; nil: one of the kind's own, which trusts the system's certificates.
	Transport *http.Transport

	// Timeout bounds one request. 0 means 10 s. One that was not answered, or throttled, is made again, twice at most.
	Timeout time.Duration

	// STS is where the doctor asks who a connection is, by its name; left out: in the region, or not at all where a block
	// has an endpoint of its own.
	STS map[string]string

	pause time.Duration // the longest before a request is made again; 0 means 5 s
	pace  pace          // its zero value means the usual one
}

func (o Options) withDefaults() Options {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport.(*http.Transport).Clone() // it is one
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.pause <= 0 {
		o.pause = 5 * time.Second
	}
	if o.pace == (pace{}) {
		o.pace = usualPace
	}
	return o
}

// Kind is the kind "ec2". An answer that loses many instances is doubted, but for those that AWS says have stopped.
func Kind(opts Options) discovery.Kind {
	opts = opts.withDefaults()
	accounts := &accounts{opts: opts, all: map[whom]*account{}}
	return discovery.Kind{
		Name: "ec2",
		New:  func() gateway.SourceSpec { return &Spec{} },
		Open: func(spec gateway.SourceSpec) (discovery.Source, error) {
			s, ok := spec.(*Spec)
			if !ok {
				return nil, fmt.Errorf("open ec2 source: %T is no ec2 block", spec)
			}
			return accounts.open(s)
		},
		Guard:    &discovery.Guard{},
		Discover: func(ctx context.Context) ([]discovery.Found, error) { return discover(ctx, opts) },
		Doctor: func(ctx context.Context, specs []gateway.SourceSpec) []discovery.Finding {
			return diagnose(ctx, opts, specs)
		},
	}
}

// whom is who is asked with whose credentials.
type whom struct{ region, endpoint, connection, secret string }

// accounts has blocks with the same credentials, region and endpoint share an account.
type accounts struct {
	opts Options

	mu  sync.Mutex
	all map[whom]*account
}

func (a *accounts) open(s *Spec) (*source, error) {
	cfg, name, err := a.opts.config(s)
	if err != nil {
		return nil, fmt.Errorf("open ec2 source: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	who := whom{s.Region, s.Endpoint, name, s.Credentials.Name}
	if a.all[who] == nil {
		a.all[who] = &account{ask: newClient(cfg, s, a.opts).list, pace: a.opts.pace}
	}
	return &source{spec: *s, wants: s.selection(), account: a.all[who], reveal: a.opts.Reveal}, nil
}

// config is a connection, or a configuration with the credentials of a secret.
func (o Options) config(s *Spec) (cfg aws.Config, connection string, err error) {
	if !s.Credentials.IsZero() {
		if o.Reveal == nil {
			return cfg, "", errors.New("no secrets are read here")
		}
		return aws.Config{Credentials: material{o.Reveal, s.Credentials.ID}}, "", nil
	}
	names := slices.Sorted(maps.Keys(o.Connections))
	switch name := s.Connection; {
	case len(names) == 0:
		return cfg, "", errors.New("no aws is configured; add an aws block to the agent's configuration, or credentials to the ec2 block")
	case name == "" && len(names) == 1:
		return o.Connections[names[0]], names[0], nil
	case name == "":
		return cfg, "", fmt.Errorf("several aws are configured, connection must name one of %s", strings.Join(names, ", "))
	case !slices.Contains(names, name):
		return cfg, "", fmt.Errorf("no aws connection is named %q; there is %s", name, strings.Join(names, ", "))
	default:
		return o.Connections[name], name, nil
	}
}

// source is one block's view of an account.
type source struct {
	spec    Spec
	wants   selection
	account *account
	reveal  gateway.Reveal

	running map[string]gateway.Endpoint // of the last answer, by id; only Run touches it
}

var _ discovery.Source = (*source)(nil)

// Run implements discovery.Source. Each answer is an update. Endpoints are sorted by the ids of their instances.
func (s *source) Run(ctx context.Context, update func([]gateway.Endpoint), _ func()) error {
	if !s.spec.Credentials.IsZero() && !awaitMaterial(ctx, s.reveal, s.spec.Credentials.ID) {
		return ctx.Err()
	}
	r := &reader{wants: s.wants, status: s.spec.StatusChecks, interval: s.spec.Interval}
	if r.interval <= 0 {
		r.interval = usualInterval
	}
	leave := s.account.join(r)
	failed := false
	defer func() { leave(failed) }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case w := <-r.words:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			endpoints, err := s.endpoints(w)
			if err != nil {
				failed = true
				return fmt.Errorf("list instances of %s: %w", s.spec.Region, err)
			}
			update(endpoints)
		}
	}
}

// awaitMaterial waits until a secret is known; false says that ctx ended.
func awaitMaterial(ctx context.Context, reveal gateway.Reveal, secret gateway.ID) bool {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, ok := reveal(secret); ok {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// endpoints are those that an answer has for the block: what runs, and as draining what stops. An instance that has
// stopped since the last answer is draining once more, and then gone: the loss of many is doubted, what AWS says of each
// is not.
func (s *source) endpoints(w word) (out []gateway.Endpoint, err error) {
	switch {
	case w.err != nil:
		return nil, w.err
	case s.spec.StatusChecks && w.statusErr != nil:
		return nil, w.statusErr
	}
	running := make(map[string]gateway.Endpoint, len(s.running))
	taken := make(map[string]bool, len(s.running))
	var gone []gateway.Endpoint
	var unfit []error
	for _, i := range w.instances {
		switch i.state {
		case "running":
			if !s.wants.matches(i) {
				continue
			}
			e, err := i.endpoint(&s.spec)
			if err != nil {
				unfit = append(unfit, err)
				continue
			}
			if s.spec.StatusChecks && w.impaired[i.id] {
				e.Health = gateway.Critical
			}
			running[i.id], taken[e.Address] = e, true
			out = append(out, e)
		case "stopping", "shutting-down", "stopped", "terminated":
			if e, known := s.running[i.id]; known {
				e.Health = gateway.Draining
				gone = append(gone, e)
			}
		}
	}
	if len(out) == 0 && len(unfit) > 0 {
		return nil, unfitError(unfit)
	}
	s.running = running
	for _, e := range gone {
		if !taken[e.Address] { // its address may have a new owner
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b gateway.Endpoint) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// unfitError says why none of the instances that are selected is an endpoint.
func unfitError(unfit []error) error {
	if more := len(unfit) - 1; more > 0 {
		return fmt.Errorf("no instance that is selected can be an endpoint: %w, and %d more like it", unfit[0], more)
	}
	return fmt.Errorf("no instance that is selected can be an endpoint: %w", unfit[0])
}
