package kubernetes

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/tlsfiles"
)

// Config says where a cluster is, and as whom it is asked. Files are read anew for each call, which is rare, and for each
// handshake.
type Config struct {
	Name       string          // of the connection
	Address    string          // https://HOST:PORT; else that of the kubeconfig, or of the cluster that the agent runs in
	Namespace  string          // of blocks that name none; else the kubeconfig's, or that of the agent's own pod, or default
	Token      string          //
	TokenFile  string          // takes the place of the user's token in a kubeconfig, as Token does
	TLS        tlsfiles.Config // likewise
	Kubeconfig []string        // files: what the first says counts
	Context    string          // of the kubeconfig; empty: the current one

	account string // folder of a service account, for what is not said; empty: not in a cluster
}

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// InCluster says whether the environment is that of a pod.
func InCluster(env func(string) string) bool { return env("KUBERNETES_SERVICE_HOST") != "" }

// Configured says whether the environment names a cluster.
func Configured(env func(string) string) bool { return env("KUBECONFIG") != "" || InCluster(env) }

// WithEnv returns c with what is empty taken from where kubectl has it: KUBECONFIG; else the service account of the pod
// that the agent runs in; else ~/.kube/config. It reads no file.
func (c Config) WithEnv(env func(string) string) Config {
	c.TLS.Of = "kubernetes"
	if c.Address != "" {
		return c
	}
	if len(c.Kubeconfig) == 0 {
		for _, p := range filepath.SplitList(env("KUBECONFIG")) {
			if p != "" {
				c.Kubeconfig = append(c.Kubeconfig, p)
			}
		}
	}
	switch {
	case len(c.Kubeconfig) > 0:
	case InCluster(env):
		port := env("KUBERNETES_SERVICE_PORT")
		if port == "" {
			port = "443"
		}
		c.Address = "https://" + net.JoinHostPort(env("KUBERNETES_SERVICE_HOST"), port)
		if c.account == "" {
			c.account = accountFolder
		}
	case env("HOME") != "":
		c.Kubeconfig = []string{filepath.Join(env("HOME"), ".kube", "config")}
	}
	return c
}

// Check says what is wrong with c as it stands. It reads no file.
func (c Config) Check() error {
	switch {
	case c.Token != "" && c.TokenFile != "":
		return errors.New("both token and token_file are set; remove one of the two")
	case c.Address != "" && len(c.Kubeconfig) > 0:
		return errors.New("both address and kubeconfig are set; remove one of the two")
	case c.Address == "" && len(c.Kubeconfig) == 0:
		return errors.New("it has neither address nor kubeconfig, KUBECONFIG is not set, and this is no pod")
	case c.Context != "" && len(c.Kubeconfig) == 0:
		return errors.New("context is one of a kubeconfig, and there is none")
	}
	if c.Address != "" {
		if _, err := server(c.Address); err != nil {
			return err
		}
	}
	return c.TLS.Check()
}

func server(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%.200q is no address of an API server, such as https://10.0.0.1:6443", address)
	}
	return u, nil
}

// access is how to ask, as the files say now.
type access struct {
	server    *url.URL
	namespace string
	token     string
	tls       tlsfiles.Config
	own       *tls.Certificate // shown to the server; nil: that of tls, if it has one
}

func (c Config) access() (a access, err error) {
	if len(c.Kubeconfig) > 0 {
		if a, err = readKubeconfig(c.Kubeconfig, c.Context); err != nil {
			return a, err
		}
	} else if a.server, err = server(c.Address); err != nil {
		return a, err
	}
	tokenFile := c.TokenFile
	if c.account != "" {
		if c.Token == "" && tokenFile == "" && c.TLS.CertFile == "" {
			tokenFile = filepath.Join(c.account, "token")
		}
		if c.TLS.CAFile == "" && !c.TLS.Insecure {
			a.tls.CAFile = filepath.Join(c.account, "ca.crt")
		}
		if text, err := os.ReadFile(filepath.Join(c.account, "namespace")); err == nil {
			a.namespace = strings.TrimSpace(string(text))
		}
	}
	a.overlay(c)
	if tokenFile != "" {
		if a.token, err = readToken(tokenFile); err != nil {
			return a, err
		}
	}
	return a, nil
}

// overlay puts what the agent's block says over what a kubeconfig said.
func (a *access) overlay(c Config) {
	a.tls.Of = c.TLS.Of
	if c.Token != "" {
		a.token = c.Token
	}
	if c.TLS.CAFile != "" {
		a.tls.CAFile, a.tls.CAPEM = c.TLS.CAFile, ""
	}
	if c.TLS.CertFile != "" {
		a.tls.CertFile, a.tls.KeyFile, a.own = c.TLS.CertFile, c.TLS.KeyFile, nil
	}
	if c.TLS.ServerName != "" {
		a.tls.ServerName = c.TLS.ServerName
	}
	a.tls.Insecure = a.tls.Insecure || c.TLS.Insecure
	if c.Namespace != "" {
		a.namespace = c.Namespace
	}
}

// secure is the configuration of one handshake with a host.
func (a access) secure(host string) (*tls.Config, error) {
	cfg, err := a.tls.Read(host)
	if err == nil && a.own != nil {
		cfg.Certificates = []tls.Certificate{*a.own}
	}
	return cfg, err
}

// readToken reads a token. Its errors have the name of the file, and nothing of it.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err
		}
		return "", fmt.Errorf("read the token %s: %w", file, err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("read the token %s: it is not one line", file)
	}
	return token, nil
}
