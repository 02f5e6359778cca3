package nomad

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// Config says how to reach one Nomad. What is empty comes from the NOMAD_* environment, which means here what it means
// to Nomad's own tools, then from what Nomad gives a task, then from Nomad's defaults.
type Config struct {
	Name      string   // of the connection, for sources and errors; empty is allowed where there is one
	Addresses []string // http(s)://HOST:PORT or unix:///SOCKET; the first that answers is used
	Region    string   // whose services are listed where a source names none; empty: that of the agent
	Namespace string   // likewise; empty: default
	Token     string
	TokenFile string // re-read when it changes; beats Token
	HTTPAuth  string // USER:PASSWORD of a proxy before Nomad
	TLS       tlsfiles.Config

	Logger hclog.Logger // default: none

	pace pace // zero: as Nomad's own times want it
}

// Getenv is how the environment is read; os.Getenv outside of tests.
type Getenv func(string) string

// identityFile and socketFile are what Nomad puts into the secrets folder of a task.
const (
	identityFile = "nomad_token"
	socketFile   = "api.sock"
)

// WithEnv returns c completed from the environment and the defaults, or what is wrong with it. It sends nothing.
func (c Config) WithEnv(env Getenv) (Config, error) {
	if env == nil {
		env = os.Getenv
	}
	fill := func(dst *string, name string) {
		if *dst == "" {
			*dst = env(name)
		}
	}
	if len(c.Addresses) == 0 {
		c.Addresses = []string{address(env)}
	}
	for _, a := range c.Addresses {
		if _, err := parseTarget(a); err != nil {
			return c, err
		}
	}
	fill(&c.Region, "NOMAD_REGION")
	fill(&c.Namespace, "NOMAD_NAMESPACE")
	fill(&c.HTTPAuth, "NOMAD_HTTP_AUTH")
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.Namespace == "*" {
		return c, fmt.Errorf(`nomad namespace "*": a connection has one namespace, and sources may name others`)
	}
	if c.Token == "" && c.TokenFile == "" {
		c.Token, c.TokenFile = credentials(env)
	}
	c.TLS.Of = "nomad"
	c.TLS = c.TLS.WithEnv(env, "NOMAD")
	if v := env("NOMAD_SKIP_VERIFY"); v != "" {
		skip, err := strconv.ParseBool(v)
		if err != nil {
			return c, fmt.Errorf("read NOMAD_SKIP_VERIFY: %q is no boolean", v)
		}
		c.TLS.Insecure = c.TLS.Insecure || skip
	}
	if err := c.TLS.Check(); err != nil {
		return c, fmt.Errorf("nomad %w", err)
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	c.pace = c.pace.orDefault()
	return c, nil
}

// Configured says whether the environment alone names a Nomad: NOMAD_ADDR, or the task API of a Nomad task.
func Configured(env Getenv) bool {
	if env == nil {
		env = os.Getenv
	}
	return env("NOMAD_ADDR") != "" || env("NOMAD_UNIX_ADDR") != ""
}

// address is NOMAD_ADDR, else the task API's socket, else the local agent.
func address(env Getenv) string {
	if a := env("NOMAD_ADDR"); a != "" {
		return a
	}
	if a := env("NOMAD_UNIX_ADDR"); a != "" {
		return a
	}
	if dir := env("NOMAD_SECRETS_DIR"); dir != "" {
		socket := filepath.Join(dir, socketFile)
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket
		}
	}
	return "http://127.0.0.1:4646"
}

// credentials are NOMAD_TOKEN, or the file in which Nomad renews a task's identity. The environment of a task has the
// identity that it began with; the file has that of now.
func credentials(env Getenv) (token, file string) {
	token = env("NOMAD_TOKEN")
	dir := env("NOMAD_SECRETS_DIR")
	if dir == "" || token != "" && !isIdentity(token) {
		return token, ""
	}
	file = filepath.Join(dir, identityFile)
	if _, err := os.Stat(file); err != nil {
		return token, ""
	}
	return "", file
}

// isIdentity says that a token is the identity of a workload, a JWT. ACL tokens have no dots.
func isIdentity(token string) bool { return strings.Count(token, ".") == 2 }

// target is one address of a Nomad, parsed.
type target struct {
	scheme string // http or https
	host   string // host:port; "localhost" for a socket
	path   string // prefix of a reverse proxy, without a final slash
	socket string // of a unix address
	user   *url.Userinfo
}

// parseTarget reads an address as Nomad's tools do.
func parseTarget(address string) (target, error) {
	u, err := url.Parse(address)
	if err != nil {
		return target{}, fmt.Errorf("nomad address: it is no URL such as http://127.0.0.1:4646")
	}
	switch u.Scheme {
	case "unix":
		// A relative socket has its first folder where a host would be.
		return target{scheme: "http", host: "localhost", socket: u.Host + u.Path}, nil
	case "http", "https":
		if u.Host != "" {
			return target{scheme: u.Scheme, host: u.Host, path: strings.TrimSuffix(u.Path, "/"), user: u.User}, nil
		}
	}
	return target{}, fmt.Errorf("nomad address %q: it begins with http://, https:// or unix://", u.Redacted())
}
