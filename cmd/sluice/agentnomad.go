package main

import (
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
func (c *agentConfig) checkNomads() hclv2.Diagnostics {
	found := blockCheck{kind: "nomad"}
	for _, n := range c.Nomads {
		found.block(n.Name, n.Range)
		if n.Token != "" && n.TokenFile != "" {
			found.wrong(n.Range, "Two tokens", "The nomad block %q has both token and token_file; remove one of the two.", n.Name)
		}
		_, err := n.nomad(nil).WithEnv(nil)
		found.useless(n.Name, n.Range, err)
	}
	return found.diags
}

// nomads makes the Nomad clients. Without any block, the environment makes one, if it names a Nomad.
func (c *agentConfig) nomads(log hclog.Logger) ([]*nomad.Client, error) {
	blocks := orOwn(c.Nomads, nomad.Configured(nil), &nomadConfig{})
	return opened("nomad", blocks, func(n *nomadConfig) (string, *nomad.Client, error) {
		client, err := nomad.New(n.nomad(log.Named("nomad")))
		return n.Name, client, err
	})
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
