package docker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// Config says where an engine is.
type Config struct {
	Name    string          // of the connection
	Host    string          // unix:///PATH or tcp://HOST:PORT, as DOCKER_HOST has it
	Machine string          // IP address of the engine's machine, for published ports; else that of Host, or 127.0.0.1
	Secure  bool            // TLS, over tcp; so it is where TLS names files
	TLS     tlsfiles.Config // read at each handshake
}

const usualHost = "unix:///var/run/docker.sock"

// Configured says whether the environment names an engine.
func Configured(env func(string) string) bool { return env("DOCKER_HOST") != "" }

// WithEnv returns c with what is empty taken from the variables of Docker's own tools: DOCKER_HOST, and for the same
// host DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.
func (c Config) WithEnv(env func(string) string) Config {
	c.TLS.Of = "docker"
	if c.Host == "" {
		if c.Host = env("DOCKER_HOST"); c.Host != "" && env("DOCKER_TLS_VERIFY") != "" && c.TLS.CAFile == "" && c.TLS.CertFile == "" {
			dir := env("DOCKER_CERT_PATH")
			if dir == "" {
				dir = filepath.Join(env("HOME"), ".docker")
			}
			c.Secure = true
			c.TLS.CAFile, c.TLS.CertFile, c.TLS.KeyFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		}
	}
	if c.Host == "" {
		c.Host = usualHost
	}
	if c.TLS.CAFile != "" || c.TLS.CertFile != "" || c.TLS.Insecure {
		c.Secure = true
	}
	if c.Machine == "" {
		c.Machine = "127.0.0.1"
		if u, err := url.Parse(c.Host); err == nil && u.Scheme == "tcp" {
			c.Machine = u.Hostname()
		}
	}
	return c
}

// Check says what is wrong with c as it stands. It reads no file.
func (c Config) Check() error {
	u, err := url.Parse(c.Host)
	if err != nil {
		return fmt.Errorf("%.200q is no address of an engine, such as %s", c.Host, usualHost)
	}
	switch {
	case u.Scheme == "unix" && filepath.IsAbs(u.Path):
		if c.Secure {
			return errors.New("a socket has no TLS: remove the files, or set host to tcp://HOST:PORT")
		}
	case u.Scheme == "tcp" && u.Hostname() != "" && u.Port() != "" && u.Path == "" && u.User == nil:
	case u.Scheme == "ssh":
		return errors.New("ssh is not supported: forward the socket, or use tcp:// with TLS")
	default:
		return fmt.Errorf("%.200q is no address of an engine, such as %s or tcp://10.0.0.1:2376", c.Host, usualHost)
	}
	if _, err := netip.ParseAddr(c.Machine); err != nil && !(u.Scheme == "tcp" && c.Machine == u.Hostname()) {
		return fmt.Errorf("address is %.200q, which is no IP address of the engine's machine", c.Machine)
	}
	return c.TLS.Check()
}

// dial is the network and address of the engine.
func (c Config) dial() (network, address string) {
	u, err := url.Parse(c.Host)
	if err != nil {
		return "unix", c.Host // Check has refused it
	}
	if u.Scheme == "unix" {
		return "unix", u.Path
	}
	return "tcp", net.JoinHostPort(u.Hostname(), u.Port())
}

// String is the host, for errors.
func (c Config) String() string { return strings.TrimSuffix(c.Host, "/") }
