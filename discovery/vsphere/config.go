package vsphere

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config is one vCenter, or one ESXi host, as the agent knows it. What is empty comes from the GOVC_* environment where
// WithEnv is asked.
type Config struct {
	Name         string // of the connection; may be empty where there is one
	Address      string // host, host:port or URL; default path /sdk
	Username     string // of the agent's own credentials; a block may bring others
	Password     string
	PasswordFile string        // read at each login; beats Password
	CAFile       string        // authorities of vCenter's certificate, read at each login; empty: the system's
	Thumbprint   string        // of vCenter's certificate, SHA-256 or SHA-1 in hexadecimal: trusted besides; empty: none
	Insecure     bool          // any certificate is good
	WithoutTags  bool          // tags are not read
	Hold         time.Duration // how long a running machine keeps an address that vCenter has lost; 0 means 60 s
}

// Getenv is how the environment is read; os.Getenv outside of tests.
type Getenv func(string) string

// WithEnv is c completed from the environment as govc reads it, for a configuration without another address. An error
// names the variable that makes no sense.
func (c Config) WithEnv(env Getenv) (Config, error) {
	if env == nil {
		env = os.Getenv
	}
	if c.Address == "" {
		if err := c.locate(env("GOVC_URL")); err != nil {
			return c, err
		}
	}
	fill := func(at *string, name string) {
		if *at == "" {
			*at = env(name)
		}
	}
	fill(&c.Username, "GOVC_USERNAME")
	if c.PasswordFile == "" && c.Password == "" {
		c.Password = env("GOVC_PASSWORD")
		if info, err := os.Stat(c.Password); c.Password != "" && err == nil && info.Mode().IsRegular() {
			c.Password, c.PasswordFile = "", c.Password // as govc has it
		}
	}
	fill(&c.CAFile, "GOVC_TLS_CA_CERTS")
	if text := env("GOVC_INSECURE"); text != "" && c.CAFile == "" && c.Thumbprint == "" {
		insecure, err := strconv.ParseBool(text)
		if err != nil {
			return c, fmt.Errorf("read GOVC_INSECURE: %q is no boolean", text)
		}
		c.Insecure = c.Insecure || insecure
	}
	return c, nil
}

// locate takes the address of GOVC_URL, which may hold credentials.
func (c *Config) locate(text string) error {
	if text == "" {
		return nil
	}
	u, err := parseAddress(text)
	if err != nil {
		return fmt.Errorf("read GOVC_URL: %w", err)
	}
	if u.User != nil {
		if c.Username == "" {
			c.Username = u.User.Username()
		}
		if password, ok := u.User.Password(); ok && c.Password == "" && c.PasswordFile == "" {
			c.Password = password
		}
	}
	u.User = nil
	c.Address = u.String()
	return nil
}

// Check says what is wrong with c. It does no I/O.
func (c Config) Check() error {
	if c.Address == "" {
		return fmt.Errorf("no address: name the vCenter with address, or set GOVC_URL")
	}
	u, err := parseAddress(c.Address)
	if err != nil {
		return err
	}
	if u.User != nil {
		return fmt.Errorf("the address holds a user name: write it as username, and the password as password_file")
	}
	if _, err := thumbprint(c.Thumbprint); err != nil {
		return err
	}
	if c.Thumbprint != "" && c.Insecure {
		return fmt.Errorf("insecure trusts any certificate, so thumbprint has no meaning; remove one of the two")
	}
	return nil
}

// parseAddress reads an address as govc does. The error does not hold it: it may have a password.
func parseAddress(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the address is none: write it like vcenter.example.com or https://vcenter.example.com/sdk")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the address begins with %q: use https", u.Scheme)
	}
	if u.Path == "" {
		u.Path = "/sdk"
	}
	return u, nil
}

// account is what a login takes.
type account struct{ username, password string }

// own are the agent's credentials; the password file is read anew.
func (c Config) own() (account, error) {
	a := account{c.Username, c.Password}
	if c.PasswordFile != "" {
		text, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return a, fmt.Errorf("read password: %w", err)
		}
		a.password = strings.TrimSpace(string(text))
	}
	if a.username == "" || a.password == "" {
		return a, fmt.Errorf("no username or password: add username and password_file to the agent's vsphere block, or credentials to the document's")
	}
	return a, nil
}
