package nomad

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// soon is how little a token that nobody renews may have left without a word about it.
const soon = 24 * time.Hour

// doctor asks each connection for what the specs need of it.
func doctor(ctx context.Context, clients []*Client, specs []gateway.SourceSpec) (out []discovery.Finding) {
	wanted := map[*Client]map[scope]bool{} // the value: checks are wanted
	for _, c := range clients {
		wanted[c] = map[scope]bool{}
	}
	for _, spec := range specs {
		s, ok := spec.(*Spec)
		if !ok {
			continue
		}
		c, err := connection(clients, s.Connection)
		if err != nil {
			out = append(out, finding("nomad: connection of service "+s.Service, err, "a nomad block of that name in the agent's configuration"))
			continue
		}
		at := c.scope(s)
		wanted[c][at] = wanted[c][at] || s.Checks
	}
	for _, c := range clients {
		if len(wanted[c]) == 0 {
			wanted[c][c.scope(&Spec{})] = true
		}
		out = append(out, c.doctor(ctx, wanted[c])...)
	}
	return out
}

func finding(check string, err error, need string) discovery.Finding {
	if err == nil {
		return discovery.Finding{Check: check, OK: true}
	}
	return discovery.Finding{Check: check, Need: need, Err: err}
}

// doctor asks one Nomad. It changes nothing; questions that others make senseless are left out.
func (c *Client) doctor(ctx context.Context, scopes map[scope]bool) (out []discovery.Finding) {
	at := "nomad: "
	if c.Name != "" {
		at = "nomad " + c.Name + ": "
	}
	add := func(check string, err error, need string) bool {
		out = append(out, finding(at+check, err, need))
		return err == nil
	}
	if !add("reach nomad", c.reach(ctx), "an address of an agent or server that answers, with TLS files that fit: "+c.addresses()) {
		return out
	}
	if need, err := c.tokenKnown(ctx); !add("token is valid", err, need) {
		return out
	}
	regions, err := c.regions(ctx)
	if !add("list regions", err, "an agent that is part of a region") {
		return out
	}
	for _, s := range slices.SortedFunc(maps.Keys(scopes), func(a, b scope) int { return strings.Compare(a.String(), b.String()) }) {
		if s.region != "" && !slices.Contains(regions, s.region) {
			add("know region "+s.region, errors.New("there is "+strings.Join(regions, ", ")), "region, in the nomad block or the agent's, as one of these")
			continue
		}
		add("find "+s.String(), c.namespaceExists(ctx, s), "a namespace that exists, and a token that may do something in it")
		_, err := c.list(ctx, s, 0, 0)
		add("list services of "+s.String(), err, rule(s.namespace, "read-job"))
		add("read the events of "+s.String(), c.mayStream(ctx, s), rule(s.namespace, "read-job")+", and enable_event_broker at the servers; else services are listed again at each change")
		if scopes[s] {
			add("read the checks of "+s.String(), c.mayReadJobs(ctx, s), rule(s.namespace, "read-job"))
		}
	}
	if len(regions) > 1 && c.cfg.Region == "" && slices.ContainsFunc(slices.Collect(maps.Keys(scopes)), func(s scope) bool { return s.region == "" }) {
		add("know the region", errors.New("there are several: "+strings.Join(regions, ", ")), "region, in the agent's nomad block: else the locality of endpoints has none")
	}
	add("connections for all namespaces", c.connections(ctx, len(scopes)), "limits.http_max_conns_per_client of the agent to be higher, or fewer namespaces")
	return out
}

func (c *Client) addresses() string {
	var out []string
	for _, to := range c.rt.targets {
		if to.socket != "" {
			out = append(out, "unix://"+to.socket)
		} else {
			out = append(out, to.scheme+"://"+to.host+to.path)
		}
	}
	return strings.Join(out, ", ")
}

