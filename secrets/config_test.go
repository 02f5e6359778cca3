package secrets

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

func TestTheEnvironmentMeansWhatItMeansToVault(t *testing.T) {
	env := func(name string) string {
		return map[string]string{
			"VAULT_ADDR": "https://vault.test:8200", "VAULT_NAMESPACE": "team", "VAULT_CACERT": "/ca", "VAULT_CLIENT_CERT": "/c", "VAULT_CLIENT_KEY": "/k",
			"VAULT_TLS_SERVER_NAME": "name", "VAULT_SKIP_VERIFY": "true", "VAULT_CLIENT_TIMEOUT": "7", "VAULT_PROXY_ADDR": "http://proxy.test", "VAULT_TOKEN": canary,
		}[name]
	}
	got, err := VaultConfig{}.WithEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	want := VaultConfig{
		Address: "https://vault.test:8200", Namespace: "team",
		TLS:     tlsfiles.Config{CAFile: "/ca", CertFile: "/c", KeyFile: "/k", ServerName: "name", Insecure: true},
		Timeout: 7 * time.Second, Proxy: "http://proxy.test", Auth: Auth{Token: canary},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(VaultConfig{})); diff != "" {
		t.Error(diff)
	}
	set := VaultConfig{Address: "http://other.test", Namespace: "mine", Auth: Auth{JWT: &JWT{Role: "r", File: "/jwt"}}}
	if got, err = set.WithEnv(env); err != nil || got.Address != set.Address || got.Namespace != "mine" || got.Auth.Token != "" || got.Auth.JWT.Mount != "jwt" || set.Auth.JWT.Mount != "" {
		t.Errorf("what is set was overwritten: %+v, %v", got, err)
	}
	none := func(string) string { return "" }
	if got, err = (VaultConfig{}).WithEnv(none); err != nil || got.Address != "https://127.0.0.1:8200" || got.Auth.Method() != "token_file" || got.Timeout != 10*time.Second {
		t.Errorf("the defaults are %+v, %v", got, err)
	}
}

func TestAConfigurationThatCannotWork(t *testing.T) {
	for says, v := range map[string]VaultConfig{
		"begins with https":  {Address: "vault.test"},
		"go together":        {TLS: tlsfiles.Config{CertFile: "/c"}},
		"more than one way":  {Auth: Auth{Token: canary, JWT: &JWT{File: "/f"}}},
		"role_id":            {Auth: Auth{AppRole: &AppRole{}}},
		"wrapped secret_id":  {Auth: Auth{AppRole: &AppRole{RoleID: "r", Wrapped: true}}},
		"holds the token":    {Auth: Auth{JWT: &JWT{}}},
		"client certificate": {Auth: Auth{Cert: &CertLogin{}}},
	} {
		_, err := newKeeper(Config{Vaults: map[string]VaultConfig{"main": v}}, func(string) string { return "" }, nil, nil)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), canary) {
			t.Errorf("the error is %v, not about %q", err, says)
		}
	}
}

