package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Doctor asks everything that some secrets need, one by one: is Vault there, can one log in, does the policy allow each
// path. It reads no secret and makes no lease; a connection that no secret uses is asked for its login alone. It makes
// logins of its own, which end by themselves, and works without a running Keeper; of a wrapped secret_id it would use
// up the wrapping token, so that login is not tried.
func Doctor(ctx context.Context, cfg Config, secrets map[gateway.ID]*gateway.Secret) []discovery.Finding {
	cfg.Metrics = nil
	k, err := New(cfg)
	if err != nil {
		return []discovery.Finding{{Check: "configuration of vault", Need: "a configuration that can work", Err: err}}
	}
	return k.doctor(ctx, secrets)
}

func (k *Keeper) doctor(ctx context.Context, secrets map[gateway.ID]*gateway.Secret) []discovery.Finding {
	var out []discovery.Finding
	byConn := map[string][]gateway.ID{}
	ids := slices.SortedFunc(maps.Keys(secrets), func(a, b gateway.ID) int { return strings.Compare(a.String(), b.String()) })
	for _, id := range ids {
		s := secrets[id]
		switch {
		case s == nil:
		case s.VaultKV != nil || s.VaultAWS != nil:
			c, err := pick(k.conns, connectionOf(s))
			if err != nil {
				out = append(out, verdict(id.String()+": its connection", err, "a vault block in the agent's configuration"))
				continue
			}
			byConn[c.name] = append(byConn[c.name], id)
		case s.File != nil:
			out = append(out, verdict(id.String()+": read "+s.File.Path, checkFile(s.File), "a file that the server's user may read, of the shape that the block says"))
		case s.Env != nil:
			_, err := (&envReader{spec: s.Env, env: k.env}).step(ctx)
			out = append(out, verdict(id.String()+": environment variable "+s.Env.Name, err, "the variable in the environment of the server"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.conns)) {
		c := k.conns[name]
		out = append(out, c.doctor(ctx, byConn[name], secrets)...)
		c.http.CloseIdleConnections()
	}
	return out
}

func connectionOf(s *gateway.Secret) string {
	if s.VaultKV != nil {
		return s.VaultKV.Connection
	}
	return s.VaultAWS.Connection
}

func checkFile(spec *gateway.FileValue) error {
	b, err := os.ReadFile(spec.Path)
	if err != nil {
		return err
	}
	_, err = parseFile(spec, b)
	return err
}

func verdict(check string, err error, need string) discovery.Finding {
	if err == nil {
		return discovery.Finding{Check: check, OK: true}
	}
	return discovery.Finding{Check: check, Need: need, Err: err}
}

// doctor asks one Vault.
func (c *conn) doctor(ctx context.Context, ids []gateway.ID, secrets map[gateway.ID]*gateway.Secret) []discovery.Finding {
	prefix := "vault: "
	if c.name != "" {
		prefix = "vault " + c.name + ": "
	}
	out := []discovery.Finding{verdict(prefix+"it answers at "+c.cfg.Address, c.healthy(ctx), "an address of a vault that is initialised, unsealed and active, or a standby that passes on")}
	if !out[0].OK {
		return out
	}
	if r := c.cfg.Auth.AppRole; r != nil && r.Wrapped {
		return out
	}
	s, err := c.login(ctx)
	out = append(out, verdict(prefix+"log in by "+c.cfg.Auth.Method(), err, loginNeeds[c.cfg.Auth.Method()]))
	if err != nil {
		return out
	}
	for _, q := range c.questions(ids, secrets) {
		err := c.may(ctx, s.client, q)
		out = append(out, verdict(prefix+q.check, err, q.rule()))
	}
	if c.ownLogin() {
		c.logout(ctx, s.client)
	}
	return out
}

// ownLogin says that the token is made by logging in, and so nobody else's.
func (c *conn) ownLogin() bool { return c.cfg.Auth.Token == "" && c.cfg.Auth.TokenFile == "" }

// logout revokes the token of a login that was made for questions. Where it may not, the token ends by itself.
func (c *conn) logout(ctx context.Context, client *api.Client) {
	_, _ = c.once(ctx, "revoke the token", client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, "auth/token/revoke-self", nil)
	})
}

// loginNeeds are what is mostly missing when a login fails.
var loginNeeds = map[string]string{
	"token":      "a token that exists and has not expired, in token or VAULT_TOKEN",
	"token_file": "a token that exists and has not expired in the file",
	"approle":    "the role_id of an existing role, and a secret_id of it that is not used up",
	"jwt":        "a role of the jwt method whose bound audience, subject and claims fit the token in the file",
	"aws":        "AWS credentials that work here, and a role whose bound principal is theirs; server_id where vault wants one",
	"cert":       "a certificate that a role of the cert method names, or whose authority it names",
}

// healthy asks for the health of Vault, which needs no token.
func (c *conn) healthy(ctx context.Context) error {
	client, err := c.client("")
	if err != nil {
		return err
	}
	var health *api.HealthResponse
	_, err = c.once(ctx, "ask for its health", client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		var err error
		health, err = client.Sys().HealthWithContext(ctx)
		return &api.Secret{}, err
	})
	switch {
	case err != nil:
		return err
	case !health.Initialized:
		return errors.New("it is not initialised")
	case health.Sealed:
		return errors.New("it is sealed")
	}
	return nil
}

// question is one path and what has to be allowed there.
type question struct {
	check, path string
	need        string // one capability
}

func (q question) rule() string {
	return fmt.Sprintf("path %q { capabilities = [%q] }", q.path, q.need)
}

// questions lists what the secrets of a connection need, each once.
func (c *conn) questions(ids []gateway.ID, secrets map[gateway.ID]*gateway.Secret) []question {
	out := []question{
		{check: "look at its own token", path: "auth/token/lookup-self", need: "read"},
		{check: "renew its own token", path: "auth/token/renew-self", need: "update"},
	}
	add := func(q question) {
		if !slices.Contains(out, q) {
			out = append(out, q)
		}
	}
	for _, id := range ids {
		if v := secrets[id].VaultKV; v != nil {
			if v.Version == 1 {
				add(question{check: id.String() + " is read", path: clean(v.Mount, v.Path), need: "read"})
				continue
			}
			add(question{check: id.String() + " is read", path: clean(v.Mount, "data", v.Path), need: "read"})
			add(question{check: id.String() + " is watched", path: clean(v.Mount, "metadata", v.Path), need: "read"})
			continue
		}
		v := secrets[id].VaultAWS
		below := "creds"
		if v.Type != "" && v.Type != "iam_user" {
			below = "sts"
		}
		add(question{check: id.String() + " is made", path: clean(v.Mount, below, v.Role), need: "read"})
		if below == "creds" {
			add(question{check: "renew leases", path: "sys/leases/renew", need: "update"})
		}
		add(question{check: "revoke leases that were replaced", path: "sys/leases/revoke", need: "update"})
	}
	return out
}

var errDenied = errors.New("permission denied")

// may asks what the token may do at a path, which does nothing.
func (c *conn) may(ctx context.Context, client *api.Client, q question) error {
	var may []string
	_, err := c.once(ctx, "ask for its capabilities", client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		var err error
		may, err = client.Sys().CapabilitiesSelfWithContext(ctx, q.path)
		return &api.Secret{}, err
	})
	switch {
	case err != nil:
		return err
	case slices.Contains(may, "root") || slices.Contains(may, q.need):
		return nil
	}
	return errDenied
}