// ask makes one GET that decodes into out, if not nil.
func (c *Client) ask(ctx context.Context, path string, at scope, out any) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	_, err := c.api.Raw().Query(path, out, c.options(ctx, at))
	if err == nil {
		return nil
	}
	return plain(ctx, err, "", at)
}

func (c *Client) reach(ctx context.Context) error {
	var leader string
	err := c.ask(ctx, "/v1/status/leader", scope{}, &leader)
	if err == nil && leader == "" {
		return errNoLeader
	}
	return err
}

func (c *Client) regions(ctx context.Context) (all []string, err error) {
	return all, c.ask(ctx, "/v1/regions", scope{}, &all)
}

// tokenKnown says whether the token is there and lives for a while. That of a workload is its own proof.
func (c *Client) tokenKnown(ctx context.Context) (need string, err error) {
	text, err := c.rt.token()
	switch {
	case err != nil:
		return "a token in token_file", err
	case text == "":
		return "", nil
	case isIdentity(text):
		return "the identity to be renewed: identity { file = true } in the job, and token_file", identityLives(text, time.Now())
	}
	var token api.ACLToken
	err = c.ask(ctx, "/v1/acl/token/self", scope{}, &token)
	if status(err) == http.StatusBadRequest { // ACLs are disabled
		return "", nil
	}
	if err == nil && token.ExpirationTime != nil && time.Until(*token.ExpirationTime) < soon && c.cfg.TokenFile == "" {
		return "a token that lives longer, or token_file and something that renews it",
			fmt.Errorf("it expires %s", token.ExpirationTime.UTC().Format(time.RFC3339))
	}
	return "a token that exists and has not expired, in token, token_file or NOMAD_TOKEN", err
}

// identityLives reads when the identity of a workload ends. It proves nothing: Nomad does.
func identityLives(text string, now time.Time) error {
	part := strings.Split(text, ".")[1]
	body, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return errors.New("the token looks like the identity of a workload, and is none")
	}
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if json.Unmarshal(body, &claims) != nil {
		return errors.New("the token looks like the identity of a workload, and is none")
	}
	if end := time.Unix(claims.Expires, 0); claims.Expires != 0 && !end.After(now) {
		return fmt.Errorf("it expired %s", end.UTC().Format(time.RFC3339))
	}
	return nil
}

// namespaceExists tells a namespace that is empty from one that is not there: lists of both are empty. A workload
// without policies may not ask, and lists all the same.
func (c *Client) namespaceExists(ctx context.Context, at scope) error {
	var ns api.Namespace
	err := c.ask(ctx, "/v1/namespace/"+at.namespace, at, &ns)
	if text, _ := c.rt.token(); status(err) == http.StatusForbidden && isIdentity(text) {
		return nil
	}
	return err
}

var errEnough = errors.New("heard enough")

// mayStream opens an event stream and closes it after its first line.
func (c *Client) mayStream(ctx context.Context, at scope) error {
	err := c.stream(ctx, at, 0, func(batch) error { return errEnough })
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// mayReadJobs asks for a job that does not exist: whoever may read jobs is told so.
func (c *Client) mayReadJobs(ctx context.Context, at scope) error {
	err := c.ask(ctx, "/v1/job/sluice-doctor", at, &api.Job{})
	if status(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// connections says whether each namespace can have a connection that waits. The agent's own limit is known only to
// tokens that may read the agent.
func (c *Client) connections(ctx context.Context, scopes int) error {
	var self api.AgentSelf
	room := streamSlots
	if c.ask(ctx, "/v1/agent/self", scope{}, &self) == nil {
		limits, _ := self.Config["Limits"].(map[string]any)
		if most, ok := limits["HTTPMaxConnsPerClient"].(float64); ok && most > 0 {
			room = min(room, int(most)-20-callSlots)
		}
	}
	if scopes <= room {
		return nil
	}
	return fmt.Errorf("%d namespaces are watched, and %d connections may wait in nomad: the others are listed every few seconds", scopes, max(room, 0))
}
