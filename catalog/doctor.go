package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/discovery"
)

// Doctor asks for each permission one by one, and for the limits that matter. It writes nothing that stays: what a
// write permission covers is asked for with comparisons that cannot hold. replica asks for what a replica needs, else
// for what an operator needs to apply.
func (c *Client) Doctor(ctx context.Context, replica bool) []discovery.Finding {
	out := []discovery.Finding{c.reachable(ctx)}
	if !out[0].OK {
		return out
	}
	out = append(out, c.tokenKnown(ctx))
	rules, err := c.selfRules(ctx)
	out = append(out, c.mayRead(ctx, rules, err))
	if replica {
		out = append(out, c.mayReadServices(ctx, rules, err)...)
		out = append(out, c.mayLock(ctx))
		for _, dir := range []string{statusDir, acceptedDir, acceptedFunctionsDir, historyDir, quarantineDir, replicasDir} {
			out = append(out, c.mayWrite(ctx, "write "+dir, "key_prefix", dir, dir+"doctor"))
		}
		return append(out, c.connections(ctx))
	}
	for _, dir := range []string{routesDir, valuesDir, drainDir} {
		out = append(out, c.mayWrite(ctx, "write "+dir, "key_prefix", dir, dir+"doctor"))
	}
	for _, key := range []string{holdKey, freezeKey} {
		out = append(out, c.mayWrite(ctx, "write "+key, "key", key, key))
	}
	return append(out, c.connections(ctx))
}

func finding(check string, err error, need string) discovery.Finding {
	if err == nil {
		return discovery.Finding{Check: check, OK: true}
	}
	return discovery.Finding{Check: check, Need: need, Err: err}
}

func (c *Client) reachable(ctx context.Context) discovery.Finding {
	ctx, cancel := within(ctx)
	defer cancel()
	leader, err := c.api.Status().LeaderWithQueryOptions(query(ctx))
	if err == nil && leader == "" {
		err = errors.New("consul has no leader")
	}
	return finding("reach consul", bare(err), "an address of an agent or server that answers: "+strings.Join(c.cfg.Addresses, ", "))
}

func (c *Client) tokenKnown(ctx context.Context) discovery.Finding {
	const check = "token is valid"
	if c.anonymous() {
		return discovery.Finding{Check: check, OK: true}
	}
	ctx, cancel := within(ctx)
	defer cancel()
	_, _, err := c.api.ACL().TokenReadSelf(query(ctx))
	if err != nil && strings.Contains(err.Error(), "ACL support disabled") {
		err = nil
	}
	return finding(check, err, "a token that exists and has not expired, in token, token_file or CONSUL_HTTP_TOKEN")
}

// permission asks Consul what the token may do, which changes nothing.
type permission struct {
	Resource string
	Access   string
	Segment  string `json:",omitempty"`
	Allow    bool   `json:",omitempty"`
}

// selfRules asks the agent to authorize what reading services needs; rows that a token may not see are left out of
// answers, so that an answer alone proves nothing.
func (c *Client) selfRules(ctx context.Context) (map[permission]bool, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	ask := []permission{
		{Resource: "key", Access: "read", Segment: c.key(routesDir + "doctor")},
		{Resource: "key", Access: "read", Segment: c.key(valuesDir + "doctor")},
		{Resource: "service", Access: "read", Segment: "sluice-doctor"},
		{Resource: "node", Access: "read", Segment: "sluice-doctor"},
	}
	answer, err := c.authorize(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := map[permission]bool{}
	for _, p := range answer {
		allow := p.Allow
		p.Allow = false
		out[p] = allow
	}
	return out, nil
}

// authorize asks which of some permissions the token has; none come back where Consul has no ACLs.
func (c *Client) authorize(ctx context.Context, ask []permission) (answer []permission, err error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/v1/internal/acl/authorize", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusUnauthorized && strings.Contains(string(text), "ACL support disabled"):
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("consul answered %d: %s", resp.StatusCode, text)
	}
	return answer, json.Unmarshal(text, &answer)
}

var errDenied = errors.New("permission denied")

func allowed(rules map[permission]bool, err error, p permission) error {
	if err != nil {
		return fmt.Errorf("ask for permissions: %w", err)
	}
	if may, asked := rules[p]; asked && !may {
		return errDenied
	}
	return nil
}

func (c *Client) mayRead(ctx context.Context, rules map[permission]bool, err error) discovery.Finding {
	need := c.rule("key_prefix", "", "read")
	for _, dir := range []string{routesDir, valuesDir} {
		if e := allowed(rules, err, permission{Resource: "key", Access: "read", Segment: c.key(dir + "doctor")}); e != nil {
			return finding("read the prefix", e, need)
		}
	}
	ctx, cancel := within(ctx)
	defer cancel()
	_, meta, err := c.names("", query(ctx))
	if err == nil && meta.ResultsFilteredByACLs {
		err = errDenied
	}
	return finding("read the prefix", err, need)
}

func (c *Client) mayReadServices(_ context.Context, rules map[permission]bool, err error) []discovery.Finding {
	var out []discovery.Finding
	for _, kind := range []string{"service", "node"} {
		e := allowed(rules, err, permission{Resource: kind, Access: "read", Segment: "sluice-doctor"})
		out = append(out, finding("read "+kind+"s", e, kind+`_prefix "" { policy = "read" }`))
	}
	return out
}

func (c *Client) mayLock(ctx context.Context) discovery.Finding {
	const need = `session_prefix "" { policy = "write" }`
	session, err := c.newSession(ctx)
	if err != nil {
		return finding("create sessions", err, need)
	}
	call, cancel := within(ctx)
	defer cancel()
	_, err = c.api.Session().Destroy(session, (&api.WriteOptions{}).WithContext(call))
	if err != nil {
		return finding("create sessions", err, need)
	}
	return c.mayWrite(ctx, "create sessions and write "+lockKey, "key", lockKey, lockKey)
}

// mayWrite tries to write a key on the condition that it was written at an index that no key has.
func (c *Client) mayWrite(ctx context.Context, check, kind, rel, key string) discovery.Finding {
	_, err := c.transact(ctx, []*api.KVTxnOp{{Verb: api.KVCAS, Key: c.key(key), Index: 1}})
	if _, conflict := errors.AsType[*ConflictError](err); conflict {
		err = nil
	}
	return finding(check, err, c.rule(kind, rel, "write"))
}

// connections says whether all watches have a connection of their own.
func (c *Client) connections(context.Context) discovery.Finding {
	lag := c.Lag()
	if lag == 0 {
		return discovery.Finding{Check: "connections for all watches", OK: true}
	}
	return finding("connections for all watches", fmt.Errorf("there are more watches than connections: a change may be seen %s late", lag.Round(time.Millisecond)),
		"Consul's TLS port (ports.https), where many watches share a connection")
}
