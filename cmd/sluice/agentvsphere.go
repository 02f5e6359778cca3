package main

import (
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
func (c *agentConfig) checkVSpheres() hclv2.Diagnostics {
	found := blockCheck{kind: "vsphere"}
	for _, v := range c.VSpheres {
		found.block(v.Name, v.Range)
		if v.Password != "" && v.PasswordFile != "" {
			found.wrong(v.Range, "Two passwords", "The vsphere block %q has both password and password_file; remove one of the two.", v.Name)
		}
		if v.Hold != "" {
			var err error
			if v.hold, err = time.ParseDuration(v.Hold); err != nil || v.hold <= 0 {
				found.wrong(v.Range, "Invalid hold", "hold of the vsphere block %q is a duration such as \"60s\", not %q.", v.Name, v.Hold)
			}
		}
		_, err := v.connection()
		found.useless(v.Name, v.Range, err)
	}
	return found.diags
}

// vspheres are the options of the vsphere sources. Without any block, the environment makes a connection, if it names a
// vCenter.
func (c *agentConfig) vspheres(log hclog.Logger) (vsphere.Options, error) {
	out := vsphere.Options{Log: log.Named("discovery.vsphere")}
	blocks := orOwn(c.VSpheres, os.Getenv("GOVC_URL") != "", &vsphereConfig{})
	all, err := opened("vsphere", blocks, func(v *vsphereConfig) (string, vsphere.Config, error) {
		cfg, err := v.connection()
		return v.Name, cfg, err
	})
	out.Connections = all
	return out, err
}

// connection is what the block and the environment say, if that can work.
func (v *vsphereConfig) connection() (vsphere.Config, error) {
	cfg, err := v.vsphere().WithEnv(os.Getenv)
	if err == nil {
		err = cfg.Check()
	}
	return cfg, err
}

func (v *vsphereConfig) vsphere() vsphere.Config {
	return vsphere.Config{
		Name: v.Name, Address: v.Address, Username: v.Username, Password: v.Password, PasswordFile: v.PasswordFile,
		CAFile: v.CAFile, Thumbprint: v.Thumbprint, Insecure: v.Insecure, WithoutTags: v.Tags != nil && !*v.Tags, Hold: v.hold,
	}
}
