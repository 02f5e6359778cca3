package main

import (
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
func (c *agentConfig) checkDockers() hclv2.Diagnostics {
	found := blockCheck{kind: "docker"}
	for _, d := range c.Dockers {
		found.block(d.Name, d.Range)
		found.useless(d.Name, d.Range, d.docker().WithEnv(os.Getenv).Check())
	}
	return found.diags
}

// dockers makes the clients of engines. Without any block, the environment makes one, if it names an engine. A socket that
// is just there is not asked: who may open it owns the machine.
func (c *agentConfig) dockers() ([]*docker.Client, error) {
	blocks := orOwn(c.Dockers, docker.Configured(os.Getenv), &dockerConfig{})
	return opened("docker", blocks, func(d *dockerConfig) (string, *docker.Client, error) {
		client, err := docker.New(d.docker().WithEnv(os.Getenv))
		return d.Name, client, err
	})
}

func (d *dockerConfig) docker() docker.Config {
	return docker.Config{Name: d.Name, Host: d.Host, Machine: d.Address, TLS: tlsfiles.Config{
		CAFile: d.CAFile, CertFile: d.CertFile, KeyFile: d.KeyFile, ServerName: d.ServerName, Insecure: d.Insecure,
	}}
}
