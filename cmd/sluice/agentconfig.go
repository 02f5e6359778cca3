package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// agentConfig is the configuration of sluice server. Its blocks may be spread over files.
type agentConfig struct {
	StateDir   string              `hcl:"state_dir,optional"`   // where last good is kept; empty: nowhere
	LogLevel   string              `hcl:"log_level,optional"`   // trace, debug, info, warn or error; default info
	LogJSON    bool                `hcl:"log_json,optional"`    //
	Grace      string              `hcl:"start_grace,optional"` // Envoys are served after it even if an input has not answered; default 30s
	Config     *documentsConfig    `hcl:"config,block"`
	Consuls    []*consulConfig     `hcl:"consul,block"`
	Vaults     []*vaultConfig      `hcl:"vault,block"`
	AWS        []*awsConfig        `hcl:"aws,block"`
	Nomads     []*nomadConfig      `hcl:"nomad,block"`
	VSpheres   []*vsphereConfig    `hcl:"vsphere,block"`
	Kubernetes []*kubernetesConfig `hcl:"kubernetes,block"`
	Dockers    []*dockerConfig     `hcl:"docker,block"`
	Discovery  *discoveryConfig    `hcl:"discovery,block"`
	XDS        *xdsConfig          `hcl:"xds,block"`
	HTTP       *httpConfig         `hcl:"http,block"`
	Telemetry  *telemetryConfig    `hcl:"telemetry,block"`

	grace time.Duration
	aws   *awsAccounts // once they are made
}

// documentsConfig says where documents are: on disk or in Consul.
type documentsConfig struct {
	Path         string `hcl:"path,optional"`
	ConsulPrefix string `hcl:"consul_prefix,optional"` // default sluice/
	Consul       string `hcl:"consul,optional"`        // which consul block; may be left out where there is one
}

// consulConfig is one Consul. What is left out comes from the CONSUL_HTTP_* environment.
type consulConfig struct {
	Name       string        `hcl:"name,label"`
	Address    string        `hcl:"address,optional"`
	Addresses  []string      `hcl:"addresses,optional"` // several; the first that answers is used
	Scheme     string        `hcl:"scheme,optional"`
	Token      string        `hcl:"token,optional"`
	TokenFile  string        `hcl:"token_file,optional"` // re-read when it changes
	HTTPAuth   string        `hcl:"http_auth,optional"`
	CAFile     string        `hcl:"ca_file,optional"`
	CAPath     string        `hcl:"ca_path,optional"`
	CertFile   string        `hcl:"cert_file,optional"`
	KeyFile    string        `hcl:"key_file,optional"`
	ServerName string        `hcl:"tls_server_name,optional"`
	Namespace  string        `hcl:"namespace,optional"`
	Partition  string        `hcl:"partition,optional"`
	Datacenter string        `hcl:"datacenter,optional"`
	Hold       string        `hcl:"hold,optional"` // how long the loss of a whole list is held before it counts; default 60s
	Auth       []*consulAuth `hcl:"auth,block"`    // instead of a token

	ConnectService string      `hcl:"connect_service,optional"` // who sluice is in the service mesh; default sluice
	Range          hclv2.Range `hcl:",def_range"`

	hold time.Duration
}

// xdsConfig is where Envoys connect.
type xdsConfig struct {
	Address string        `hcl:"address,optional"` // default 127.0.0.1:8551
	TLS     *xdsTLSConfig `hcl:"tls,block"`
	Range   hclv2.Range   `hcl:",def_range"`
}

// xdsTLSConfig is the mutual TLS of xDS: an Envoy's certificate names its gateway.
type xdsTLSConfig struct {
	CertFile    string `hcl:"cert_file"`
	KeyFile     string `hcl:"key_file"`
	CAFile      string `hcl:"ca_file"`               // of the Envoys' certificates
	TrustDomain string `hcl:"trust_domain,optional"` // of SPIFFE names; empty: any
}

// httpConfig is the API.
type httpConfig struct {
	Address   string         `hcl:"address,optional"` // default 127.0.0.1:8550
	TokenFile string         `hcl:"token_file,optional"`
	TLS       *httpTLSConfig `hcl:"tls,block"`
}

type httpTLSConfig struct {
	CertFile string `hcl:"cert_file"`
	KeyFile  string `hcl:"key_file"`
}

// telemetryConfig is how the control plane is measured; /metrics of the API has it all.
type telemetryConfig struct {
	DisableMetrics bool `hcl:"disable_metrics,optional"`
}

const defaultXDS = "127.0.0.1:8551"

