package testenv

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestVaultMakesKeysOfAWS(t *testing.T) {
	a := StartAWS(t)
	EachVault(t, func(t *testing.T, p VaultProduct) {
		v := StartVault(t, VaultOptions{Product: p})
		v.UseAWS(a)
		v.Write("aws/roles/user", map[string]any{"credential_type": "iam_user", "policy_document": Allow("*", "*")})
		made := v.Read("aws/creds/user")
		key := &AWSKey{ID: made["access_key"].(string), Secret: made["secret_key"].(string)}
		caller := sts.NewFromConfig(a.Config(key))
		if _, err := caller.GetCallerIdentity(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if err := v.Client().Sys().RevokePrefix("aws/creds/user"); err != nil {
			t.Fatal(err)
		}
		if _, err := caller.GetCallerIdentity(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("the key of a lease that was revoked: %v", err)
		}
		v.Write("aws/roles/assumed", map[string]any{
			"credential_type": "assumed_role", "role_arns": a.CreateRole("assumed-"+string(p), Allow("*", "*")),
		})
		made = v.Read("aws/creds/assumed")
		key = &AWSKey{ID: made["access_key"].(string), Secret: made["secret_key"].(string), Session: made["security_token"].(string)}
		if _, err := sts.NewFromConfig(a.Config(key)).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestVaultTrustsIdentitiesOfAWS(t *testing.T) {
	a := StartAWS(t)
	key := a.CreateUser("gateway", "")
	EachVault(t, func(t *testing.T, p VaultProduct) {
		v := StartVault(t, VaultOptions{Product: p})
		v.TrustAWS(a, "gateway", "arn:aws:iam::"+a.Account+":user/gateway", "vault.test", "default")
		login := func(key *AWSKey, header string) error {
			body := []byte("Action=GetCallerIdentity&Version=2011-06-15")
			r, err := http.NewRequest(http.MethodPost, a.Endpoint+"/", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			r.Header.Set("X-Vault-AWS-IAM-Server-ID", header)
			sum := sha256.Sum256(body)
			credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
			err = v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "sts", a.Region, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Host", r.URL.Host)
			headers, err := json.Marshal(r.Header)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.ClientWith("").Logical().Write("auth/aws/login", map[string]any{
				"role": "gateway", "iam_http_request_method": "POST",
				"iam_request_url":     base64.StdEncoding.EncodeToString([]byte(r.URL.String())),
				"iam_request_body":    base64.StdEncoding.EncodeToString(body),
				"iam_request_headers": base64.StdEncoding.EncodeToString(headers),
			})
			return err
		}
		if err := login(key, "vault.test"); err != nil {
			t.Error(err)
		}
		if login(key, "other.test") == nil {
			t.Error("a log-in for another server is accepted")
		}
		if login(&AWSKey{ID: key.ID, Secret: "wrong"}, "vault.test") == nil {
			t.Error("a log-in with a wrong signature is accepted")
		}
	})
}
