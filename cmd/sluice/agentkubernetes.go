package main

import (
	"os"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// kubernetesConfig is one cluster. What is left out comes from where kubectl has it: KUBECONFIG, the service account of the
// pod that this runs in, ~/.kube/config.
type kubernetesConfig struct {
	Name       string      `hcl:"name,label"`
	Address    string      `hcl:"address,optional"`    // https://HOST:PORT of the API server
	Namespace  string      `hcl:"namespace,optional"`  // of blocks that name none
	Token      string      `hcl:"token,optional"`      //
	TokenFile  string      `hcl:"token_file,optional"` // read for each call
	Kubeconfig string      `hcl:"kubeconfig,optional"` // a file, read for each call
	Context    string      `hcl:"context,optional"`    // of the kubeconfig; else its current one
	CAFile     string      `hcl:"ca_file,optional"`    // TLS files are read at each handshake
	CertFile   string      `hcl:"cert_file,optional"`
	KeyFile    string      `hcl:"key_file,optional"`
	ServerName string      `hcl:"tls_server_name,optional"`
	Insecure   bool        `hcl:"tls_skip_verify,optional"`
	Range      hclv2.Range `hcl:",def_range"`
}

// checkKubernetes finds what the tags of the kubernetes blocks cannot say.
func (c *agentConfig) checkKubernetes() hclv2.Diagnostics {
	found := blockCheck{kind: "kubernetes"}
	for _, k := range c.Kubernetes {
		found.block(k.Name, k.Range)
		found.useless(k.Name, k.Range, k.kubernetes().WithEnv(os.Getenv).Check())
	}
	return found.diags
}

// kubernetes makes the clients of clusters. Without any block, the environment makes one, if it names a cluster.
func (c *agentConfig) kubernetes() ([]*kubernetes.Client, error) {
	blocks := orOwn(c.Kubernetes, kubernetes.Configured(os.Getenv), &kubernetesConfig{})
	return opened("kubernetes", blocks, func(k *kubernetesConfig) (string, *kubernetes.Client, error) {
		client, err := kubernetes.New(k.kubernetes().WithEnv(os.Getenv))
		return k.Name, client, err
	})
}

func (k *kubernetesConfig) kubernetes() kubernetes.Config {
	cfg := kubernetes.Config{
		Name: k.Name, Address: k.Address, Namespace: k.Namespace, Token: k.Token, TokenFile: k.TokenFile, Context: k.Context,
		TLS: tlsfiles.Config{CAFile: k.CAFile, CertFile: k.CertFile, KeyFile: k.KeyFile, ServerName: k.ServerName, Insecure: k.Insecure},
	}
	if k.Kubeconfig != "" {
		cfg.Kubeconfig = []string{k.Kubeconfig}
	}
	return cfg
}
