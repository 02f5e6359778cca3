package vsphere

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Check implements gateway.Checker: what the tags of Spec cannot say.
func (s *Spec) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	c := &checking{ranges: ranges, block: s.Range}
	s.checkSelection(c)
	s.checkAddress(c)
	return c.diags
}

func (s *Spec) checkSelection(c *checking) {
	if s.Folder == "" && s.ResourcePool == "" && s.Name == "" && len(s.Tags) == 0 && len(s.Attributes) == 0 {
		c.add("", "Nothing selected", "The block would take every virtual machine that vCenter has. Say which: "+
			"folder, resource_pool, name, tags or attributes.")
	}
	c.path("folder", s.Folder, "vm", "/DC0/vm/shop")
	c.path("resource_pool", s.ResourcePool, "host", "/DC0/host/Cluster1/Resources/shop")
	if strings.Contains(s.Name, "/") {
		c.add("name", "Invalid name", fmt.Sprintf("%q holds a slash, and name is that of a virtual machine without its folder. "+
			"Give the folder as folder; a slash inside of a name is %%2f in vSphere.", s.Name))
	}
	for i, t := range s.Tags {
		category, name, ok := strings.Cut(t, ":")
		if !ok || category == "" || name == "" {
			c.add("tags", "Invalid tag", fmt.Sprintf("%q is no tag with its category: write it like \"env:production\", "+
				"with the names that vCenter shows.", t))
		}
		if slices.Contains(s.Tags[:i], t) {
			c.add("tags", "Duplicate tag", fmt.Sprintf("%q stands twice.", t))
		}
	}
	if _, empty := s.Attributes[""]; empty {
		c.add("attributes", "Invalid attribute", "A custom attribute has a name.")
	}
}

func (s *Spec) checkAddress(c *checking) {
	if s.CIDR == "" {
		return
	}
	prefix, err := netip.ParsePrefix(s.CIDR)
	switch {
	case err != nil:
		c.add("cidr", "Invalid CIDR", fmt.Sprintf("%q is no network: write it like \"10.20.0.0/16\" or \"2001:db8::/32\".", s.CIDR))
	case prefix != prefix.Masked():
		c.add("cidr", "Invalid CIDR", fmt.Sprintf("%q has bits behind its length. Did you mean %q?", s.CIDR, prefix.Masked()))
	case s.IPFamily == "ipv4" && prefix.Addr().Is6(), s.IPFamily == "ipv6" && prefix.Addr().Is4():
		c.add("cidr", "Conflicting address", fmt.Sprintf("No %s address lies in %s: remove ip_family or cidr.", s.IPFamily, s.CIDR))
	}
}

// checking gathers diagnostics.
type checking struct {
	ranges map[string]hcl.Range
	block  hcl.Range
	diags  hcl.Diagnostics
}

func (c *checking) add(attribute, summary, detail string) {
	subject, ok := c.ranges[attribute]
	if !ok {
		subject = c.block
	}
	c.diags = append(c.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject})
}

// path checks an inventory path, which has the folder root below its datacenter.
func (c *checking) path(attribute, path, root, example string) {
	if path == "" {
		return
	}
	steps := strings.Split(strings.TrimSuffix(path, "/"), "/")
	var detail string
	switch {
	case !strings.HasPrefix(path, "/"):
		detail = fmt.Sprintf("%q does not begin with a slash.", path)
	case slices.Contains(steps[1:], ""):
		detail = fmt.Sprintf("%q has an empty step.", path)
	case slices.Index(steps, root) < 2:
		detail = fmt.Sprintf("%q does not go through %q, which stands below the datacenter.", path, root)
	default:
		return
	}
	c.add(attribute, "Invalid inventory path", fmt.Sprintf("%s An inventory path is written like %q, as govc prints it.", detail, example))
}