// readAgentConfig reads files, and the *.hcl files of directories in the order of their names, as one configuration.
// An error is a path that cannot be read.
func readAgentConfig(paths []string) (*agentConfig, hclv2.Diagnostics, map[string][]byte, error) {
	var bodies []hclv2.Body
	var diags hclv2.Diagnostics
	texts := map[string][]byte{}
	for _, p := range paths {
		names, err := configFiles(p)
		if err != nil {
			return nil, nil, nil, usage("read configuration %s: %w", p, err)
		}
		for _, name := range names {
			text, err := readBounded(name)
			if err != nil {
				return nil, nil, nil, usage("read configuration %s: %w", name, err)
			}
			texts[name] = text
			f, more := hclsyntax.ParseConfig(text, name, hclv2.InitialPos)
			diags = append(diags, more...)
			if !more.HasErrors() {
				bodies = append(bodies, f.Body)
			}
		}
	}
	cfg := &agentConfig{}
	if diags.HasErrors() {
		return cfg, diags, texts, nil
	}
	merged := hclv2.MergeBodies(bodies)
	diags = append(diags, gohcl.DecodeBody(merged, nil, cfg)...)
	if !diags.HasErrors() {
		diags = append(diags, cfg.check(merged.MissingItemRange())...)
		diags = append(diags, cfg.checkConsuls()...)
		diags = append(diags, cfg.checkVaults()...)
		diags = append(diags, cfg.checkAWS()...)
		diags = append(diags, cfg.checkDiscovery()...)
		diags = append(diags, cfg.checkNomads()...)
		diags = append(diags, cfg.checkVSpheres()...)
		diags = append(diags, cfg.checkKubernetes()...)
		diags = append(diags, cfg.checkDockers()...)
	}
	return cfg, diags, texts, nil
}

func configFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	names, err := filepath.Glob(filepath.Join(path, "*.hcl"))
	slices.Sort(names)
	return names, err
}

// check finds what the tags cannot say, and fills in defaults.
func (c *agentConfig) check(at hclv2.Range) (diags hclv2.Diagnostics) {
	wrong := func(summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	if c.LogLevel == "" {
		c.LogLevel = "info"
	}
	if hclog.LevelFromString(c.LogLevel) == hclog.NoLevel {
		wrong("Invalid log level", "log_level is trace, debug, info, warn or error, not \""+c.LogLevel+"\".")
	}
	if c.Grace != "" {
		var err error
		if c.grace, err = time.ParseDuration(c.Grace); err != nil || c.grace <= 0 {
			wrong("Invalid grace", "start_grace is a duration such as \"30s\", not \""+c.Grace+"\".")
		}
	}
	if c.XDS == nil {
		c.XDS = &xdsConfig{}
	}
	if c.HTTP == nil {
		c.HTTP = &httpConfig{}
	}
	c.XDS.Address = orDefault(c.XDS.Address, defaultXDS)
	c.HTTP.Address = orDefault(c.HTTP.Address, defaultAddress)
	switch d := c.Config; {
	case d == nil && len(c.Consuls) == 1:
		c.Config = &documentsConfig{ConsulPrefix: "sluice/"}
	case d == nil || d.Path == "" && d.ConsulPrefix == "":
		wrong("No documents", "Say where the documents are: config { path = \"/etc/sluice/documents\" }, or config { consul_prefix = \"sluice/\" } with a consul block.")
	case d.Path != "" && d.ConsulPrefix != "":
		wrong("Two places of documents", "The config block has both path and consul_prefix. Documents are on disk or in Consul; remove one of the two.")
	case d.ConsulPrefix != "" && c.kv() == nil:
		wrong("Unknown consul", "The documents are in Consul, and there is not exactly one consul block. Name one with config { consul = \"NAME\" }.")
	}
	return diags
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// kv is the Consul that has the documents; nil where they are on disk or none is the one.
func (c *agentConfig) kv() *consulConfig {
	if c.Config == nil || c.Config.ConsulPrefix == "" {
		return nil
	}
	if c.Config.Consul == "" && len(c.Consuls) == 1 {
		return c.Consuls[0]
	}
	for _, k := range c.Consuls {
		if k.Name == c.Config.Consul && k.Name != "" {
			return k
		}
	}
	return nil
}

// clients makes the Consul clients, and says which one has the documents.
func (c *agentConfig) clients(log hclog.Logger) (all []*catalog.Client, kv *catalog.Client, err error) {
	for _, k := range c.Consuls {
		cfg := k.catalog(log)
		if k == c.kv() {
			cfg.Prefix = c.Config.ConsulPrefix
		}
		client, err := catalog.New(cfg)
		if err != nil {
			return nil, nil, &exit{codeDocuments, errors.Join(errors.New("consul "+k.Name), err)}
		}
		all = append(all, client)
		if k == c.kv() {
			kv = client
		}
	}
	return all, kv, nil
}

func (k *consulConfig) catalog(log hclog.Logger) catalog.Config {
	addresses := k.Addresses
	if k.Address != "" {
		addresses = append([]string{k.Address}, addresses...)
	}
	return catalog.Config{
		Name: k.Name, Addresses: addresses, Scheme: k.Scheme, Token: k.Token, TokenFile: k.TokenFile, HTTPAuth: k.HTTPAuth,
		Login: k.login(), TLS: tlsfiles.Config{CAFile: k.CAFile, CAPath: k.CAPath, CertFile: k.CertFile, KeyFile: k.KeyFile, ServerName: k.ServerName},
		Namespace: k.Namespace, Partition: k.Partition, Datacenter: strings.TrimSpace(k.Datacenter), Hold: k.hold, ConnectService: k.ConnectService,
		Logger: log.Named("catalog"),
	}
}
