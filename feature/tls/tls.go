// Package tls is the feature "tls": the upstream is spoken to over TLS.
package tls

import (
	"net"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TLS has Envoy speak TLS with an upstream, and know it by its certificate.
type TLS struct {
	gateway.FeatureBase
	SNI         string      `hcl:"sni,optional"`                      // the name asked for; default the first of Names that is a host name
	Names       []string    `hcl:"names,optional"`                    // the certificate has one of them: host names, IP addresses or URIs; default SNI
	CA          gateway.Ref `hcl:"ca,optional" ref:"secret"`          // signed the certificate; default those that the Envoy's machine trusts
	CAFile      string      `hcl:"ca_file,optional"`                  // the same, on the Envoys' machines
	Certificate gateway.Ref `hcl:"certificate,optional" ref:"secret"` // of the client, with its key
	MinVersion  string      `hcl:"min_version,optional" default:"1.2" oneof:"1.2 1.3"`
	Insecure    bool        `hcl:"insecure,optional"` // the certificate is not looked at
}

var (
	_ gateway.Feature    = (*TLS)(nil)
	_ gateway.Checker    = (*TLS)(nil)
	_ gateway.SecretUser = (*TLS)(nil)
)

// FeatureType is the block's name.
func (*TLS) FeatureType() string { return "tls" }

// Refs names the secrets.
func (t *TLS) Refs() (out []gateway.Ref) {
	for _, r := range []gateway.Ref{t.CA, t.Certificate} {
		if !r.ID.IsZero() {
			out = append(out, r)
		}
	}
	return out
}

func (t *TLS) authorities() gateway.SecretUse {
	return gateway.SecretUse{ID: t.CA.ID, Form: gateway.FormAuthorities}
}

func (t *TLS) client() gateway.SecretUse {
	return gateway.SecretUse{ID: t.Certificate.ID, Form: gateway.FormCertificate}
}

// SecretUses names what is made of the secrets.
func (t *TLS) SecretUses() (out []gateway.SecretUse) {
	for _, u := range []gateway.SecretUse{t.authorities(), t.client()} {
		if !u.ID.IsZero() {
			out = append(out, u)
		}
	}
	return out
}

// Check refuses a block that would trust anybody without saying so.
func (t *TLS) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, detail string) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	ca := !t.CA.ID.IsZero() || t.CAFile != ""
	switch {
	case t.Enabled != nil && !*t.Enabled:
	case t.Insecure && (ca || len(t.Names) > 0):
		wrong("insecure", "Two rules for one certificate", "With insecure = true the certificate is not looked at. Remove it, or ca, ca_file and names.")
	case !t.Insecure && t.SNI == "" && len(t.Names) == 0:
		wrong("", "Missing name", `Say which name the certificate of the upstream must have: sni = "shop.internal", or names. Without one, whoever has any certificate of the authority could be the upstream.`)
	}
	if !t.CA.ID.IsZero() && t.CAFile != "" {
		wrong("ca_file", "Two authorities", "ca and ca_file say the same thing. Remove one of the two.")
	}
	if t.SNI != "" && (net.ParseIP(t.SNI) != nil || strings.ContainsAny(t.SNI, "/:* ")) {
		wrong("sni", "Invalid name", "sni is a host name, which the upstream is asked for. Addresses and URIs belong in names.")
	}
	return diags
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "tls", Combine: gateway.Nearest, Levels: gateway.LevelUpstream},
		New:         func() gateway.Feature { return &TLS{} },
		Cluster:     cluster,
	}
}
