package main

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/dns"
	"github.com/sluice-gateway/sluice/discovery/docker"
	"github.com/sluice-gateway/sluice/discovery/ec2"
	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/discovery/vsphere"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/nomad"
)

// platforms are the connections to what sources ask, as the agent is configured. Its zero value is that of offline
// commands: the blocks are known, and open nothing.
type platforms struct {
	consuls  []*catalog.Client
	aws      awsAccounts
	nomads   []*nomad.Client
	vsphere  vsphere.Options
	clusters []*kubernetes.Client
	dockers  []*docker.Client
	reveal   gateway.Reveal // of the secrets that blocks name as credentials; nil offline
}

// kinds lists every kind of source.
func (p platforms) kinds() []discovery.Kind {
	return []discovery.Kind{
		catalog.Kind(p.consuls...), nomad.Kind(nomad.Options{Clients: p.nomads}), static.Kind(), dns.Kind(), ec2.Kind(p.aws.instances(p.reveal)),
		vsphere.Kind(p.vsphere.With(p.reveal)), kubernetes.Kind(kubernetes.Options{Clients: p.clusters}),
		docker.Kind(docker.Options{Clients: p.dockers}),
	}
}

// connect makes the connections of the configuration, but for reveal, and says which Consul has the documents, if one
// has. It asks nobody. The caller closes them.
func (c *agentConfig) connect(ctx context.Context, log hclog.Logger) (p platforms, kv *catalog.Client, err error) {
	defer func() {
		if err != nil {
			p.close()
			kv = nil
		}
	}()
	if p.consuls, kv, err = c.clients(log); err != nil {
		return p, nil, err
	}
	if p.aws, err = c.accounts(ctx); err != nil {
		return p, nil, err
	}
	if p.nomads, err = c.nomads(log); err != nil {
		return p, nil, err
	}
	if p.vsphere, err = c.vspheres(log); err != nil {
		return p, nil, err
	}
	if p.clusters, err = c.kubernetes(); err != nil {
		return p, nil, err
	}
	p.dockers, err = c.dockers()
	return p, kv, err
}

// close ends the connections. It does not wait.
func (p platforms) close() {
	for _, c := range p.consuls {
		c.Close()
	}
	for _, c := range p.nomads {
		c.Close()
	}
	for _, c := range p.clusters {
		c.Close()
	}
	for _, c := range p.dockers {
		c.Close()
	}
}
