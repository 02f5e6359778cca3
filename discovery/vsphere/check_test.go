package vsphere

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec Spec
		want string // summaries and a piece of the detail
	}{
		{Spec{Folder: shop}, ""},
		{Spec{Folder: "/Europe/DC0/vm/shop/", CIDR: "10.0.0.0/8", IPFamily: "ipv4"}, ""},
		{Spec{ResourcePool: "/DC0/host/C0/Resources/x", Tags: []string{"a:b", "a:c:d"}}, ""},
		{Spec{Name: "shop [*]"}, ""},
		{Spec{}, "Nothing selected: every virtual machine"},
		{Spec{Folder: "shop"}, "Invalid inventory path: begin with a slash"},
		{Spec{Folder: "/DC0/shop"}, `Invalid inventory path: go through "vm"`},
		{Spec{Folder: "/vm/shop"}, `Invalid inventory path: go through "vm"`},
		{Spec{Folder: "/DC0//vm"}, "Invalid inventory path: empty step"},
		{Spec{ResourcePool: "/DC0/vm/x"}, `Invalid inventory path: go through "host"`},
		{Spec{Name: "shop/a"}, "Invalid name: folder"},
		{Spec{Tags: []string{"production"}}, "Invalid tag: env:production"},
		{Spec{Tags: []string{":a"}}, "Invalid tag: category"},
		{Spec{Tags: []string{"a:b", "a:b"}}, "Duplicate tag: twice"},
		{Spec{Attributes: map[string]string{"": "x"}}, "Invalid attribute: name"},
		{Spec{Folder: shop, CIDR: "10.0.0.0"}, "Invalid CIDR: 10.20.0.0/16"},
		{Spec{Folder: shop, CIDR: "10.0.0.1/8"}, `Invalid CIDR: Did you mean "10.0.0.0/8"`},
		{Spec{Folder: shop, CIDR: "10.0.0.0/8", IPFamily: "ipv6"}, "Conflicting address: No ipv6 address"},
	} {
		diags := c.spec.Check(map[string]hcl.Range{})
		if c.want == "" {
			if len(diags) != 0 {
				t.Errorf("%+v: %v", c.spec, diags)
			}
			continue
		}
		summary, detail, _ := strings.Cut(c.want, ": ")
		if len(diags) != 1 || diags[0].Summary != summary || !strings.Contains(diags[0].Detail, detail) {
			t.Errorf("%+v: %v, want %s", c.spec, diags, c.want)
		}
	}
}

