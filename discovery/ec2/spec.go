package ec2

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// Spec is an ec2 block.
//
//sluice:block ec2
type Spec struct {
	Region       string              `hcl:"region"`
	Tags         map[string]string   `hcl:"tags,optional"`    // an instance has all of them; values may hold * and ?
	Filters      map[string][]string `hcl:"filters,optional"` // by AWS's names of filters; each by any of its values
	Port         int                 `hcl:"port,optional" min:"1" max:"65535"`
	PortTag      string              `hcl:"port_tag,optional"` // the instance's tag whose value is the port; where it is missing, Port
	Address      string              `hcl:"address,optional" default:"private" oneof:"private public ipv6"`
	StatusChecks bool                `hcl:"status_checks,optional"`            // an instance with an impaired status check takes no traffic
	Connection   string              `hcl:"connection,optional"`               // which aws block of the agent, where several are configured
	Credentials  gateway.Ref         `hcl:"credentials,optional" ref:"secret"` // instead of a connection
	Endpoint     string              `hcl:"endpoint,optional"`                 // http(s)://HOST:PORT instead of the region's
	Interval     time.Duration       `hcl:"interval,optional" default:"30s" min:"5s" max:"1h"`
	Range        hcl.Range           `hcl:",def_range"`
}

const (
	usualInterval = 30 * time.Second
	usualAddress  = "private"
)

var (
	_ gateway.SourceSpec   = (*Spec)(nil)
	_ gateway.Checker      = (*Spec)(nil)
	_ gateway.Credentialed = (*Spec)(nil)
)

// SourceKey names every attribute; filters and values in any order are the same listing.
func (s *Spec) SourceKey() gateway.SourceKey {
	parts := []string{plain(s.Region)}
	for _, c := range s.selection() {
		values := make([]string, len(c.values))
		for i, v := range c.values {
			values[i] = plain(v)
		}
		parts = append(parts, plain(c.name)+"="+strings.Join(values, ","))
	}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+plain(value))
		}
	}
	if s.Port != 0 {
		add("port", strconv.Itoa(s.Port))
	}
	add("port_tag", s.PortTag)
	if s.Address != usualAddress {
		add("address", s.Address)
	}
	add("connection", s.Connection)
	add("credentials", s.Credentials.Name)
	add("endpoint", s.Endpoint)
	if s.Interval != 0 && s.Interval != usualInterval {
		add("interval", s.Interval.String())
	}
	if s.StatusChecks {
		parts = append(parts, "status_checks")
	}
	return gateway.SourceKey{Kind: "ec2", Query: strings.Join(parts, " ")}
}

// plain quotes what could be taken for something else in a source key.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r == ',' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

// Credential implements gateway.Credentialed.
func (s *Spec) Credential() gateway.ID { return s.Credentials.ID }

var (
	regionName = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
	zoneName   = regexp.MustCompile(`^([a-z]+(?:-[a-z]+)+-[0-9]+)[a-z]$`)
)

// Check implements gateway.Checker.
func (s *Spec) Check(ranges map[string]hcl.Range) hcl.Diagnostics {
	c := checker{spec: s, ranges: ranges}
	switch zone := zoneName.FindStringSubmatch(s.Region); {
	case zone != nil:
		c.wrong("Invalid region", "region", fmt.Sprintf(
			"%q is an availability zone of the region %q. Zones are selected by filters = { \"availability-zone\" = [%q] }.", s.Region, zone[1], s.Region))
	case !regionName.MatchString(s.Region):
		c.wrong("Invalid region", "region", fmt.Sprintf("%q is no region of AWS, such as \"eu-central-1\".", s.Region))
	}
	c.selection()
	if s.Port == 0 && s.PortTag == "" {
		c.wrong("Missing port", "port", "EC2 knows no ports of services: set port, or port_tag to the name of the tag that instances carry their port in.")
	}
	if s.Connection != "" && !s.Credentials.IsZero() {
		c.wrong("Two credentials", "credentials",
			"A connection of the agent and a secret are two ways to the same thing. Remove either connection or credentials.")
	}
	if s.Endpoint != "" && !isEndpoint(s.Endpoint) {
		c.wrong("Invalid endpoint", "endpoint", fmt.Sprintf("%q is no endpoint, such as \"https://ec2.internal.example.com:443\".", s.Endpoint))
	}
	return c.diags
}

func isEndpoint(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil
}

// checker gathers what is wrong in a block.
type checker struct {
	spec   *Spec
	ranges map[string]hcl.Range
	diags  hcl.Diagnostics
}

func (c *checker) wrong(summary, attribute, detail string) {
	subject, ok := c.ranges[attribute]
	if !ok || subject.Empty() {
		subject = c.spec.Range
	}
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject, Context: c.spec.Range.Ptr(),
	})
}

// selection checks tags and filters. AWS's limits of a tag are 128 and 256 characters.
func (c *checker) selection() {
	s := c.spec
	if len(s.Tags)+len(s.Filters) == 0 {
		c.wrong("Missing selection", "", "Without tags and filters every instance of the region would be an endpoint. "+
			"Select some: tags = { service = \"shop\" }, or filters = { \"vpc-id\" = [\"vpc-1234\"] }.")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		if key == "" || len([]rune(key)) > 128 || len([]rune(s.Tags[key])) > 256 {
			c.wrong("Invalid tag", "tags", fmt.Sprintf("%q is no tag of an instance: its name has 1 to 128 characters, its value 256 at most.", key))
		}
		if _, again := s.Filters[tagPrefix+key]; again {
			c.wrong("Duplicate filter", "filters", fmt.Sprintf("The tag %q stands in tags and in filters. Write it once; in filters it may have several values.", key))
		}
	}
	var unknown, empty []string
	for _, name := range slices.Sorted(maps.Keys(s.Filters)) {
		switch {
		case strings.HasPrefix(name, "instance-state"):
			c.wrong("Meaningless filter", "filters", fmt.Sprintf(
				"%q has no meaning here: running instances take traffic, those that stop are drained, all others are no endpoints.", name))
		case !isFilter(name):
			unknown = append(unknown, strconv.Quote(name))
		case len(s.Filters[name]) == 0:
			empty = append(empty, strconv.Quote(name))
		}
	}
	if unknown != nil {
		c.wrong("Unsupported filter", "filters", fmt.Sprintf("Instances are not selected by %s. Filters are: %s, and %sNAME.",
			strings.Join(unknown, ", "), strings.Join(slices.Sorted(maps.Keys(fields)), ", "), tagPrefix))
	}
	if empty != nil {
		c.wrong("Empty filter", "filters", fmt.Sprintf("Without a value %s selects nothing. Name one, or remove the filter.", strings.Join(empty, ", ")))
	}
}
