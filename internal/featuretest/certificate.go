package featuretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"
)

// Certificates are an authority and a certificate that it has signed, the same in every run, so that golden files can
// hold them. Every secret of a feature's test has them in its fields, as Vault's PKI engine names these.
type Certificates struct {
	Authority, Chain, Key []byte // PEM
}

// TheCertificates are those of all tests. The certificate is of shop.internal, 127.0.0.1 and spiffe://example.com/shop.
var TheCertificates = sync.OnceValue(func() Certificates {
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the tests"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "shop.internal"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: []string{"shop.internal"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/shop"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signer, key := fixedKey(1), fixedKey(2)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return Certificates{
		Authority: signed(authority, authority, signer, signer), Chain: signed(leaf, authority, key, signer),
		Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
	}
})

func fixedKey(n byte) *ecdsa.PrivateKey {
	raw := make([]byte, 32)
	raw[31] = n
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		panic(err)
	}
	return key
}

// signed signs without a source of randomness: as RFC 6979 says, so that the result is always the same.
func signed(of, by *x509.Certificate, key, signer *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(nil, of, by, &key.PublicKey, signer)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Pair is the certificate for a server or a client.
func (c Certificates) Pair() tls.Certificate {
	pair, err := tls.X509KeyPair(c.Chain, c.Key)
	if err != nil {
		panic(err)
	}
	return pair
}

// Pool trusts the authority.
func (c Certificates) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.Authority)
	return pool
}
