package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/lambda"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/secrets"
)

// patient is the world of the documents that the configuration names, or of those at paths.
func (a *app) patient(ctx context.Context, cfg *agentConfig, kv *catalog.Client, paths []string) (*gateway.World, error) {
	if len(paths) == 0 && cfg.Config != nil && cfg.Config.Path != "" {
		paths = []string{cfg.Config.Path}
	}
	if len(paths) > 0 {
		off, err := a.offline(paths, "")
		if err != nil {
			return nil, err
		}
		return off.world, nil
	}
	t, err := translator()
	if err != nil {
		return nil, err
	}
	base := gateway.New(rules(t, nil))
	if kv == nil {
		return base, nil
	}
	pairs, err := kv.Pull(ctx)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, p := range pairs {
		if rel, ok := strings.CutPrefix(p.Key, "routes/"); ok {
			files = append(files, file{catalog.DocumentName(rel), p.Value})
		}
	}
	return workspaceOf(files, base, schema(), os.LookupEnv).world, nil
}

// askPlatforms asks Vault for what the secrets in use need, then each platform for what its sources need, and AWS for
// the Lambdas.
func (a *app) askPlatforms(ctx context.Context, list []finding, cfg *agentConfig, p platforms, w *gateway.World) ([]finding, error) {
	vaults := secrets.Config{Vaults: cfg.vaults()}
	wanted := w.Secrets()
	if len(wanted)+len(vaults.Vaults) > 0 {
		list = add(list, "secrets", secrets.Doctor(ctx, vaults, wanted))
	}
	list = askMeshes(ctx, list, p, w)
	n := needsOf(w)
	reveal, unread, end, err := fetched(ctx, vaults, n.keys(wanted))
	if err != nil {
		return nil, err
	}
	defer end()
	list = add(list, "secrets", unread)
	p.reveal = reveal
	for _, k := range p.kinds() {
		if k.Doctor != nil && k.Name != "consul" {
			list = add(list, k.Name, k.Doctor(ctx, n.specs[k.Name]))
		}
	}
	if len(n.lambdas) == 0 {
		return list, nil
	}
	opts, err := cfg.lambdas(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(n.lambdas)) {
		found := lambda.Doctor(ctx, opts, lambda.Patient{Block: n.lambdas[name], Reveal: reveal, Called: calledOn(w, name)})
		for _, x := range found {
			list = append(list, newFinding("aws, upstream."+name, x))
		}
	}
	return list, nil
}

// add adds what the doctor of a system found. A check may begin with a narrower name of the system and a colon.
func add(list []finding, system string, found []discovery.Finding) []finding {
	for _, x := range found {
		at := system
		if narrower, check, ok := strings.Cut(x.Check, ": "); ok {
			at, x.Check = narrower, check
		}
		list = append(list, newFinding(at, x))
	}
	return list
}

// needs is what the documents ask of platforms.
type needs struct {
	specs   map[string][]gateway.SourceSpec // by kind, in the order of their keys
	lambdas map[string]*gateway.Lambda      // by upstream
}

func needsOf(w *gateway.World) needs {
	n := needs{specs: map[string][]gateway.SourceSpec{}, lambdas: map[string]*gateway.Lambda{}}
	all := w.Sources()
	for _, k := range slices.SortedFunc(maps.Keys(all), discovery.CompareKey) {
		n.specs[k.Kind] = append(n.specs[k.Kind], all[k].Spec)
	}
	for _, u := range w.Upstreams() {
		if u.Lambda != nil {
			n.lambdas[u.Name] = u.Lambda
		}
	}
	return n
}

// keys are the secrets with which platforms are asked.
func (n needs) keys(wanted map[gateway.ID]*gateway.Secret) map[gateway.ID]*gateway.Secret {
	out := map[gateway.ID]*gateway.Secret{}
	use := func(id gateway.ID) {
		if s := wanted[id]; s != nil {
			out[id] = s
		}
	}
	for _, l := range n.lambdas {
		use(l.Credentials.ID)
	}
	for _, specs := range n.specs {
		for _, s := range specs {
			if c, ok := s.(gateway.Credentialed); ok {
				use(c.Credential())
			}
		}
	}
	return out
}

// calledOn are the functions of an upstream that blocks call.
func calledOn(w *gateway.World, upstream string) (out []string) {
	for _, f := range w.Functions() {
		if up, name, _ := gateway.SplitFunction(f.ID); up == upstream && len(f.Callers) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// credentialsWait is how long the doctor waits for credentials, and errorWait how long an error has to last to be believed.
const (
	credentialsWait = 15 * time.Second
	errorWait       = time.Second
)

// fetched reads secrets as a server does, and returns when all are there or cannot be read, or after a while. end stops
// what it started, and gives back what was leased for it. unread are those that could not be read, and why.
func fetched(ctx context.Context, cfg secrets.Config, wanted map[gateway.ID]*gateway.Secret) (reveal gateway.Reveal, unread []discovery.Finding, end func(), err error) {
	cfg.Visit = true
	k, err := secrets.New(cfg)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read the credentials of platforms: %w", err)
	}
	if len(wanted) == 0 {
		return k.Reveal, nil, func() {}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	k.Want(wanted)
	go func() { defer close(ended); _ = k.Run(ctx) }() // it ends with ctx, which is all that it says
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	patience := time.NewTimer(credentialsWait)
	defer patience.Stop()
	for waiting := true; waiting; {
		select {
		case <-look.C:
			waiting = !decided(k.Status(), len(wanted))
		case <-patience.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	for _, s := range k.Status() {
		if s.Version == "" {
			unread = append(unread, discovery.Finding{
				Check: s.ID.String() + " is read", Need: "what " + s.Source + " gives, to ask its platform with",
				Err: errors.New(cmp.Or(s.LastError, "it was not there in time")),
			})
		}
	}
	return k.Reveal, unread, func() { cancel(); <-ended }, nil
}

// decided says that of each secret something is known: what it holds, or why it cannot be read.
func decided(list []secrets.Status, wanted int) bool {
	return len(list) == wanted && !slices.ContainsFunc(list, func(s secrets.Status) bool {
		return s.Version == "" && (s.LastError == "" || time.Since(s.ErrSince) < errorWait)
	})
}
