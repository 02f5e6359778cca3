package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// ListenerTLS has a listener speak TLS with its clients.
//
//sluice:block tls
type ListenerTLS struct {
	Certificates      []Ref     `hcl:"certificates" ref:"secret"`                                  // each with its key; chosen by SNI; the first where none fits
	MinVersion        string    `hcl:"min_version,optional" oneof:"1.2 1.3"`                       // default 1.2; of the policy "modern" 1.3
	CipherPolicy      string    `hcl:"cipher_policy,optional" oneof:"modern intermediate"`         // default intermediate
	Ciphers           []string  `hcl:"ciphers,optional"`                                           // of TLS 1.2, in place of the policy's
	ClientCA          Ref       `hcl:"client_ca,optional" ref:"secret"`                            // signed the certificates of clients
	ClientCertificate string    `hcl:"client_certificate,optional" oneof:"none optional required"` // default required, where there is a client_ca
	HTTP2             bool      `hcl:"http2,optional" default:"true"`                              // offered by ALPN
	Range             hcl.Range `hcl:",def_range"`
}

var _ Checker = (*ListenerTLS)(nil)

// StrongCiphers are the cipher suites of TLS 1.2 that a listener may speak: of all of them a key that leaks later opens
// nothing that was recorded before, and none is known to be weak. They stand in the order of preference.
var StrongCiphers = []string{
	"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
	"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
}

// Modern says that only TLS 1.3 is spoken.
func (t *ListenerTLS) Modern() bool { return t.MinVersion == "1.3" || t.CipherPolicy == "modern" }

// Clients says what is asked of clients: "none", "optional" or "required" certificates.
func (t *ListenerTLS) Clients() string {
	switch {
	case t.ClientCertificate != "":
		return t.ClientCertificate
	case t.ClientCA.ID.IsZero():
		return "none"
	}
	return "required"
}

// Served is the certificate of a secret as a listener serves it.
func Served(secret ID) SecretUse { return SecretUse{ID: secret, Form: FormServed} }

// ClientAuthorities are the authorities of a secret as a listener trusts them.
func ClientAuthorities(secret ID) SecretUse { return SecretUse{ID: secret, Form: FormClientCA} }

// SecretUses are the certificates and the authorities of the block.
func (t *ListenerTLS) SecretUses() (out []SecretUse) {
	if t == nil {
		return nil
	}
	for _, c := range t.Certificates {
		if use := Served(c.ID); !slices.Contains(out, use) {
			out = append(out, use)
		}
	}
	if !t.ClientCA.ID.IsZero() && t.Clients() != "none" {
		out = append(out, ClientAuthorities(t.ClientCA.ID))
	}
	return out
}

// Check refuses what contradicts itself, or would be weak.
func (t *ListenerTLS) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	wrong := func(attribute, summary, format string, args ...any) {
		at, ok := ranges[attribute]
		if !ok {
			at = ranges[""]
		}
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at})
	}
	if len(t.Certificates) == 0 {
		wrong("certificates", "Missing certificate", "A listener with TLS needs a certificate at least: certificates = [secret.NAME].")
	}
	seen := map[ID]bool{}
	for _, c := range t.Certificates {
		if seen[c.ID] {
			wrong("certificates", "Duplicate certificate", "%s stands in certificates twice. Remove one of the two.", c.Text())
		}
		seen[c.ID] = true
	}
	switch {
	case t.CipherPolicy == "modern" && t.MinVersion == "1.2":
		wrong("min_version", "Contradicting TLS versions", `The policy "modern" is TLS 1.3 alone. Remove min_version, or say cipher_policy = "intermediate".`)
	case len(t.Ciphers) > 0 && t.Modern():
		wrong("ciphers", "Useless ciphers", "Ciphers are chosen for TLS 1.2, and this listener speaks TLS 1.3 alone. Remove ciphers.")
	case len(t.Ciphers) > 0 && t.CipherPolicy != "":
		wrong("ciphers", "Two cipher lists", "cipher_policy and ciphers say the same thing. Remove one of the two.")
	}
	for _, c := range t.Ciphers {
		if !slices.Contains(StrongCiphers, c) {
			wrong("ciphers", "Weak cipher", "%q is not among the ciphers that a listener may speak: %s.", c, strings.Join(StrongCiphers, ", "))
		}
	}
	switch known := !t.ClientCA.ID.IsZero(); {
	case !known && t.Clients() != "none":
		wrong("client_certificate", "Missing authority", "client_certificate = %q needs client_ca, a secret with the authorities that signed the certificates of clients.", t.ClientCertificate)
	case known && t.Clients() == "none":
		wrong("client_ca", "Useless authority", `With client_certificate = "none" nobody is asked for a certificate. Remove client_ca, or say "optional" or "required".`)
	}
	return diags
}

var _ Checker = (*Listener)(nil)

// Check refuses HTTP/3 where it cannot be, and an edge that contradicts itself.
func (l *Listener) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	diags = l.checkEdge(ranges)
	if !l.HTTP3 {
		return diags
	}
	at := ranges["http3"]
	wrong := func(detail string) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Impossible HTTP/3", Detail: detail, Subject: &at})
	}
	switch {
	case l.TLS == nil:
		wrong("HTTP/3 is always encrypted, and this listener has no tls block. Add one, or remove http3.")
	case l.ProxyProtocol != "":
		wrong("The PROXY protocol is one of TCP connections, and HTTP/3 has none. Remove http3, or proxy_protocol.")
	case l.TLS.Clients() != "none":
		wrong("Clients cannot show certificates over HTTP/3. Remove http3, or client_ca.")
	}
	return diags
}

// installListeners notes the secrets that the listeners of a gateway need; n is 1 or -1.
func (a *application) installListeners(g *Gateway, n int) {
	for _, l := range g.Listeners {
		for _, use := range l.TLS.SecretUses() {
			if a.w.carried.add(use.ID, carrier{use.part(), g.Name}, n) {
				a.units[use.Unit()] = struct{}{}
			}
		}
	}
}
