package main

import (
	"fmt"
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
func (c *agentConfig) checkKubernetes() (diags hclv2.Diagnostics) {
	wrong := func(at hclv2.Range, summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	seen := map[string]bool{}
	for _, k := range c.Kubernetes {
		if seen[k.Name] {
			wrong(k.Range, "Duplicate kubernetes", fmt.Sprintf("The kubernetes block %q stands twice. Each connection needs a name of its own.", k.Name))
		}
		seen[k.Name] = true
		if err := k.kubernetes().WithEnv(os.Getenv).Check(); err != nil {
			wrong(k.Range, "Invalid kubernetes block", fmt.Sprintf("The kubernetes block %q cannot work: %s.", k.Name, err))
		}
	}
	return diags
}

// kubernetes makes the clients of clusters. Without any block, the environment makes one, if it names a cluster.
func (c *agentConfig) kubernetes() (all []*kubernetes.Client, err error) {
	blocks := c.Kubernetes
	if len(blocks) == 0 && kubernetes.Configured(os.Getenv) {
		blocks = []*kubernetesConfig{{}}
	}
	for _, k := range blocks {
		client, err := kubernetes.New(k.kubernetes().WithEnv(os.Getenv))
		if err != nil {
			return nil, &exit{codeDocuments, fmt.Errorf("kubernetes %s: %w", k.Name, err)}
		}
		all = append(all, client)
	}
	return all, nil
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