func TestSourceKey(t *testing.T) {
	t.Parallel()
	base := Spec{Folder: shop, Port: 80, Tags: []string{"a:b", "c:d"}}
	same := base
	same.Tags, same.Folder = []string{"c:d", "a:b"}, shop+"/"
	if base.SourceKey() != same.SourceKey() {
		t.Errorf("%v, %v", base.SourceKey(), same.SourceKey())
	}
	seen := map[gateway.SourceKey]string{base.SourceKey(): "the base"}
	for name, change := range map[string]func(*Spec){
		"folder":        func(s *Spec) { s.Folder += "2" },
		"resource_pool": func(s *Spec) { s.ResourcePool = "/DC0/host/C0" },
		"name":          func(s *Spec) { s.Name = "x" },
		"tags":          func(s *Spec) { s.Tags = []string{"a:b"} },
		"attributes":    func(s *Spec) { s.Attributes = map[string]string{"a": "b"} },
		"attribute":     func(s *Spec) { s.Attributes = map[string]string{"a:b": ""} },
		"port":          func(s *Spec) { s.Port = 81 },
		"network":       func(s *Spec) { s.Network = "x" },
		"cidr":          func(s *Spec) { s.CIDR = "10.0.0.0/8" },
		"ip_family":     func(s *Spec) { s.IPFamily = "ipv6" },
		"connection":    func(s *Spec) { s.Connection = "x" },
		"credentials":   func(s *Spec) { s.Credentials.ID = gateway.ID{Kind: "secret", Name: "x"} },
	} {
		s := base
		change(&s)
		if other, twice := seen[s.SourceKey()]; twice {
			t.Errorf("%s: the key is that of %s", name, other)
		}
		seen[s.SourceKey()] = name
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	net := func(network string, device int32, ips ...string) types.GuestNicInfo {
		return types.GuestNicInfo{Network: network, DeviceConfigId: device, IpAddress: ips}
	}
	stated := types.GuestNicInfo{Network: "lan", DeviceConfigId: 4000, IpConfig: &types.NetIpConfigInfo{IpAddress: []types.NetIpConfigInfoIpAddress{
		{IpAddress: "10.0.0.9", State: "duplicate"}, {IpAddress: "10.0.0.2", State: "preferred"},
	}}}
	lan := net("lan", 4000, "fe80::1", "2001:db8::1", "10.0.0.1", "10.0.0.2")
	backup := net("backup", 4001, "192.168.0.1")
	docker := net("", -1, "172.17.0.1")
	for _, c := range []struct {
		name    string
		want    want
		primary string
		nics    []types.GuestNicInfo
		expect  string
	}{
		{"the first IPv4 address", want{}, "", []types.GuestNicInfo{lan, backup}, "10.0.0.1"},
		{"the primary one", want{}, "10.0.0.2", []types.GuestNicInfo{lan, backup}, "10.0.0.2"},
		{"the primary of another network", want{network: "backup"}, "10.0.0.2", []types.GuestNicInfo{lan, backup}, "192.168.0.1"},
		{"IPv6 on request", want{family: "ipv6"}, "10.0.0.2", []types.GuestNicInfo{lan}, "2001:db8::1"},
		{"by network", want{cidr: netip.MustParsePrefix("192.168.0.0/16")}, "10.0.0.1", []types.GuestNicInfo{lan, backup}, "192.168.0.1"},
		{"no such network", want{network: "dmz"}, "10.0.0.1", []types.GuestNicInfo{lan}, ""},
		{"containers do not count", want{}, "", []types.GuestNicInfo{docker, backup}, "192.168.0.1"},
		{"unless they are asked for", want{cidr: netip.MustParsePrefix("172.16.0.0/12")}, "", []types.GuestNicInfo{docker, backup}, "172.17.0.1"},
		{"a duplicate is none", want{}, "", []types.GuestNicInfo{stated}, "10.0.0.2"},
		{"the primary alone", want{}, "10.0.0.7", nil, "10.0.0.7"},
		{"the primary alone, and a network", want{network: "lan"}, "10.0.0.7", nil, ""},
		{"loopback is of no use", want{}, "127.0.0.1", []types.GuestNicInfo{net("lan", 4000, "127.0.0.1")}, ""},
		{"unless it is asked for", want{cidr: netip.MustParsePrefix("127.0.0.0/8")}, "127.0.0.1", []types.GuestNicInfo{net("lan", 4000, "127.0.0.2")}, "127.0.0.2"},
		{"link-local only", want{}, "fe80::1", []types.GuestNicInfo{net("lan", 4000, "fe80::1", "169.254.0.1")}, ""},
	} {
		m := &machine{}
		m.set("guest.ipAddress", c.primary)
		m.set("guest.net", types.ArrayOfGuestNicInfo{GuestNicInfo: c.nics})
		got, ok := c.want.choose(m.primary, m.nics)
		if c.expect == "" && ok || c.expect != "" && got.String() != c.expect {
			t.Errorf("%s: %s, %t", c.name, got, ok)
		}
	}
}

func TestDoubt(t *testing.T) {
	t.Parallel()
	at := time.Now()
	var d doubt
	for _, c := range []struct {
		before, now int
		after       time.Duration
		want        bool
	}{
		{0, 0, 0, true},
		{0, 10, 0, true},
		{10, 5, 0, true},
		{10, 4, 0, false},
		{10, 4, secondLook, true},
		{2, 1, secondLook, true},
		{1, 0, secondLook, false},
		{1, 0, secondLook + holdAll/2, false},
		{1, 1, secondLook + holdAll/2, true}, // it is back: the next loss begins anew
		{1, 0, 2 * holdAll, false},
		{1, 0, 3 * holdAll, true},
	} {
		if ok, again := d.believes(c.before, c.now, at.Add(c.after)); ok != c.want || !ok && again <= 0 {
			t.Errorf("%+v: %t, again in %s", c, ok, again)
		}
	}
}

func FuzzWildcard(f *testing.F) {
	for _, s := range [][2]string{{"shop-*", "shop-1"}, {"*", ""}, {"a?c*d", "abcxd"}, {"*a*b", "aab"}, {"[x]", "[x]"}, {"**?", "ü"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 50 || len(name) > 50 {
			return
		}
		pattern, name = strings.ToValidUTF8(pattern, "x"), strings.ToValidUTF8(name, "x")
		quoted := strings.NewReplacer(`\*`, "(?s:.*)", `\?`, "(?s:.)").Replace(regexp.QuoteMeta(pattern))
		if got, want := wildcard(pattern, name), regexp.MustCompile("^(?:"+quoted+")$").MatchString(name); got != want {
			t.Errorf("%q, %q: %t", pattern, name, got)
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"vcenter.example.com", "https://u:canary@x/sdk", "https://u:canary@%zz", "http://[::1]:8989/", "", "://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseAddress(text)
		if err != nil {
			if len(text) > 3 && strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret is in the error: %v", err)
			}
			return
		}
		if u.Host == "" || u.Path == "" {
			t.Errorf("%q: %+v", text, u)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("/DC0/vm/shop", "/DC0/host/C0", "shop-*", "a:b", "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, folder, pool, name, tag, cidr string) {
		s := &Spec{Folder: folder, ResourcePool: pool, Name: name, Tags: []string{tag}, CIDR: cidr, Port: 80}
		diags := s.Check(nil)
		_ = s.SourceKey()
		inv := newInventory()
		inv.machines["vm-1"] = &machine{id: "vm-1", name: name}
		if selection, err := inv.resolve(s); err == nil && !diags.HasErrors() {
			selection.means(inv, inv.machines["vm-1"])
		}
	})
}
