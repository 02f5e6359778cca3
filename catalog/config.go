package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// Config says how to reach one Consul. What is empty comes from the CONSUL_HTTP_* environment, which means here what
// it means to Consul's own tools, then from Consul's defaults.
type Config struct {
	Name       string   // of the connection, for sources and status; empty is allowed where there is one
	Addresses  []string // host:port, http(s)://host:port/path or unix:///socket; the first that answers is used
	Scheme     string   // http or https, for addresses that name none
	Token      string
	TokenFile  string          // re-read when it changes; beats Token
	Login      *JWTLogin       // instead of a token
	HTTPAuth   string          // USER:PASSWORD of a proxy before Consul
	TLS        tlsfiles.Config // read at each handshake
	Namespace  string
	Partition  string
	Datacenter string
	Prefix     string // of everything that sluice keeps in KV; default "sluice/", must end in "/"

	ConnectService string // who sluice is in the service mesh; default "sluice"

	Wait time.Duration // longest blocking query on a service; default 5m, at most 10m. All others take a minute at most
	Hold time.Duration // how long the loss of a whole list is held before it counts; default 60s

	Logger hclog.Logger // default: none
}

// Getenv is how the environment is read; os.Getenv outside of tests.
type Getenv func(string) string

// WithEnv returns c completed from the environment and the defaults, or what is wrong with it. It does no I/O.
func (c Config) WithEnv(env Getenv) (Config, error) {
	if env == nil {
		env = os.Getenv
	}
	fill := func(dst *string, name string) {
		if *dst == "" {
			*dst = env(name)
		}
	}
	if a := env("CONSUL_HTTP_ADDR"); len(c.Addresses) == 0 && a != "" {
		c.Addresses = []string{a}
	}
	if c.Login != nil {
		if c.Token != "" || c.TokenFile != "" {
			return c, errors.New("consul: there is more than one way to get a token; keep one")
		}
		how := c.Login.withEnv(env)
		if how.File == "" {
			return c, errors.New("consul auth jwt: it needs the file that holds the identity")
		}
		c.Login = &how
	} else if c.Token == "" && c.TokenFile == "" { // a file of the environment beats its token, as it does for Consul's tools
		fill(&c.TokenFile, "CONSUL_HTTP_TOKEN_FILE")
		fill(&c.Token, "CONSUL_HTTP_TOKEN")
	}
	fill(&c.HTTPAuth, "CONSUL_HTTP_AUTH")
	fill(&c.Namespace, "CONSUL_NAMESPACE")
	fill(&c.Partition, "CONSUL_PARTITION")
	c.TLS = c.TLS.WithEnv(env, "CONSUL")
	ssl, err := envBool(env, "CONSUL_HTTP_SSL", false)
	if err != nil {
		return c, err
	}
	verify, err := envBool(env, "CONSUL_HTTP_SSL_VERIFY", true)
	if err != nil {
		return c, err
	}
	if c.Scheme == "" {
		c.Scheme = "http"
		if ssl {
			c.Scheme = "https"
		}
	}
	c.TLS.Insecure = c.TLS.Insecure || !verify
	return c.defaults()
}

func (c Config) defaults() (Config, error) {
	if len(c.Addresses) == 0 {
		c.Addresses = []string{"127.0.0.1:8500"}
	}
	if c.Prefix == "" {
		c.Prefix = "sluice/"
	}
	if !strings.HasSuffix(c.Prefix, "/") || strings.HasPrefix(c.Prefix, "/") {
		return c, fmt.Errorf("consul prefix %q: it must end in a slash and not begin with one", c.Prefix)
	}
	if c.ConnectService == "" {
		c.ConnectService = "sluice"
	}
	if strings.ContainsAny(c.ConnectService, "/?#") {
		return c, fmt.Errorf("consul connect service %q: it is no name of a service", c.ConnectService)
	}
	if c.Wait == 0 {
		c.Wait = 5 * time.Minute
	}
	if c.Wait < 0 || c.Wait > 10*time.Minute {
		return c, fmt.Errorf("consul wait %s: at most 10m", c.Wait)
	}
	if c.Hold == 0 {
		c.Hold = time.Minute
	}
	if err := c.TLS.Check(); err != nil {
		return c, fmt.Errorf("consul %w", err)
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c, nil
}

func envBool(env Getenv, name string, otherwise bool) (bool, error) {
	v := env(name)
	if v == "" {
		return otherwise, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("read %s: %q is no boolean", name, v)
	}
	return b, nil
}

// target is one address of a Consul, parsed.
type target struct {
	scheme string // http or https
	host   string // host:port; "localhost" for a socket
	path   string // prefix of a reverse proxy, without a final slash
	socket string // of a unix address
}

// parseTarget reads an address as Consul's tools do. An address that says http does not undo an https scheme.
func parseTarget(address, scheme string) (target, error) {
	if scheme != "http" && scheme != "https" {
		return target{}, fmt.Errorf("consul scheme %q: http or https", scheme)
	}
	kind, rest, ok := strings.Cut(address, "://")
	if !ok {
		kind, rest = scheme, address
	}
	switch kind {
	case "unix":
		return target{scheme: scheme, host: "localhost", socket: rest}, nil
	case "http", "https":
		if kind == "https" {
			scheme = kind
		}
		u, err := url.Parse(scheme + "://" + rest)
		if err != nil || u.Host == "" {
			return target{}, fmt.Errorf("consul address %q: not an address", address)
		}
		host := u.Host
		if u.Port() == "" { // Consul's tools leave the port to the scheme
			host = u.Hostname()
		}
		return target{scheme: scheme, host: host, path: strings.TrimSuffix(u.Path, "/")}, nil
	}
	return target{}, fmt.Errorf("consul address %q: unknown scheme %q", address, kind)
}
