package secrets

import (
	"context"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// open makes the reader of a block. run ends with Run, ctx with the feed.
func (k *Keeper) open(run, ctx context.Context, s *gateway.Secret) reader {
	switch {
	case s.VaultKV != nil:
		c, err := k.connection(run, s.VaultKV.Connection)
		if err != nil {
			return broken{err}
		}
		return &kvReader{spec: s.VaultKV, conn: c}
	case s.VaultAWS != nil:
		c, err := k.connection(run, s.VaultAWS.Connection)
		if err != nil {
			return broken{err}
		}
		return &awsReader{spec: s.VaultAWS, conn: c, prove: k.prove, settle: k.cfg.Settle}
	case s.File != nil:
		return &fileReader{spec: s.File, watch: watchFiles(ctx, k.cfg.Log, s.File.Path)}
	case s.Env != nil:
		return &envReader{spec: s.Env, env: k.env}
	case s.Mesh != nil:
		return k.openMesh(ctx, s.Mesh)
	}
	return broken{shapef("the block says from nowhere where the secret comes")}
}

// connection finds a connection and makes it log in.
func (k *Keeper) connection(run context.Context, name string) (*conn, error) {
	c, err := pick(k.conns, name)
	if err != nil {
		return nil, err
	}
	if r := c.cfg.Auth.AppRole; k.cfg.Visit && r != nil && r.Wrapped {
		return nil, refusedf("the wrapped secret_id can be taken once, and is left to the server")
	}
	c.begin.Do(func() { k.work.Go(func() { c.run(run) }) })
	return c, nil
}

// pick finds what is called name; "" is the only one too.
func pick[T any](all map[string]T, name string) (found T, err error) {
	if v, ok := all[name]; ok {
		return v, nil
	}
	switch {
	case name == "" && len(all) == 1:
		for _, v := range all {
			return v, nil
		}
	case name == "" && len(all) == 0:
		return found, shapef("no connection to vault is configured")
	case name == "":
		return found, shapef("there are %d connections to vault: the block has to name one", len(all))
	}
	return found, shapef("no connection to vault is called %q", name)
}

// never is long enough for what does not change.
const never = 365 * 24 * time.Hour

// broken is the reader of a block that cannot be read here.
type broken struct{ err error }

func (b broken) step(context.Context) (outcome, error) { return outcome{}, b.err }
func (b broken) wake(bool) <-chan struct{}             { return nil }
func (b broken) patience(error) time.Duration          { return time.Hour }
func (b broken) end() []lease                          { return nil }

// envReader reads a variable of the environment, which does not change while we live.
type envReader struct {
	spec *gateway.EnvValue
	env  Getenv
}

func (r *envReader) step(context.Context) (outcome, error) {
	v := r.env(r.spec.Name)
	if v == "" {
		return outcome{}, shapef("the environment variable %s is not set, or empty", r.spec.Name)
	}
	return outcome{again: never, fresh: true, material: fields{valueField: []byte(v)}, note: "since the start"}, nil
}

func (r *envReader) wake(bool) <-chan struct{}    { return nil }
func (r *envReader) patience(error) time.Duration { return time.Hour }
func (r *envReader) end() []lease                 { return nil }

var (
	_ reader = broken{}
	_ reader = (*envReader)(nil)
	_ reader = (*fileReader)(nil)
	_ reader = (*kvReader)(nil)
	_ reader = (*awsReader)(nil)
	_ reader = (*meshReader)(nil)
)