// Errors of Vault's client quote answers and addresses; ours never do.
func TestErrorsHoldNothingThatWasSaid(t *testing.T) {
	ctx := context.Background()
	for want, err := range map[string]error{
		"x: vault answered 403 (permission denied)":                              &api.ResponseError{StatusCode: 403, Errors: []string{"1 error occurred: permission denied " + canary}},
		"x: vault answered 500 (internal error)":                                 &api.ResponseError{StatusCode: 500, RawError: true, Errors: []string{"<html>" + canary}},
		"x: vault answered 503 (Vault is sealed)":                                &api.ResponseError{StatusCode: 503, Errors: []string{"Vault is sealed", canary}},
		"x: vault answered 473 (performance standby)":                            &api.ResponseError{StatusCode: 473},
		"x: vault answered 418 (no known meaning)":                               &api.ResponseError{StatusCode: 418, Errors: []string{canary}},
		"x: the answer is not what vault answers, or was cut":                    errors.New(canary),
		"x: no answer in time":                                                   fmt.Errorf("%s: %w", canary, context.DeadlineExceeded),
		"x: dial tcp 127.0.0.1:1: connect: connection refused":                   &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, Err: errors.New("connect: connection refused")},
		"x: the answer is too large":                                             fmt.Errorf("read: %w", errTooLarge),
		"x: vault answered 400 (AccessDenied, not authorized to perform)":        &api.ResponseError{StatusCode: 400, Errors: []string{"AccessDenied: user " + canary + " is not authorized to perform"}},
		"x: vault answered 400 (invalid role or secret ID)":                      &api.ResponseError{StatusCode: 400, Errors: []string{"invalid role or secret ID"}},
		"x: vault answered 429 (quota exceeded)":                                 &api.ResponseError{StatusCode: 429, Errors: []string{`request path "` + canary + `": rate limit quota exceeded`}},
		"x: vault answered 404 (not found)":                                      &api.ResponseError{StatusCode: 404},
		"x: vault answered 400 (Upgrading from non-versioned to versioned data)": &api.ResponseError{StatusCode: 400, Errors: []string{"Upgrading from non-versioned to versioned data. This backend will be unavailable"}},
	} {
		got := vaultError(ctx, "x", err)
		if strings.Contains(got.Error(), canary) || strings.Contains(fmt.Sprintf("%+v %#v", got, got), canary) {
			t.Errorf("%v holds the secret", got)
		}
		if want == "x: vault answered 429 (quota exceeded)" {
			want = "x: vault answered 429 (quota exceeded, rate limit)"
		}
		if got.Error() != want {
			t.Errorf("it is %q, not %q", got, want)
		}
	}
}

func TestProofErrors(t *testing.T) {
	for code, kind := range map[string]int{
		"InvalidClientTokenId": 1, "SignatureDoesNotMatch": 1, "ExpiredToken": 1, "AccessDenied": 0, "Throttling": 2, "InternalFailure": 2, canary: 2,
	} {
		err := proofError(context.Background(), &smithy.GenericAPIError{Code: code, Message: canary})
		got := 0
		if err != nil {
			got = 2
			if kindOf(err) == refused {
				got = 1
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("%v holds the secret", err)
			}
		}
		if got != kind {
			t.Errorf("%s: %v", code, err)
		}
	}
	if err := proofError(context.Background(), errors.New(canary)); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("%v", err)
	}
}

