package main

import (
	"fmt"
	"os"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery/docker"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// dockerConfig is one engine. What is left out comes from the DOCKER_* environment.
type dockerConfig struct {
	Name       string      `hcl:"name,label"`
	Host       string      `hcl:"host,optional"`    // unix:///PATH or tcp://HOST:PORT
	Address    string      `hcl:"address,optional"` // IP address at which published ports are reached
	CAFile     string      `hcl:"ca_file,optional"` // TLS files are read at each handshake
	CertFile   string      `hcl:"cert_file,optional"`
	KeyFile    string      `hcl:"key_file,optional"`
	ServerName string      `hcl:"tls_server_name,optional"`
	Insecure   bool        `hcl:"tls_skip_verify,optional"`
	Range      hclv2.Range `hcl:",def_range"`
}

// checkDockers finds what the tags of the docker blocks cannot say.
func (c *agentConfig) checkDockers() (diags hclv2.Diagnostics) {
	wrong := func(at hclv2.Range, summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	seen := map[string]bool{}
	for _, d := range c.Dockers {
		if seen[d.Name] {
			wrong(d.Range, "Duplicate docker", fmt.Sprintf("The docker block %q stands twice. Each connection needs a name of its own.", d.Name))
		}
		seen[d.Name] = true
		if err := d.docker().WithEnv(os.Getenv).Check(); err != nil {
			wrong(d.Range, "Invalid docker block", fmt.Sprintf("The docker block %q cannot work: %s.", d.Name, err))
		}
	}
	return diags
}

// dockers makes the clients of engines. Without any block, the environment makes one, if it names an engine. A socket that
// is just there is not asked: who may open it owns the machine.
func (c *agentConfig) dockers() (all []*docker.Client, err error) {
	blocks := c.Dockers
	if len(blocks) == 0 && docker.Configured(os.Getenv) {
		blocks = []*dockerConfig{{}}
	}
	for _, d := range blocks {
		client, err := docker.New(d.docker().WithEnv(os.Getenv))
		if err != nil {
			return nil, &exit{codeDocuments, fmt.Errorf("docker %s: %w", d.Name, err)}
		}
		all = append(all, client)
	}
	return all, nil
}

func (d *dockerConfig) docker() docker.Config {
	return docker.Config{Name: d.Name, Host: d.Host, Machine: d.Address, TLS: tlsfiles.Config{
		CAFile: d.CAFile, CertFile: d.CertFile, KeyFile: d.KeyFile, ServerName: d.ServerName, Insecure: d.Insecure,
	}}
}
