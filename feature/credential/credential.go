// Package credential is the feature "credential": a secret is put on the requests that an upstream gets.
package credential

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Credential writes one header with a secret in it, after everything else that changes a request. The value travels by
// SDS alone: no route holds it, and a new one needs no new route.
type Credential struct {
	gateway.FeatureBase
	Header string      `hcl:"header,optional" default:"authorization"`
	Prefix string      `hcl:"prefix,optional"` // before the value: "Bearer "
	Secret gateway.Ref `hcl:"secret" ref:"secret"`
	Field  string      `hcl:"field,optional"` // of a secret that has several
}

var (
	_ gateway.Feature    = (*Credential)(nil)
	_ gateway.Checker    = (*Credential)(nil)
	_ gateway.SecretUser = (*Credential)(nil)
)

// FeatureType is the block's name.
func (*Credential) FeatureType() string { return "credential" }

// Refs names the secret.
func (c *Credential) Refs() []gateway.Ref { return []gateway.Ref{c.Secret} }

// SecretUses names the part of the secret that is sent.
func (c *Credential) SecretUses() []gateway.SecretUse {
	return []gateway.SecretUse{{ID: c.Secret.ID, Field: c.Field}}
}

// Check refuses headers that cannot be written, and prefixes that no header can hold.
func (c *Credential) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	report := func(attribute, summary, detail string) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	if why := gateway.HeaderFault(c.Header); why != "" {
		report("header", "Invalid header name", why)
	}
	if why := gateway.HeaderValueFault(gateway.Expr{Op: gateway.OpConst, Value: c.Prefix}); why != "" {
		report("prefix", "Unsupported header value", fmt.Sprintf("The prefix %s.", why))
	}
	if strings.ContainsAny(c.Field, "/\x00") {
		report("field", "Invalid field", fmt.Sprintf("%q is no field of a secret: their names have no slash.", c.Field))
	}
	return diags
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "credential", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &Credential{} },
		Filters:     filters,
		Route:       route,
	}
}
