package vsphere

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is a vsphere block: the running virtual machines that have everything that it asks for.
//
//sluice:block vsphere
type Spec struct {
	Folder       string            `hcl:"folder,optional"`        // inventory path; with everything below
	ResourcePool string            `hcl:"resource_pool,optional"` // inventory path of a pool, a vApp, a cluster or a host folder; with everything below
	Name         string            `hcl:"name,optional"`          // of the machine; * and ? stand for what they do in a shell
	Tags         []string          `hcl:"tags,optional"`          // "category:name"; a machine has all of them
	Attributes   map[string]string `hcl:"attributes,optional"`    // custom attributes; a machine has all of them

	Port     int    `hcl:"port" min:"1" max:"65535"`
	Network  string `hcl:"network,optional"`                     // name of the network whose address is used
	CIDR     string `hcl:"cidr,optional"`                        // in which the address lies
	IPFamily string `hcl:"ip_family,optional" oneof:"ipv4 ipv6"` // default: ipv4 where there is one

	Connection  string      `hcl:"connection,optional"` // which vsphere block, where several are configured
	Credentials gateway.Ref `hcl:"credentials,optional" ref:"secret"`
	Range       hcl.Range   `hcl:",def_range"`
}

var (
	_ gateway.Checker      = (*Spec)(nil)
	_ gateway.Credentialed = (*Spec)(nil)
)

// Credential implements gateway.Credentialed.
func (s *Spec) Credential() gateway.ID { return s.Credentials.ID }

// SourceKey names every field; tags in any order are the same listing.
func (s *Spec) SourceKey() gateway.SourceKey {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+plain(value))
		}
	}
	add("folder", strings.TrimSuffix(s.Folder, "/"))
	add("resource_pool", strings.TrimSuffix(s.ResourcePool, "/"))
	add("name", s.Name)
	for _, t := range slices.Compact(slices.Sorted(slices.Values(s.Tags))) {
		add("tag", t)
	}
	for _, k := range slices.Sorted(maps.Keys(s.Attributes)) {
		parts = append(parts, fmt.Sprintf("attribute=%s:%s", plain(k), plain(s.Attributes[k])))
	}
	parts = append(parts, "port="+strconv.Itoa(s.Port))
	add("network", s.Network)
	add("cidr", s.CIDR)
	add("ip_family", s.IPFamily)
	add("connection", s.Connection)
	if !s.Credentials.IsZero() {
		add("credentials", s.Credentials.ID.String())
	}
	return gateway.SourceKey{Kind: "vsphere", Query: strings.Join(parts, " ")}
}

// plain quotes what could be taken for something else in a source key.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r == ':' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}
