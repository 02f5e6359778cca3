package testenv

import (
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclsimple"
	"github.com/hashicorp/nomad/api"
)

// nomadToken is who asks: an ACL token, or the identity of a workload.
type nomadToken struct {
	api.ACLToken
	workload bool
}

// nomadPolicy is the part of Nomad's policies that reading needs.
type nomadPolicy struct {
	Namespaces []struct {
		Name         string   `hcl:"name,label"`
		Policy       string   `hcl:"policy,optional"`
		Capabilities []string `hcl:"capabilities,optional"`
	} `hcl:"namespace,block"`
	Node  *nomadCoarse `hcl:"node,block"`
	Agent *nomadCoarse `hcl:"agent,block"`
}

type nomadCoarse struct {
	Policy string `hcl:"policy"`
}

// SetPolicy makes or replaces a policy from its text. Streams that it no longer allows end.
func (n *Nomad) SetPolicy(t testing.TB, name, text string) {
	t.Helper()
	var p nomadPolicy
	if err := hclsimple.Decode(name+".hcl", []byte(text), nil, &p); err != nil {
		t.Fatalf("read the policy %s: %v", name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.policies[name] = p
	n.cut++
	n.wake()
}

// NewToken makes a client token with policies and returns its secret. A positive life makes it expire.
func (n *Nomad) NewToken(life time.Duration, policies ...string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	secret := fmt.Sprintf("00000000-0000-4000-8000-%012d", len(n.tokens)+1)
	token := &nomadToken{ACLToken: api.ACLToken{AccessorID: "accessor-" + secret[24:], Name: "sluice", Type: "client", Policies: policies}}
	if life > 0 {
		end := time.Now().Add(life)
		token.ExpirationTime = &end
	}
	n.tokens[secret] = token
	return secret
}

// NewIdentity makes the identity of a workload: it may list services of every namespace, and what its policies say.
func (n *Nomad) NewIdentity(policies ...string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"jti":"%d"}`, len(n.tokens)+1))
	secret := "eyJhbGciOiJSUzI1NiJ9." + claims + ".c2lnbmF0dXJl"
	n.tokens[secret] = &nomadToken{ACLToken: api.ACLToken{Type: "client", Policies: policies}, workload: true}
	return secret
}

// Revoke deletes a token. Its streams end.
func (n *Nomad) Revoke(secret string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.tokens, secret)
	n.cut++
	n.wake()
}

// who is the token of a request; nil: there is none, or it has expired. n.mu is held.
func (n *Nomad) who(secret string) *nomadToken {
	if !n.opts.ACL {
		return &nomadToken{ACLToken: api.ACLToken{Type: "management"}}
	}
	if secret == "" {
		return &nomadToken{ACLToken: api.ACLToken{Type: "client", Policies: []string{"anonymous"}}}
	}
	t := n.tokens[secret]
	if t == nil || t.ExpirationTime != nil && t.ExpirationTime.Before(time.Now()) {
		return nil
	}
	return t
}

// may says whether a token has a capability in a namespace, "" standing for any. n.mu is held.
func (n *Nomad) may(t *nomadToken, namespace, capability string) bool {
	if t.Type == "management" {
		return true
	}
	for _, name := range t.Policies {
		for _, ns := range n.policies[name].Namespaces {
			if ok, err := path.Match(ns.Name, namespace); err != nil || !ok {
				continue
			}
			coarse := ns.Policy == "read" || ns.Policy == "write"
			if slices.Contains(ns.Capabilities, capability) || coarse || capability == "" && len(ns.Capabilities) > 0 {
				return true
			}
		}
	}
	return false
}

// mayAgent says whether a token may read the agent. n.mu is held.
func (n *Nomad) mayAgent(t *nomadToken) bool {
	return t.Type == "management" || slices.ContainsFunc(t.Policies, func(p string) bool { return n.policies[p].Agent != nil })
}