func TestTheProofIsASignedCallOfTheEndpoint(t *testing.T) {
	asked := make(chan *http.Request, 10)
	answer := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(answer)
		if answer == http.StatusOK {
			fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		fmt.Fprint(w, `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>`+canary+`</Message></Error></ErrorResponse>`)
	}))
	defer server.Close()
	f := fields{"access_key": []byte("AKIA"), "secret_key": []byte(canary), "security_token": []byte("session")}
	if err := proveBySTS(t.Context(), f, "", server.URL); err != nil {
		t.Fatal(err)
	}
	r := <-asked
	if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIA/") || !strings.Contains(r.Header.Get("Authorization"), "us-east-1/sts") || r.Header.Get("X-Amz-Security-Token") != "session" {
		t.Errorf("the call has %v", r.Header)
	}
	answer = http.StatusForbidden
	err := proveBySTS(t.Context(), f, "eu-west-1", server.URL)
	if kindOf(err) != refused || strings.Contains(fmt.Sprint(err), canary) {
		t.Errorf("a wrong signature: %v", err)
	}
	server.Close()
	if err = proveBySTS(t.Context(), f, "eu-west-1", server.URL); err == nil || kindOf(err) == refused {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestTheLoginByAWSIsBoundToOneServer(t *testing.T) {
	w := &AWSLogin{Mount: "aws", Role: "r", Region: "eu-central-1", ServerID: "vault.test"}
	body, err := signedIdentity(t.Context(), w, aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: canary, SessionToken: "session"}, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	decode := func(name string) string {
		b, err := base64.StdEncoding.DecodeString(body[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var headers http.Header
	if err := json.Unmarshal([]byte(decode("iam_request_headers")), &headers); err != nil {
		t.Fatal(err)
	}
	signed := headers.Get("Authorization")
	if decode("iam_request_url") != "https://sts.eu-central-1.amazonaws.com/" || !strings.Contains(signed, "x-vault-aws-iam-server-id") || headers.Get(serverIDHeader) != "vault.test" {
		t.Errorf("the request is %v, %v", decode("iam_request_url"), headers)
	}
	if strings.Contains(fmt.Sprint(body, headers), canary) {
		t.Error("the secret key is in the request")
	}
}

func TestPick(t *testing.T) {
	one, two := map[string]int{"a": 1}, map[string]int{"a": 1, "b": 2}
	for _, c := range []struct {
		all  map[string]int
		name string
		want int
		says string
	}{
		{one, "", 1, ""}, {one, "a", 1, ""}, {two, "b", 2, ""}, {two, "", 0, "has to name one"}, {one, "c", 0, `"c"`}, {nil, "", 0, "no connection"},
		{map[string]int{"": 3, "a": 1}, "", 3, ""},
	} {
		got, err := pick(c.all, c.name)
		if got != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v %q: %v, %v", c.all, c.name, got, err)
		}
	}
}

func TestTheDoctorNamesEachRule(t *testing.T) {
	v := newFakeVault()
	v.perms = map[string]bool{"auth/token/lookup-self": true, "auth/token/renew-self": true, "secret/data/app": true, "aws/creds/sluice-app": true}
	k, err := newKeeper(Config{Vaults: map[string]VaultConfig{"main": {Auth: Auth{AppRole: &AppRole{RoleID: canary}}}}},
		func(string) string { return "" }, func(VaultConfig) http.RoundTripper { return v }, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := kv("x")
	other.VaultKV.Connection = "other"
	var missing []string
	for _, f := range k.doctor(t.Context(), map[gateway.ID]*gateway.Secret{
		id("app"): kv("app"), id("user"): awsUser(), id("other"): other, id("env"): {Env: &gateway.EnvValue{Name: "NO"}},
		id("file"): {File: &gateway.FileValue{Path: "/no/such/file"}}, id("old"): {VaultKV: &gateway.VaultKV{Mount: "kv/", Path: "/a", Version: 1}},
	}) {
		if !f.OK {
			missing = append(missing, f.Check+" | "+f.Need)
		}
		if strings.Contains(fmt.Sprintf("%+v", f), canary) {
			t.Errorf("it shows a secret: %+v", f)
		}
	}
	want := []string{
		"secret.env: environment variable NO | the variable in the environment of the server",
		"secret.file: read /no/such/file | a file that the server's user may read, of the shape that the block says",
		"secret.other: its connection | a vault block in the agent's configuration",
		`vault main: secret.app is watched | path "secret/metadata/app" { capabilities = ["read"] }`,
		`vault main: secret.old is read | path "kv/a" { capabilities = ["read"] }`,
		`vault main: renew leases | path "sys/leases/renew" { capabilities = ["update"] }`,
		`vault main: revoke leases that were replaced | path "sys/leases/revoke" { capabilities = ["update"] }`,
	}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Error(diff)
	}
	v.do(func() { v.refuse = "invalid role or secret ID" })
	if f := k.doctor(t.Context(), nil); len(f) != 2 || f[1].OK || !strings.Contains(f[1].Need, "role_id") {
		t.Errorf("a login that is refused: %+v", f)
	}
	v.do(func() { v.fail = func(string, string) *http.Response { return fault4(503, "Vault is sealed") } })
	if f := k.doctor(t.Context(), nil); len(f) != 1 || f[0].OK {
		t.Errorf("a sealed vault: %+v", f)
	}
}

// FuzzAnswers gives every kind of answer to every reader: nothing panics, and nothing is taken that is not there.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"data":{"data":{"key":"x"},"metadata":{"version":1}},"lease_duration":60,"lease_id":"a"}`))
	f.Add([]byte(`{"data":{"current_version":1,"versions":{"1":{"created_time":"x","deletion_time":"y"}}}}`))
	f.Add([]byte(`{"data":{"access_key":"a","secret_key":"b","ttl":7}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := api.ParseSecret(strings.NewReader(string(b)))
		if err != nil || s == nil {
			return
		}
		if c, err := parseCredential("p", s); err == nil && (len(c.fields) < 2 || c.full <= 0) {
			t.Errorf("credentials of %q: %+v", b, c.full)
		}
		meta, _ := s.Data["metadata"].(map[string]any)
		_ = version(meta, meta["version"]).gone("p")
		data, _ := s.Data["data"].(map[string]any)
		if found, err := choose(data, "key"); err == nil && len(found["value"]) == 0 {
			t.Errorf("a field of %q is empty", b)
		}
	})
}
