package kubernetes

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v4"
)

// maxKubeconfig bounds one file.
const maxKubeconfig = 1 << 20

// kubeconfig is what is read of such a file.
type kubeconfig struct {
	Current  string                   `yaml:"current-context"`
	Clusters []named[clusterSection]  `yaml:"clusters"`
	Users    []named[userSection]     `yaml:"users"`
	Contexts []named[*contextSection] `yaml:"contexts"`
}

// named is an entry of a kubeconfig; its section stands under one of three names.
type named[T any] struct {
	Name    string `yaml:"name"`
	Cluster T      `yaml:"cluster"`
	User    T      `yaml:"user"`
	Context T      `yaml:"context"`

	folder string // of the file, which its paths are relative to
}

type clusterSection struct {
	Server     string `yaml:"server"`
	ServerName string `yaml:"tls-server-name"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	CAFile     string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	ProxyURL   string `yaml:"proxy-url"`
}

type userSection struct {
	CertFile  string `yaml:"client-certificate"`
	CertData  string `yaml:"client-certificate-data"`
	KeyFile   string `yaml:"client-key"`
	KeyData   string `yaml:"client-key-data"`
	Token     string `yaml:"token"`
	TokenFile string `yaml:"tokenFile"`
	Username  string `yaml:"username"`
	As        string `yaml:"as"`
	Exec      any    `yaml:"exec"`
	Provider  any    `yaml:"auth-provider"`
}

type contextSection struct {
	Cluster   string `yaml:"cluster"`
	User      string `yaml:"user"`
	Namespace string `yaml:"namespace"`
}

// parseKubeconfig reads one file. Its errors hold nothing of what was read.
func parseKubeconfig(text []byte, folder string) (k kubeconfig, err error) {
	if len(text) > maxKubeconfig {
		return k, fmt.Errorf("it has more than %d MiB", maxKubeconfig>>20)
	}
	if yaml.Unmarshal(text, &k) != nil {
		return kubeconfig{}, errors.New("it is no YAML of a kubeconfig")
	}
	for i := range k.Clusters {
		k.Clusters[i].folder = folder
	}
	for i := range k.Users {
		k.Users[i].folder = folder
	}
	return k, nil
}

// readKubeconfig reads files and follows a context, or the current one. A file that is missing is left out while there is
// another, as kubectl does.
func readKubeconfig(files []string, context string) (access, error) {
	var all kubeconfig
	read := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) && len(files) > 1 {
			continue
		}
		if err != nil {
			return access{}, fmt.Errorf("read the kubeconfig: %w", err)
		}
		k, err := parseKubeconfig(text, filepath.Dir(name))
		if err != nil {
			return access{}, fmt.Errorf("read the kubeconfig %s: %w", name, err)
		}
		read++
		if all.Current == "" {
			all.Current = k.Current
		}
		all.Clusters = append(all.Clusters, k.Clusters...)
		all.Users = append(all.Users, k.Users...)
		all.Contexts = append(all.Contexts, k.Contexts...)
	}
	if read == 0 {
		return access{}, errors.New("read the kubeconfig: none of its files exists")
	}
	a, err := all.access(context)
	if err != nil {
		return access{}, fmt.Errorf("read the kubeconfig %s: %w", files[0], err)
	}
	return a, nil
}

func find[T any](list []named[T], name string) (named[T], bool) {
	for _, n := range list {
		if n.Name == name {
			return n, true
		}
	}
	return named[T]{}, false
}

// access follows a context to its cluster and user.
func (k kubeconfig) access(context string) (a access, err error) {
	if context == "" {
		context = k.Current
	}
	if context == "" {
		return a, errors.New("it has no current context; name one")
	}
	chosen, ok := find(k.Contexts, context)
	if !ok || chosen.Context == nil {
		return a, fmt.Errorf("it has no context %.100q", context)
	}
	at, ok := find(k.Clusters, chosen.Context.Cluster)
	if !ok {
		return a, fmt.Errorf("context %.100q: it has no cluster %.100q", context, chosen.Context.Cluster)
	}
	a.namespace = chosen.Context.Namespace
	if err := a.cluster(at.Cluster, at.folder); err != nil {
		return a, fmt.Errorf("cluster %.100q: %w", at.Name, err)
	}
	if chosen.Context.User == "" {
		return a, nil
	}
	who, ok := find(k.Users, chosen.Context.User)
	if !ok {
		return a, fmt.Errorf("context %.100q: it has no user %.100q", context, chosen.Context.User)
	}
	if err := a.user(who.User, who.folder); err != nil {
		return a, fmt.Errorf("user %.100q: %w", who.Name, err)
	}
	return a, nil
}

func (a *access) cluster(c clusterSection, folder string) (err error) {
	if a.server, err = server(c.Server); err != nil {
		return err
	}
	if c.ProxyURL != "" {
		return errors.New("proxy-url is not supported: set HTTPS_PROXY in the agent's environment")
	}
	a.tls.ServerName, a.tls.Insecure = c.ServerName, c.Insecure
	if c.CAData != "" {
		text, err := base64.StdEncoding.DecodeString(c.CAData)
		if err != nil {
			return errors.New("certificate-authority-data is not Base64")
		}
		a.tls.CAPEM = string(text)
	} else {
		a.tls.CAFile = within(folder, c.CAFile)
	}
	return nil
}

func (a *access) user(u userSection, folder string) (err error) {
	switch {
	case u.Exec != nil:
		return errors.New("its credentials come from a program (exec), and sluice runs none: set token_file in the agent's kubernetes block, or use a user with a token or a certificate")
	case u.Provider != nil:
		return errors.New("auth-provider is not supported: use a user with a token or a certificate")
	case u.As != "":
		return errors.New("it acts as somebody else (as), which is not supported: use credentials of that user")
	case u.Username != "":
		return errors.New("a user name and password are not supported: use a token or a certificate")
	}
	if a.token = u.Token; u.Token == "" && u.TokenFile != "" {
		if a.token, err = readToken(within(folder, u.TokenFile)); err != nil {
			return err
		}
	}
	if u.CertData == "" && u.KeyData == "" {
		a.tls.CertFile, a.tls.KeyFile = within(folder, u.CertFile), within(folder, u.KeyFile)
		return a.tls.Check()
	}
	cert, err := content(u.CertData, within(folder, u.CertFile))
	if err != nil {
		return fmt.Errorf("client certificate: %w", err)
	}
	key, err := content(u.KeyData, within(folder, u.KeyFile))
	if err != nil {
		return fmt.Errorf("client key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("client certificate: %w", err)
	}
	a.own = &pair
	return nil
}

// content is what Base64 says, or a file.
func content(data, file string) ([]byte, error) {
	if data == "" {
		return os.ReadFile(file)
	}
	text, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, errors.New("its data is not Base64")
	}
	return text, nil
}

func within(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}
