package testenv

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api"
)

// initialise makes a server that has no state yet ready for tests.
func (v *Vault) initialise() {
	v.t.Helper()
	if v.opts.Join != nil {
		v.join(v.opts.Join)
		return
	}
	made, err := v.Client().Sys().Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		v.t.Fatalf("initialise %s: %v", v.Product, err)
	}
	v.Token, v.SealKeys = made.RootToken, made.Keys
	v.Unseal()
	v.Mount("secret", "kv", map[string]string{"version": "2"})
	// A new engine of this version says for a moment that it is being upgraded.
	v.await("secret/ is there", func(c *api.Client, ctx context.Context) error {
		_, err := c.Logical().ReadWithContext(ctx, "secret/config")
		return err
	})
}

// join makes the server a standby that can take over.
func (v *Vault) join(leader *Vault) {
	v.t.Helper()
	leader.Write("sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": "100ms"})
	if _, err := v.Client().Sys().RaftJoin(&api.RaftJoinRequest{LeaderAPIAddr: leader.Addr}); err != nil {
		v.t.Fatalf("join %s: %v", leader.Addr, err)
	}
	v.Token, v.SealKeys = leader.Token, leader.SealKeys
	v.Unseal()
	leader.await("both vote", func(c *api.Client, ctx context.Context) error {
		state, err := c.Sys().RaftAutopilotStateWithContext(ctx)
		if err == nil && len(state.Voters) < 2 {
			err = fmt.Errorf("the voters are %q", state.Voters)
		}
		return err
	})
}

// Seal seals the server: it keeps answering, with 503.
func (v *Vault) Seal() {
	v.t.Helper()
	if err := v.Client().Sys().Seal(); err != nil {
		v.t.Fatalf("seal %s: %v", v.Product, err)
	}
}

// Unseal unseals the server, and returns when it serves; a standby when it can pass on.
func (v *Vault) Unseal() {
	v.t.Helper()
	for _, key := range v.SealKeys {
		if _, err := v.Client().Sys().Unseal(key); err != nil {
			v.t.Fatalf("unseal %s: %v", v.Product, err)
		}
	}
	v.await("it serves", func(c *api.Client, ctx context.Context) error {
		if health, err := c.Sys().HealthWithContext(ctx); err != nil || health.Sealed {
			return fmt.Errorf("it is sealed, or %w", err)
		}
		if _, err := c.Auth().Token().LookupSelfWithContext(ctx); err != nil {
			return err
		}
		leader, err := c.Sys().LeaderWithContext(ctx)
		if err == nil && leader.LeaderAddress == "" && v.opts.Keep {
			err = fmt.Errorf("it knows no leader")
		}
		return err
	})
}

// StepDown makes an active server hand over to a standby, and returns when it has.
func (v *Vault) StepDown() {
	v.t.Helper()
	if err := v.Client().Sys().StepDown(); err != nil {
		v.t.Fatalf("make %s step down: %v", v.Product, err)
	}
	v.await("another leads", func(c *api.Client, ctx context.Context) error {
		leader, err := c.Sys().LeaderWithContext(ctx)
		if err == nil && (leader.IsSelf || leader.LeaderAddress == "") {
			err = fmt.Errorf("the leader is %q", leader.LeaderAddress)
		}
		return err
	})
}

// Leads says whether the server is the active one.
func (v *Vault) Leads() bool {
	v.t.Helper()
	leader, err := v.Client().Sys().Leader()
	if err != nil {
		v.t.Fatalf("ask %s who leads: %v", v.Product, err)
	}
	return leader.IsSelf || !leader.HAEnabled
}
