package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// JWTLogin makes the token by an auth method of type jwt, with a token that somebody else keeps fresh in a file: a Nomad
// workload identity, say. The Consul token stays in memory. It is replaced before it expires, and when Consul no longer
// knows it; Client.Close gives it back.
type JWTLogin struct {
	Method string // name of the auth method; default "nomad-workloads"
	File   string // default: NOMAD_SECRETS_DIR/nomad_consul_default.jwt; read at each login
}

func (j JWTLogin) withEnv(env Getenv) JWTLogin {
	if j.Method == "" {
		j.Method = "nomad-workloads"
	}
	if dir := env("NOMAD_SECRETS_DIR"); j.File == "" && dir != "" {
		j.File = filepath.Join(dir, "nomad_consul_default.jwt")
	}
	return j
}

const (
	logoutTimeout = 3 * time.Second
	settleTimeout = 5 * time.Second       // until the agent knows a new token
	settleAgain   = 20 * time.Millisecond // between two looks
	unknownToken  = "ACL not found"       // how Consul says that a token has expired or never was
	maxIdentity   = 64 << 10              // bytes of a JWT
)

// refusal is an answer of Consul to a login that is no token.
type refusal struct {
	code int
	said string
}

func (r *refusal) Error() string { return fmt.Sprintf("consul answered %d: %s", r.code, r.said) }

// identity reads the file anew.
func (j JWTLogin) identity() (string, error) {
	f, err := os.Open(j.File)
	if err != nil {
		return "", err // names the path
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIdentity+1))
	switch text := strings.TrimSpace(string(b)); {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", j.File, err)
	case text == "":
		return "", fmt.Errorf("read %s: it is empty", j.File)
	case len(b) > maxIdentity:
		return "", fmt.Errorf("read %s: it is larger than %d bytes", j.File, maxIdentity)
	default:
		return text, nil
	}
}

// exchange changes an identity for a token, and waits until the agent knows it. life is 0 for one that does not expire.
func (l *login) exchange(ctx context.Context, identity string) (token string, life time.Duration, err error) {
	body, err := json.Marshal(api.ACLLoginParams{
		AuthMethod: l.how.Method, BearerToken: identity, Meta: map[string]string{"made-by": "sluice"},
	})
	if err != nil {
		return "", 0, err
	}
	var made api.ACLToken
	err = l.call(ctx, http.MethodPost, "/v1/acl/login", "", body, &made)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		refused.said = strings.ReplaceAll(refused.said, identity, "(the identity)")
	}
	if err != nil {
		return "", 0, err
	}
	if made.SecretID == "" {
		return "", 0, &refusal{http.StatusOK, "the answer has no token"}
	}
	if made.ExpirationTime != nil { // by Consul's clock alone
		life = max(made.ExpirationTime.Sub(made.CreateTime), time.Second)
	}
	l.settle(ctx, made.SecretID)
	return made.SecretID, life, nil
}

// settle waits until the servers that answer reads have the token as well. One that is not known in time is used all the
// same: what is refused is asked for again.
func (l *login) settle(ctx context.Context, token string) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		err := l.call(ctx, http.MethodGet, "/v1/acl/token/self", token, nil, nil)
		refused := (*refusal)(nil)
		if !errors.As(err, &refused) || !strings.Contains(refused.said, unknownToken) || sleep(ctx, settleAgain) != nil {
			return
		}
	}
}

// logout gives a token back. One that is not known any more is fine.
func (l *login) logout(ctx context.Context, token string) error {
	err := l.call(ctx, http.MethodPost, "/v1/acl/logout", token, nil, nil)
	if refused := (*refusal)(nil); errors.As(err, &refused) && strings.Contains(refused.said, unknownToken) {
		return nil
	}
	return err
}

// call sends one request with a token, or none. An answer other than 200 is a refusal.
func (l *login) call(ctx context.Context, method, path, token string, body []byte, into any) error {
	at := url.URL{Scheme: "http", Host: "127.0.0.1", Path: path} // the transport decides where it goes
	ask := url.Values{}
	for name, value := range map[string]string{"dc": l.cfg.Datacenter, "ns": l.cfg.Namespace, "partition": l.cfg.Partition} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	at.RawQuery = ask.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(tokenHeader, noToken)
	if user, password, _ := strings.Cut(l.cfg.HTTPAuth, ":"); user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := l.send(req, token)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode != http.StatusOK:
		said := strings.Join(strings.Fields(string(text)), " ")
		return &refusal{resp.StatusCode, said[:min(len(said), 300)]}
	case err != nil:
		return err
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &refusal{resp.StatusCode, "not the JSON of a token"} // the text may hold one
	}
	return nil
}
