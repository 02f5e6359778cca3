package secrets

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// Config says where secrets come from and who is told about them.
type Config struct {
	// Vaults are the connections by name. A secret that names none takes the one called "", or the only one. With no
	// Vaults at all, VAULT_ADDR or VAULT_AGENT_ADDR make the connection "".
	Vaults map[string]VaultConfig

	// Publish is told the versions of secrets that changed: "" is a secret that has expired for good, what is missing
	// has no news. It is called from Run, one call at a time, after Reveal gives the new material; Run waits for it.
	Publish func(versions map[gateway.ID]string)

	// Mesh finds who watches the identity that a connection gives to sluice in its service mesh. Nil: nobody does.
	Mesh func(connection string) (Watch, error)

	Log     hclog.Logger          // default: none
	Metrics prometheus.Registerer // default: none

	Grace  time.Duration // how long a secret that nobody names any more is kept, with its lease; default 5m
	Flight time.Duration // how long what was replaced stays usable once every Envoy has what came after it; default 30s
	Limit  time.Duration // how long it does while some Envoy has not: then its lease is revoked all the same; default 30m
	Settle time.Duration // between the two proofs of a new IAM user; default 5s

	// Visit is for a process that only looks: what it leased is given back when Run ends, and its logins with it. A
	// wrapped secret_id, which can be taken once, it leaves alone.
	Visit bool
}

// VaultConfig is one Vault, or anything with its API. What is empty comes from the VAULT_* environment, which means
// here what it means to Vault's own command, then from Vault's defaults.
type VaultConfig struct {
	Address   string // https://HOST:PORT, unix:///SOCKET
	Namespace string
	TLS       tlsfiles.Config // read at each handshake; with Auth.Cert its certificate is what logs in
	Proxy     string          // URL of an HTTP proxy; default: HTTPS_PROXY and its kin
	Timeout   time.Duration   // of one request; default 10s
	Auth      Auth
}

// Auth is how to log in; at most one is set. With none it is VAULT_TOKEN, else the token that `vault login` has left in
// the home directory.
type Auth struct {
	Token     string
	TokenFile string // read again when it changes, as the sink of a Vault agent
	AppRole   *AppRole
	JWT       *JWT
	AWS       *AWSLogin
	Cert      *CertLogin
}

// AppRole logs in with a role and its secret.
type AppRole struct {
	Mount        string // default "approle"
	RoleID       string // or RoleIDFile
	RoleIDFile   string
	SecretIDFile string // may be empty for a role that needs no secret; read at each login
	Wrapped      bool   // the file holds a wrapping token; what it wraps is taken once and kept in memory
}

// JWT logs in with a token that somebody else keeps fresh in a file: a Nomad workload identity, or a Kubernetes service
// account with Mount "kubernetes".
type JWT struct {
	Mount string // default "jwt"
	Role  string // may be empty: the method's default role
	File  string // default: NOMAD_SECRETS_DIR/nomad_vault_default.jwt
}

// AWSLogin logs in with a signed sts:GetCallerIdentity, made with the credentials that the AWS SDK finds.
type AWSLogin struct {
	Mount    string // default "aws"
	Role     string // may be empty: Vault takes the name of the IAM principal
	Region   string // of the endpoint that is signed for; default us-east-1
	Endpoint string // instead of that region's
	ServerID string // value of X-Vault-AWS-IAM-Server-ID; needed where Vault asks for one
}

// CertLogin logs in with the client certificate of the connection.
type CertLogin struct {
	Mount string // default "cert"
	Role  string // may be empty: any that the certificate fits
}

// Getenv is how the environment is read; os.Getenv outside of tests.
type Getenv func(string) string

const (
	defaultGrace   = 5 * time.Minute
	defaultFlight  = 30 * time.Second
	defaultLimit   = 30 * time.Minute
	defaultSettle  = 5 * time.Second
	defaultTimeout = 10 * time.Second
)

