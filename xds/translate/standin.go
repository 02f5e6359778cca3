package translate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// standInName is what nobody asks for: RFC 6761 keeps the domain from being used.
const standInName = "no-certificate.invalid"

// StandIn takes the place of a certificate, or of authorities, that a listener needs and that are not known, or unfit:
// Envoy answers nobody on a port while one of its certificates is missing, and so one would keep all other names from
// being served. It is sent only to Envoys that have nothing in its place. Nil for every other unit.
//
// The certificate has expired long ago and is of a name that no one asks for, so that no client takes it; its key is
// anybody's. The authority has signed nothing, can sign nothing, and nobody has its key, so that no client is trusted.
func StandIn(in gateway.Inputs) (*Resource, error) {
	if !in.Form.StandsIn() || len(in.Gateways) == 0 {
		return nil, nil
	}
	made, err := standIns()
	if err != nil {
		return nil, fmt.Errorf("make a stand-in for %s: %w", in.Secret, err)
	}
	key := KeyOf(in.Unit)
	s := made.certificate(key.Name)
	if in.Form == gateway.FormClientCA {
		s = made.nobody(key.Name)
	}
	return &Resource{Key: key, Message: s, StandIn: true}, nil
}

// standInParts are PEM.
type standInParts struct{ chain, key, authority []byte }

func (p standInParts) certificate(name string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(p.chain), PrivateKey: inline(p.key),
	}}}
}

func (p standInParts) nobody(name string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(p.authority)},
	}}
}

// standIns makes them, the same on every replica.
var standIns = sync.OnceValues(func() (p standInParts, err error) {
	seed := sha256.Sum256([]byte("sluice: the key of a certificate that stands in; it protects nothing"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		return p, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, err
	}
	lost, err := nobodysKey()
	if err != nil {
		return p, err
	}
	long := func(cn string, names ...string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, DNSNames: names,
			NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC),
			BasicConstraintsValid: true,
		}
	}
	leaf, nobody := long(standInName, standInName), long("sluice trusts nobody")
	server, err := x509.CreateCertificate(nil, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		return p, err
	}
	authority, err := x509.CreateCertificate(nil, nobody, leaf, lost, key)
	if err != nil {
		return p, err
	}
	return standInParts{
		chain:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server}),
		key:       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
		authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority}),
	}, nil
})

// nobodysKey is a point of the curve that was not made from a private key: its first coordinate is a hash.
func nobodysKey() (*ecdsa.PublicKey, error) {
	curve := elliptic.P256().Params()
	for n := byte(0); ; n++ {
		sum := sha256.Sum256([]byte{'s', 'l', 'u', 'i', 'c', 'e', n})
		x := new(big.Int).SetBytes(sum[:])
		if x.Cmp(curve.P) >= 0 {
			continue
		}
		y := new(big.Int).Exp(x, big.NewInt(3), curve.P) // y² = x³ - 3x + b
		y.Sub(y, new(big.Int).Mul(x, big.NewInt(3)))
		y.Add(y, curve.B).Mod(y, curve.P)
		if y.ModSqrt(y, curve.P) == nil {
			continue // half of all hashes are of no point
		}
		raw := make([]byte, 65)
		raw[0] = 4
		x.FillBytes(raw[1:33])
		y.FillBytes(raw[33:])
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	}
}
