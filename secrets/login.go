package secrets

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// maxFile bounds tokens and secrets in files.
const maxFile = 256 << 10

// login makes a new session.
func (c *conn) login(ctx context.Context) (*session, error) {
	a := c.cfg.Auth
	switch {
	case a.AppRole != nil:
		return c.loginAppRole(ctx, a.AppRole)
	case a.JWT != nil:
		return c.loginJWT(ctx, a.JWT)
	case a.AWS != nil:
		return c.loginAWS(ctx, a.AWS)
	case a.Cert != nil:
		return c.loginAt(ctx, a.Cert.Mount, map[string]any{"name": a.Cert.Role})
	case a.TokenFile != "":
		t, err := readFile(a.TokenFile)
		if err != nil {
			return nil, err
		}
		return c.useToken(ctx, t)
	}
	return c.useToken(ctx, a.Token)
}

// files are those that a login reads.
func (a Auth) files() []string {
	var out []string
	for _, f := range []string{a.TokenFile} {
		if f != "" {
			out = append(out, f)
		}
	}
	if r := a.AppRole; r != nil {
		for _, f := range []string{r.RoleIDFile, r.SecretIDFile} {
			if f != "" {
				out = append(out, f)
			}
		}
	}
	if j := a.JWT; j != nil {
		out = append(out, j.File)
	}
	return out
}

// readFile reads a small text without the space around it. An empty file is half a rotation, and an error.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", refusedf("%v", err) // names the path alone
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch text := strings.TrimSpace(string(b)); {
	case err != nil:
		return "", refusedf("%v", err)
	case len(b) > maxFile:
		return "", refusedf("read %s: it is larger than %d bytes", path, maxFile)
	case text == "":
		return "", refusedf("read %s: it is empty", path)
	default:
		return text, nil
	}
}

// useToken takes a token that somebody else has made.
func (c *conn) useToken(ctx context.Context, text string) (*session, error) {
	client, err := c.client(text)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, refusedf("the token holds a space, or what no token holds")
	}
	found, err := c.lookup(ctx, client)
	if err != nil {
		return nil, err
	}
	s := &session{client: client, born: time.Now(), renewable: found.renewable, full: found.ttl}
	s.lives(found.ttl)
	return s, nil
}

// loginAt logs in at an auth method.
func (c *conn) loginAt(ctx context.Context, mount string, body map[string]any) (*session, error) {
	client, err := c.client("")
	if err != nil {
		return nil, err
	}
	path := clean("auth", mount, "login")
	for k, v := range body {
		if v == "" {
			delete(body, k)
		}
	}
	s, err := c.once(ctx, "write "+path, client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, path, body)
	})
	if err != nil {
		return nil, err
	}
	if s.Auth == nil || s.Auth.ClientToken == "" || s.Auth.LeaseDuration < 0 {
		return nil, &problem{kind: unreachable, text: "write " + path + ": the answer has no token"}
	}
	client.SetToken(s.Auth.ClientToken)
	ttl := time.Duration(s.Auth.LeaseDuration) * time.Second
	out := &session{client: client, born: time.Now(), renewable: s.Auth.Renewable, full: ttl}
	out.lives(ttl)
	if out.blind = c.denied(ctx, client); out.blind {
		c.log.Warn("the token may not look at itself, so a revoked one is noticed late", "need", `path "auth/token/lookup-self" { capabilities = ["read"] }`)
	}
	return out, nil
}

// denied says that a token may not look at itself, or, asked later, that Vault does not know it.
func (c *conn) denied(ctx context.Context, client *api.Client) bool {
	_, err := c.lookup(ctx, client)
	if statusOf(err) == 403 && sleep(ctx, catchUpIn) {
		_, err = c.lookup(ctx, client)
	}
	return statusOf(err) == 403
}

func (c *conn) loginJWT(ctx context.Context, j *JWT) (*session, error) {
	text, err := readFile(j.File)
	if err != nil {
		return nil, err
	}
	return c.loginAt(ctx, j.Mount, map[string]any{"role": j.Role, "jwt": text})
}

func (c *conn) loginAppRole(ctx context.Context, r *AppRole) (*session, error) {
	role := r.RoleID
	if r.RoleIDFile != "" {
		text, err := readFile(r.RoleIDFile)
		if err != nil {
			return nil, err
		}
		role = text
	}
	secret := ""
	if r.SecretIDFile != "" {
		text, err := readFile(r.SecretIDFile)
		if err != nil {
			if !r.Wrapped || c.unwrapped.secret == "" { // who delivered the wrapping token may have taken it away
				return nil, err
			}
		}
		if secret = text; r.Wrapped {
			if secret, err = c.unwrap(ctx, text, clean("auth", r.Mount, "role")); err != nil {
				return nil, err
			}
		}
	}
	return c.loginAt(ctx, r.Mount, map[string]any{"role_id": role, "secret_id": secret})
}

// wrapped is what a wrapping token held. Such a token works once.
type wrapped struct {
	token  [sha256.Size]byte
	secret string
}

// unwrap gives the secret_id in a wrapping token, once taken from memory. A token that does not come from a role of the
// mount is refused: somebody may have put his own in its place.
func (c *conn) unwrap(ctx context.Context, text, below string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	if c.unwrapped.secret != "" && (text == "" || c.unwrapped.token == sum) {
		return c.unwrapped.secret, nil
	}
	client, err := c.client("")
	if err != nil {
		return "", err
	}
	found, err := c.once(ctx, "look at the wrapping token", client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, "sys/wrapping/lookup", map[string]any{"token": text})
	})
	if err != nil {
		return "", err
	}
	from, _ := found.Data["creation_path"].(string)
	if !strings.HasPrefix(from, below+"/") || !strings.HasSuffix(from, "/secret-id") {
		return "", refusedf("the wrapping token was not made by a secret-id of %s: it may have been replaced", below)
	}
	client.SetToken(text)
	s, err := c.once(ctx, "unwrap the secret_id", client, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, "sys/wrapping/unwrap", nil)
	})
	if err != nil {
		return "", err
	}
	secret, _ := s.Data["secret_id"].(string)
	if secret == "" {
		return "", refusedf("the wrapping token holds no secret_id")
	}
	c.unwrapped = wrapped{token: sum, secret: secret}
	return secret, nil
}

// String names the way to log in, and nothing that it holds.
func (a Auth) String() string { return fmt.Sprintf("login by %s", a.Method()) }

// GoString is String.
func (a Auth) GoString() string { return a.String() }
