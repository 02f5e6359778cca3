package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery/vsphere"
)

// vsphereConfig is one vCenter. What is left out comes from the GOVC_* environment.
type vsphereConfig struct {
	Name         string      `hcl:"name,label"`
	Address      string      `hcl:"address,optional"` // host, host:port or URL
	Username     string      `hcl:"username,optional"`
	Password     string      `hcl:"password,optional"`
	PasswordFile string      `hcl:"password_file,optional"` // read at each login
	CAFile       string      `hcl:"ca_file,optional"`       // read at each handshake
	Thumbprint   string      `hcl:"thumbprint,optional"`    // of a certificate that is trusted besides
	Insecure     bool        `hcl:"insecure,optional"`
	Tags         *bool       `hcl:"tags,optional"` // false: tags are not read
	Hold         string      `hcl:"hold,optional"` // how long a running machine keeps an address that vCenter has lost; default 60s
	Range        hclv2.Range `hcl:",def_range"`

	hold time.Duration
}

// checkVSpheres finds what the tags of the vsphere blocks cannot say, and fills in defaults.
func (c *agentConfig) checkVSpheres() (diags hclv2.Diagnostics) {
	wrong := func(at hclv2.Range, summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	seen := map[string]bool{}
	for _, v := range c.VSpheres {
		if seen[v.Name] {
			wrong(v.Range, "Duplicate vsphere", fmt.Sprintf("The vsphere block %q stands twice. Each connection needs a name of its own.", v.Name))
		}
		seen[v.Name] = true
		if v.Password != "" && v.PasswordFile != "" {
			wrong(v.Range, "Two passwords", fmt.Sprintf("The vsphere block %q has both password and password_file; remove one of the two.", v.Name))
		}
		if v.Hold != "" {
			var err error
			if v.hold, err = time.ParseDuration(v.Hold); err != nil || v.hold <= 0 {
				wrong(v.Range, "Invalid hold", fmt.Sprintf("hold of the vsphere block %q is a duration such as \"60s\", not %q.", v.Name, v.Hold))
			}
		}
		cfg, err := v.vsphere().WithEnv(os.Getenv)
		if err == nil {
			err = cfg.Check()
		}
		if err != nil {
			wrong(v.Range, "Invalid vsphere block", fmt.Sprintf("The vsphere block %q cannot work: %s.", v.Name, err))
		}
	}
	return diags
}

// vspheres are the options of the vsphere sources. Without any block, the environment makes a connection, if it names a
// vCenter.
func (c *agentConfig) vspheres(log hclog.Logger) (vsphere.Options, error) {
	out := vsphere.Options{Log: log.Named("discovery.vsphere")}
	blocks := c.VSpheres
	if len(blocks) == 0 && os.Getenv("GOVC_URL") != "" {
		blocks = []*vsphereConfig{{}}
	}
	for _, v := range blocks {
		cfg, err := v.vsphere().WithEnv(os.Getenv)
		if err == nil {
			err = cfg.Check()
		}
		if err != nil {
			return out, &exit{codeDocuments, fmt.Errorf("vsphere %s: %w", v.Name, err)}
		}
		out.Connections = append(out.Connections, cfg)
	}
	return out, nil
}

func (v *vsphereConfig) vsphere() vsphere.Config {
	return vsphere.Config{
		Name: v.Name, Address: v.Address, Username: v.Username, Password: v.Password, PasswordFile: v.PasswordFile,
		CAFile: v.CAFile, Thumbprint: v.Thumbprint, Insecure: v.Insecure, WithoutTags: v.Tags != nil && !*v.Tags, Hold: v.hold,
	}
}
