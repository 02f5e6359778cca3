package main

import (
	"fmt"

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

// checkConsulAuth finds what the tags of the auth blocks cannot say.
func (c *agentConfig) checkConsulAuth() (diags hclv2.Diagnostics) {
	wrong := func(at hclv2.Range, summary, detail string, args ...any) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
	}
	for _, k := range c.Consuls {
		if len(k.Auth) == 0 {
			continue
		}
		a := k.Auth[0]
		switch {
		case len(k.Auth) > 1:
			wrong(k.Auth[1].Range, "Two ways to log in", "A consul block has one auth block.")
		case a.Method != "jwt":
			wrong(a.Range, "Invalid auth", "There is no way %q to log in to Consul: it is jwt. A token goes into token_file.", a.Method)
		case k.Token != "" || k.TokenFile != "":
			wrong(a.Range, "Two ways to log in", "The consul block %q has a token and an auth block; remove one of the two.", k.Name)
		default:
			if _, err := (catalog.Config{Login: k.login()}).WithEnv(nil); err != nil {
				wrong(a.Range, "Invalid auth", "The consul block %q cannot log in: %s. Give it a path, or run it in a Nomad task.", k.Name, err)
			}
		}
	}
	return diags
}

// login is nil where a token is given.
func (k *consulConfig) login() *catalog.JWTLogin {
	if len(k.Auth) == 0 {
		return nil
	}
	return &catalog.JWTLogin{Method: k.Auth[0].AuthMethod, File: k.Auth[0].Path}
}