func (c Config) withEnv(env Getenv) (Config, error) {
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Publish == nil {
		c.Publish = func(map[gateway.ID]string) {}
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.Flight == 0 {
		c.Flight = defaultFlight
	}
	if c.Limit == 0 {
		c.Limit = defaultLimit
	}
	if c.Settle == 0 {
		c.Settle = defaultSettle
	}
	if len(c.Vaults) == 0 && (env("VAULT_ADDR") != "" || env("VAULT_AGENT_ADDR") != "") {
		c.Vaults = map[string]VaultConfig{"": {}}
	}
	vaults := make(map[string]VaultConfig, len(c.Vaults))
	for name, v := range c.Vaults {
		v, err := v.WithEnv(env)
		if err != nil {
			return c, fmt.Errorf("vault %q: %w", name, err)
		}
		vaults[name] = v
	}
	c.Vaults = vaults
	return c, nil
}

// WithEnv returns v completed from the environment and the defaults, or what is wrong with it. env may be nil. Of all
// files it reads none but the token of `vault login`, and that only later.
func (v VaultConfig) WithEnv(env Getenv) (VaultConfig, error) {
	if env == nil {
		env = os.Getenv
	}
	fill := func(dst *string, names ...string) {
		for _, n := range names {
			if *dst == "" {
				*dst = env(n)
			}
		}
	}
	fill(&v.Address, "VAULT_AGENT_ADDR", "VAULT_ADDR")
	fill(&v.Namespace, "VAULT_NAMESPACE")
	v.TLS = v.TLS.WithEnv(env, "VAULT")
	fill(&v.Proxy, "VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY")
	if s := env("VAULT_SKIP_VERIFY"); s != "" && !v.TLS.Insecure {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return v, fmt.Errorf("read VAULT_SKIP_VERIFY: it is no boolean")
		}
		v.TLS.Insecure = b
	}
	if s := env("VAULT_CLIENT_TIMEOUT"); s != "" && v.Timeout == 0 {
		d, err := parseSeconds(s)
		if err != nil {
			return v, fmt.Errorf("read VAULT_CLIENT_TIMEOUT: %w", err)
		}
		v.Timeout = d
	}
	if v.Address == "" {
		v.Address = "https://127.0.0.1:8200"
	}
	if v.Timeout <= 0 {
		v.Timeout = defaultTimeout
	}
	v.Auth.fill(env)
	return v, v.check()
}

// parseSeconds reads a duration as Vault's command does: "30s", or "30" for seconds.
func parseSeconds(s string) (time.Duration, error) {
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(s)
}

func (a *Auth) fill(env Getenv) {
	if a.count() == 0 {
		if a.Token = env("VAULT_TOKEN"); a.Token == "" {
			a.TokenFile = filepath.Join(env("HOME"), ".vault-token")
		}
	}
	orElse := func(dst *string, value string) {
		if *dst == "" {
			*dst = value
		}
	}
	if r := a.AppRole; r != nil {
		c := *r
		orElse(&c.Mount, "approle")
		a.AppRole = &c
	}
	if j := a.JWT; j != nil {
		c := *j
		orElse(&c.Mount, "jwt")
		if dir := env("NOMAD_SECRETS_DIR"); dir != "" {
			orElse(&c.File, filepath.Join(dir, "nomad_vault_default.jwt"))
		}
		a.JWT = &c
	}
	if w := a.AWS; w != nil {
		c := *w
		orElse(&c.Mount, "aws")
		orElse(&c.Region, "us-east-1")
		a.AWS = &c
	}
	if l := a.Cert; l != nil {
		c := *l
		orElse(&c.Mount, "cert")
		a.Cert = &c
	}
}

func (a *Auth) count() int {
	n := 0
	for _, set := range []bool{a.Token != "", a.TokenFile != "", a.AppRole != nil, a.JWT != nil, a.AWS != nil, a.Cert != nil} {
		if set {
			n++
		}
	}
	return n
}

func (v VaultConfig) check() error {
	a := v.Auth
	scheme, _, _ := strings.Cut(v.Address, "://")
	switch {
	case scheme != "http" && scheme != "https" && scheme != "unix":
		return fmt.Errorf("address %q: it begins with https://, http:// or unix://", v.Address)
	case v.TLS.Check() != nil:
		return v.TLS.Check()
	case a.count() > 1:
		return fmt.Errorf("there is more than one way to log in; keep one")
	case a.AppRole != nil && (a.AppRole.RoleID == "") == (a.AppRole.RoleIDFile == ""):
		return fmt.Errorf("approle: it needs a role_id or a role_id_file")
	case a.AppRole != nil && a.AppRole.Wrapped && a.AppRole.SecretIDFile == "":
		return fmt.Errorf("approle: a wrapped secret_id needs a secret_id_file")
	case a.JWT != nil && a.JWT.File == "":
		return fmt.Errorf("jwt: it needs the file that holds the token")
	case a.Cert != nil && v.TLS.CertFile == "":
		return fmt.Errorf("cert: it needs a client certificate and its key")
	}
	return nil
}

// Method is the name of the way to log in.
func (a Auth) Method() string {
	switch {
	case a.AppRole != nil:
		return "approle"
	case a.JWT != nil:
		return "jwt"
	case a.AWS != nil:
		return "aws"
	case a.Cert != nil:
		return "cert"
	case a.TokenFile != "":
		return "token_file"
	}
	return "token"
}
