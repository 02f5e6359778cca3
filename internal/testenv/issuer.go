package testenv

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Issuer signs workload identities as a Nomad server does, and shows its key at a JWKS address. It ends with the test.
type Issuer struct {
	JWKS string // URL of the keys
	PEM  string // the public key

	t   testing.TB
	key *rsa.PrivateKey
}

// StartIssuer makes a key and serves it.
func StartIssuer(t testing.TB) *Issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("make the issuer's key: %v", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatalf("write the issuer's key: %v", err)
	}
	i := &Issuer{t: t, key: key, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one",
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}}})
	if err != nil {
		t.Fatalf("write the issuer's keys: %v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(set) // a client that has gone misses nothing
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.JWKS = s.URL + "/.well-known/jwks.json"
	return i
}

// Workload signs the identity of a task, for an audience and a while.
func (i *Issuer) Workload(namespace, job, task, audience string, life time.Duration) string {
	i.t.Helper()
	now := time.Now().Unix()
	return i.Sign(map[string]any{
		"aud": audience, "iat": now, "nbf": now, "exp": now + int64(life.Seconds()), "jti": rand.Text(),
		"sub":             fmt.Sprintf("global:%s:%s:%s:%s:an-identity", namespace, job, task, task),
		"nomad_namespace": namespace, "nomad_job_id": job, "nomad_task": task, "nomad_allocation_id": rand.Text(),
	})
}

// Sign signs claims.
func (i *Issuer) Sign(claims map[string]any) string {
	i.t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			i.t.Fatalf("write a part of an identity: %v", err)
		}
		return encode(b)
	}
	text := part(map[string]string{"alg": "RS256", "typ": "JWT", "kid": "one"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		i.t.Fatalf("sign an identity: %v", err)
	}
	return text + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
