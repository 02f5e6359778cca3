package ec2

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"shop", "shop", true}, {"shop", "Shop", false}, {"shop*", "shop", true}, {"*shop*", "a-shop-b", true}, {"s?op", "shop", true},
		{"s?op", "sop", false}, {"", "", true}, {"*", "", true}, {"?", "", false}, {`a\*`, "a*", true}, {`a\*`, "ab", false}, {`a\\`, `a\`, true},
		{"*a*b*c", "aXbYc", true}, {"*a*b*c", "aXbY", false}, {"ü?", "üx", true}, {`a\`, `a\`, true},
	} {
		if got := (criterion{"tag:x", []string{c.pattern}}).matchesText(c.text); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.text, got)
		}
	}
	if long := strings.Repeat("*a", 100); wild(long, strings.Repeat("a", 256)+"b") {
		t.Error("a pattern of many stars matches what it should not")
	}
}

// The standard library knows the same wildcards, but for slashes and classes.
func FuzzWildcards(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.ContainsAny(pattern+text, `[]/\^`) || strings.ToValidUTF8(pattern+text, "") != pattern+text || len(pattern) > 50 || len(text) > 50 {
			return
		}
		want, err := path.Match(pattern, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := wild(pattern, text); got != want {
			t.Errorf("%q matches %q: %t, want %t", pattern, text, got, want)
		}
	})
}

func TestEveryFilter(t *testing.T) {
	i := &instance{
		id: "i-1", private: "10.0.0.1", public: "54.0.0.1", v6: "2001:db8::1", zone: "us-east-1a", zoneID: "use1-az1", vpc: "vpc-1", subnet: "subnet-1",
		architecture: "arm64", dns: "ip-10-0-0-1.ec2.internal", keyName: "key", profile: "arn:aws:iam::1:instance-profile/p", placementGroup: "group",
		tenancy: "default", groupIDs: []string{"sg-1", "sg-2"}, groupNames: []string{"web", "ops"},
		tags: map[string]string{"service": "shop", "canary": "", metaType: "c7g.large", metaImage: "ami-1", metaLifecycle: "spot"},
	}
	has := map[string]string{
		"architecture": "arm64", "availability-zone": "us-east-1a", "availability-zone-id": "use1-az1", "iam-instance-profile.arn": "arn:aws:iam::1:instance-profile/p",
		"image-id": "ami-1", "instance-id": "i-1", "instance-lifecycle": "spot", "instance-type": "c7g.*", "instance.group-id": "sg-2", "instance.group-name": "ops",
		"ip-address": "54.0.0.1", "ipv6-address": "2001:db8::1", "key-name": "key", "placement-group-name": "group", "private-dns-name": "ip-10-0-0-1.ec2.internal",
		"private-ip-address": "10.0.0.1", "subnet-id": "subnet-1", "tag-key": "can*", "tenancy": "default", "vpc-id": "vpc-1",
	}
	for name := range fields {
		if !(selection{{name, []string{"other", has[name]}}}).matches(i) || (selection{{name, []string{"other"}}}).matches(i) || (selection{{name, []string{"?"}}}).matches(&instance{}) {
			t.Errorf("%s does not select by %q", name, has[name])
		}
	}
	for _, c := range []struct {
		s    selection
		want bool
	}{
		{selection{{"tag:service", []string{"shop"}}, {"vpc-id", []string{"vpc-1"}}}, true},
		{selection{{"tag:service", []string{"shop"}}, {"vpc-id", []string{"vpc-2"}}}, false},
		{selection{{"tag:canary", []string{""}}}, true},
		{selection{{"tag:none", []string{"*"}}}, false},
		{selection{{"tag:" + metaImage, []string{"*"}}}, false},
		{selection{{"tag-key", []string{"aws:*"}}}, false},
	} {
		if c.s.matches(i) != c.want {
			t.Errorf("%v selects: %t", c.s, !c.want)
		}
	}
}

// What is asked of AWS has all that any block wants.
func TestNarrow(t *testing.T) {
	shop := selection{{"tag:service", []string{"shop"}}, {"vpc-id", []string{"vpc-1"}}}
	cart := selection{{"tag:service", []string{"cart", "shop"}}}
	zone := selection{{"availability-zone", []string{"a"}}}
	for _, c := range []struct {
		of   []selection
		want selection
	}{
		{nil, nil},
		{[]selection{shop}, shop},
		{[]selection{shop, cart}, cart},
		{[]selection{shop, cart, zone}, nil},
	} {
		got := narrow(c.of)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(criterion{})); diff != "" {
			t.Errorf("%v: %s", c.of, diff)
		}
		for _, s := range c.of {
			if !got.covers(s) {
				t.Errorf("%v does not cover %v", got, s)
			}
		}
	}
	if cart.covers(zone) || shop.covers(cart) || !cart.covers(shop) {
		t.Error("covers is wrong")
	}
	var many []selection
	for n := range mostValues + 1 {
		many = append(many, selection{{"tag:service", []string{fmt.Sprint(n)}}, {"vpc-id", []string{"vpc-1"}}})
	}
	if got := narrow(many); len(got) != 1 || got[0].name != "vpc-id" {
		t.Errorf("more values than AWS takes: %v", got)
	}
	if got := narrow(many[1:]); len(got) != 1 || len(got[0].values) != mostValues {
		t.Errorf("as many values as AWS takes: %d filters", len(got))
	}
}
