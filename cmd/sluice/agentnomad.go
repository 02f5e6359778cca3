package main

import (
	"fmt"

	"github.com/hashicorp/go-hclog"
	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/nomad"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// nomadConfig is one Nomad. What is left out comes from the NOMAD_* environment.
type nomadConfig struct {
	Name       string      `hcl:"name,label"`
	Address    string      `hcl:"address,optional"`
	Addresses  []string    `hcl:"addresses,optional"` // several; the first that answers is used
	Region     string      `hcl:"region,optional"`
	Namespace  string      `hcl:"namespace,optional"`
	Token      string      `hcl:"token,optional"`
	TokenFile  string      `hcl:"token_file,optional"` // re-read when it changes
	HTTPAuth   string      `hcl:"http_auth,optional"`
	CAFile     string      `hcl:"ca_file,optional"` // TLS files are read at each handshake
	CAPath     string      `hcl:"ca_path,optional"`
	CertFile   string      `hcl:"cert_file,optional"`
	KeyFile    string      `hcl:"key_file,optional"`
	ServerName string      `hcl:"tls_server_name,optional"`
	Insecure   bool        `hcl:"tls_skip_verify,optional"`
	Range      hclv2.Range `hcl:",def_range"`
}

// checkNomads finds what the tags of the nomad blocks cannot say.
func (c *agentConfig) checkNomads() (diags hclv2.Diagnostics) {
	wrong := func(at hclv2.Range, summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	seen := map[string]bool{}
	for _, n := range c.Nomads {
		if seen[n.Name] {
			wrong(n.Range, "Duplicate nomad", fmt.Sprintf("The nomad block %q stands twice. Each connection needs a name of its own.", n.Name))
		}
		seen[n.Name] = true
		if n.Token != "" && n.TokenFile != "" {
			wrong(n.Range, "Two tokens", fmt.Sprintf("The nomad block %q has both token and token_file; remove one of the two.", n.Name))
		}
		if _, err := n.nomad(nil).WithEnv(nil); err != nil {
			wrong(n.Range, "Invalid nomad block", fmt.Sprintf("The nomad block %q cannot work: %s.", n.Name, err))
		}
	}
	return diags
}

// nomads makes the Nomad clients. Without any block, the environment makes one, if it names a Nomad.
func (c *agentConfig) nomads(log hclog.Logger) (all []*nomad.Client, err error) {
	blocks := c.Nomads
	if len(blocks) == 0 && nomad.Configured(nil) {
		blocks = []*nomadConfig{{}}
	}
	for _, n := range blocks {
		client, err := nomad.New(n.nomad(log.Named("nomad")))
		if err != nil {
			return nil, &exit{codeDocuments, fmt.Errorf("nomad %s: %w", n.Name, err)}
		}
		all = append(all, client)
	}
	return all, nil
}

func (n *nomadConfig) nomad(log hclog.Logger) nomad.Config {
	addresses := n.Addresses
	if n.Address != "" {
		addresses = append([]string{n.Address}, addresses...)
	}
	return nomad.Config{
		Name: n.Name, Addresses: addresses, Region: n.Region, Namespace: n.Namespace, Token: n.Token, TokenFile: n.TokenFile,
		HTTPAuth: n.HTTPAuth, Logger: log, TLS: tlsfiles.Config{
			CAFile: n.CAFile, CAPath: n.CAPath, CertFile: n.CertFile, KeyFile: n.KeyFile, ServerName: n.ServerName, Insecure: n.Insecure,
		},
	}
}
