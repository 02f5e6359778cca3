package main

import (
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/catalog"
)

// consulAuth is how to log in to Consul where no token is given: jwt, by a file that somebody else keeps fresh.
type consulAuth struct {
	Method     string      `hcl:"type,label"`
	AuthMethod string      `hcl:"method,optional"` // name of the auth method in Consul; default nomad-workloads
	Path       string      `hcl:"path,optional"`   // of the identity; default NOMAD_SECRETS_DIR/nomad_consul_default.jwt
	Range      hclv2.Range `hcl:",def_range"`
}

// checkConsuls finds what the tags of the consul blocks cannot say.
func (c *agentConfig) checkConsuls() hclv2.Diagnostics {
	found := blockCheck{kind: "consul"}
	for _, k := range c.Consuls {
		found.block(k.Name, k.Range)
		if k.Hold != "" {
			var err error
			if k.hold, err = time.ParseDuration(k.Hold); err != nil || k.hold <= 0 {
				found.wrong(k.Range, "Invalid hold", "hold of the consul block %q is a duration such as \"60s\", not %q.", k.Name, k.Hold)
			}
		}
		k.checkAuth(&found)
	}
	return found.diags
}

func (k *consulConfig) checkAuth(found *blockCheck) {
	if len(k.Auth) == 0 {
		return
	}
	a := k.Auth[0]
	switch {
	case len(k.Auth) > 1:
		found.wrong(k.Auth[1].Range, "Two ways to log in", "A consul block has one auth block.")
	case a.Method != "jwt":
		found.wrong(a.Range, "Invalid auth", "There is no way %q to log in to Consul: it is jwt. A token goes into token_file.", a.Method)
	case k.Token != "" || k.TokenFile != "":
		found.wrong(a.Range, "Two ways to log in", "The consul block %q has a token and an auth block; remove one of the two.", k.Name)
	default:
		if _, err := (catalog.Config{Login: k.login()}).WithEnv(nil); err != nil {
			found.wrong(a.Range, "Invalid auth", "The consul block %q cannot log in: %s. Give it a path, or run it in a Nomad task.", k.Name, err)
		}
	}
}

// login is nil where a token is given.
func (k *consulConfig) login() *catalog.JWTLogin {
	if len(k.Auth) == 0 {
		return nil
	}
	return &catalog.JWTLogin{Method: k.Auth[0].AuthMethod, File: k.Auth[0].Path}
}
