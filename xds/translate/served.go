package translate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// minRSA is the size in bits below which Envoy takes no RSA key.
const minRSA = 2048

// servedCertificate is what a listener can show: certificate, with an OCSP staple where the material has one. What
// Envoy would refuse is found here, since one that it refuses keeps others of the same response from being taken.
func servedCertificate(in gateway.Inputs, found gateway.Material) (*tlsv3.Secret, error) {
	made, err := certificate(in, found)
	if err != nil {
		return nil, err
	}
	c := made.GetTlsCertificate()
	chain, err := parseChain(c.CertificateChain.GetInlineBytes())
	if err != nil {
		return nil, material(in.Secret, "a certificate of %s cannot be read", in.Secret)
	}
	if problem := unservable(chain[0]); problem != "" {
		return nil, material(in.Secret, "Envoy cannot serve the certificate of %s: %s", in.Secret, problem)
	}
	staple, err := stapleOf(in.Secret, found, chain)
	if err != nil {
		return nil, err
	}
	if staple != nil {
		c.OcspStaple = inline(staple)
	}
	return made, nil
}

// unservable says why a certificate cannot be a server's; "": it can.
func unservable(leaf *x509.Certificate) string {
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA {
			return fmt.Sprintf("its RSA key has %d bits, and %d are the least", bits, minRSA)
		}
	case *ecdsa.PublicKey:
		if c := key.Curve; c != elliptic.P256() && c != elliptic.P384() && c != elliptic.P521() {
			return fmt.Sprintf("its key is on the curve %s, and P-256, P-384 and P-521 are possible", c.Params().Name)
		}
	default:
		return "its key is neither RSA nor ECDSA"
	}
	if leaf.IsCA && leaf.BasicConstraintsValid && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 && leaf.KeyUsage != 0 {
		return "the first certificate of the chain is an authority's; the server's own comes first"
	}
	return ""
}

// parseChain reads the certificates of PEM that was written by blocks; it holds one at least.
func parseChain(text []byte) (chain []*x509.Certificate, err error) {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("no certificate")
	}
	return chain, nil
}

// Leaf is the certificate that a resource has a listener show; nil for every other resource, and for a stand-in.
func Leaf(r *Resource) *x509.Certificate {
	s, ok := r.Message.(*tlsv3.Secret)
	if !ok || r.StandIn {
		return nil
	}
	chain, err := parseChain(s.GetTlsCertificate().GetCertificateChain().GetInlineBytes())
	if err != nil {
		return nil
	}
	return chain[0]
}

// CheckTime refuses the certificate of a listener whose time is not now. from is when it comes, or zero: it does not.
// Other resources are always fine.
func CheckTime(in gateway.Inputs, r *Resource, now time.Time) (from time.Time, err error) {
	if in.Form != gateway.FormServed || r == nil {
		return time.Time{}, nil
	}
	leaf := Leaf(r)
	switch {
	case leaf == nil:
		return time.Time{}, nil
	case now.Before(leaf.NotBefore):
		return leaf.NotBefore, material(in.Secret, "the certificate of %s is not valid before %s", in.Secret, leaf.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(leaf.NotAfter):
		return time.Time{}, material(in.Secret, "the certificate of %s has expired at %s", in.Secret, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return time.Time{}, nil
}
