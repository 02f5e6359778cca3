package main

import (
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery"
)

// discoveryConfig says when sources are doubted.
type discoveryConfig struct {
	MaxLoss *int        `hcl:"max_loss,optional"` // percent of a source's endpoints whose loss in one answer is believed at once; default 50
	Hold    string      `hcl:"hold,optional"`     // how long an answer without any endpoint must stand; default 60s
	Range   hclv2.Range `hcl:",def_range"`

	hold time.Duration
}

// checkDiscovery finds what the tags cannot say.
func (c *agentConfig) checkDiscovery() (diags hclv2.Diagnostics) {
	d := c.Discovery
	if d == nil {
		return nil
	}
	wrong := func(summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &d.Range})
	}
	if d.MaxLoss != nil && (*d.MaxLoss < 1 || *d.MaxLoss > 100) {
		wrong("Invalid max_loss", "max_loss is a percentage from 1 to 100. With 100, only the loss of all endpoints is doubted.")
	}
	if d.Hold != "" {
		var err error
		if d.hold, err = time.ParseDuration(d.Hold); err != nil || d.hold <= 0 {
			wrong("Invalid hold", "hold is a duration such as \"60s\", not \""+d.Hold+"\".")
		}
	}
	return diags
}

// guard is what the configuration says of all sources that are guarded.
func (c *agentConfig) guard() (g discovery.Guard) {
	if d := c.Discovery; d != nil {
		g.Hold = d.hold
		if d.MaxLoss != nil {
			g.Share = float64(*d.MaxLoss) / 100
		}
	}
	return g
}
