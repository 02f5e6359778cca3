package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/catalog"
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
	base := gateway.New(rules(t))
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

// askPlatforms asks Vault for what the secrets in use need, and AWS for the Lambdas.
func (a *app) askPlatforms(ctx context.Context, list []finding, cfg *agentConfig, w *gateway.World) ([]finding, error) {
	vaults := secrets.Config{Vaults: cfg.vaults()}
	wanted := w.Secrets()
	if len(wanted)+len(vaults.Vaults) > 0 {
		for _, x := range secrets.Doctor(ctx, vaults, wanted) {
			system, check, ok := strings.Cut(x.Check, ": ")
			if !ok {
				system, check = "secrets", x.Check
			}
			list = append(list, newFinding(system, check, x.OK, x.Need, x.Err))
		}
	}
	platforms := map[string]*gateway.Lambda{}
	signers := map[gateway.ID]*gateway.Secret{}
	for _, u := range w.Upstreams() {
		if u.Lambda == nil {
			continue
		}
		platforms[u.Name] = u.Lambda
		if s := wanted[u.Lambda.Credentials.ID]; s != nil {
			signers[u.Lambda.Credentials.ID] = s
		}
	}
	if len(platforms) == 0 {
		return list, nil
	}
	opts, err := cfg.lambdas(ctx)
	if err != nil {
		return nil, err
	}
	reveal, end, err := fetched(ctx, vaults, signers)
	if err != nil {
		return nil, err
	}
	defer end()
	for _, name := range slices.Sorted(maps.Keys(platforms)) {
		p := lambda.Patient{Block: platforms[name], Reveal: reveal, Called: calledOn(w, name)}
		for _, x := range lambda.Doctor(ctx, opts, p) {
			list = append(list, newFinding("aws, upstream."+name, x.Check, x.OK, x.Need, x.Err))
		}
	}
	return list, nil
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

// credentialsWait is how long the doctor waits for credentials.
const credentialsWait = 15 * time.Second

// fetched reads secrets as a server does, and returns when all are there, or after a while. end stops what it started.
func fetched(ctx context.Context, cfg secrets.Config, wanted map[gateway.ID]*gateway.Secret) (reveal gateway.Reveal, end func(), err error) {
	var mu sync.Mutex
	missing := maps.Clone(wanted)
	done := make(chan struct{})
	cfg.Publish = func(versions map[gateway.ID]string) {
		mu.Lock()
		defer mu.Unlock()
		before := len(missing)
		for id, v := range versions {
			if v != "" {
				delete(missing, id)
			}
		}
		if before > 0 && len(missing) == 0 {
			close(done)
		}
	}
	k, err := secrets.New(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("read the credentials of Lambdas: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	k.Want(wanted)
	go func() { defer close(ended); _ = k.Run(ctx) }()
	if len(wanted) > 0 {
		t := time.NewTimer(credentialsWait)
		defer t.Stop()
		select {
		case <-done:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return k.Reveal, func() { cancel(); <-ended }, nil
}
