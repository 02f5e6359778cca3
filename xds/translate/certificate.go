package translate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// The names under which the parts of a certificate are usually stored: by Vault's PKI engine, by Kubernetes, by hand. A
// secret of one value holds all parts in it.
var (
	chainFields     = []string{"certificate", "cert", "crt", "tls.crt", "chain", "ca_chain", "issuing_ca", wholeField}
	keyFields       = []string{"private_key", "key", "tls.key", wholeField}
	authorityFields = []string{"ca", "ca.crt", "ca_chain", "issuing_ca", "certificate", wholeField}
)

// certificate is a chain and its key, which belong to each other.
func certificate(in gateway.Inputs, found gateway.Material) (*tlsv3.Secret, error) {
	from := chainFields
	if in.Field != "" {
		from = []string{in.Field}
	}
	var chain []byte
	seen := map[string]bool{}
	for _, f := range from {
		for _, b := range blocks(found, f, "CERTIFICATE") {
			if text := string(b); !seen[text] {
				seen[text] = true
				chain = append(chain, b...)
			}
		}
	}
	if len(chain) == 0 {
		return nil, material(in.Secret, "%s holds no certificate in PEM; looked for in the fields %s", in.Secret, strings.Join(from, ", "))
	}
	if in.Field == "" {
		from = keyFields
	}
	var keys [][]byte
	for _, f := range from {
		keys = append(keys, blocks(found, f, "PRIVATE KEY")...)
	}
	if len(keys) != 1 {
		return nil, material(in.Secret, "%s holds %d private keys in PEM, not one; looked for in the fields %s", in.Secret, len(keys), strings.Join(from, ", "))
	}
	if _, err := tls.X509KeyPair(chain, keys[0]); err != nil {
		return nil, material(in.Secret, "the certificate and the key of %s are no pair: %s", in.Secret, plainly(err))
	}
	return &tlsv3.Secret{Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(chain), PrivateKey: inline(keys[0]),
	}}}, nil
}

// plainly is an error of package tls without anything of the material, which some of its errors quote.
func plainly(err error) string {
	text := strings.TrimPrefix(err.Error(), "tls: ")
	if strings.Contains(text, "does not match") {
		return "the key is of another certificate"
	}
	return "one of them cannot be read"
}

// authorities are certificates to trust.
func authorities(in gateway.Inputs, found gateway.Material) (*tlsv3.Secret, error) {
	from := authorityFields
	if in.Field != "" {
		from = []string{in.Field}
	}
	var trusted []byte
	for _, f := range from {
		if all := blocks(found, f, "CERTIFICATE"); len(all) > 0 {
			trusted = bytes.Join(all, nil)
			break
		}
	}
	if len(trusted) == 0 || !x509.NewCertPool().AppendCertsFromPEM(trusted) {
		return nil, material(in.Secret, "%s holds no certificate in PEM; looked for in the fields %s", in.Secret, strings.Join(from, ", "))
	}
	return &tlsv3.Secret{Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(trusted)}}}, nil
}

// blocks lists the PEM blocks of a field whose type ends so, each written anew.
func blocks(found gateway.Material, field, kind string) (out [][]byte) {
	rest, ok := found.Reveal(field)
	if !ok {
		return nil
	}
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out
		}
		if strings.HasSuffix(b.Type, kind) {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: b.Bytes}))
		}
	}
}

func inline(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: bytes.Clone(b)}}
}
