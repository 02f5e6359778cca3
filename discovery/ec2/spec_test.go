package ec2

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestCheck(t *testing.T) {
	ranges := map[string]hcl.Range{}
	for n, name := range []string{"region", "tags", "filters", "port", "credentials", "endpoint"} {
		ranges[name] = hcl.Range{Filename: "a.hcl", Start: hcl.Pos{Line: n + 2, Column: 1, Byte: 10}, End: hcl.Pos{Line: n + 2, Column: 5, Byte: 20}}
	}
	block := hcl.Range{Filename: "a.hcl", Start: hcl.Pos{Line: 1, Column: 1}, End: hcl.Pos{Line: 1, Column: 4, Byte: 3}}
	for name, c := range map[string]struct {
		change  func(*Spec)
		summary string
		says    string
		line    int
	}{
		"fine":             {func(*Spec) {}, "", "", 0},
		"port by tag":      {func(s *Spec) { s.Port, s.PortTag = 0, "port" }, "", "", 0},
		"both":             {func(s *Spec) { s.PortTag = "port" }, "", "", 0},
		"filters alone":    {func(s *Spec) { s.Tags, s.Filters = nil, map[string][]string{"vpc-id": {"vpc-1"}, "tag:a": {"b", ""}} }, "", "", 0},
		"government":       {func(s *Spec) { s.Region = "us-gov-west-1" }, "", "", 0},
		"no region":        {func(s *Spec) { s.Region = "frankfurt" }, "Invalid region", `"frankfurt" is no region of AWS`, 2},
		"a zone":           {func(s *Spec) { s.Region = "us-east-1a" }, "Invalid region", `of the region "us-east-1"`, 2},
		"no selection":     {func(s *Spec) { s.Tags = nil }, "Missing selection", "every instance of the region", 1},
		"no name of a tag": {func(s *Spec) { s.Tags[""] = "x" }, "Invalid tag", "1 to 128", 3},
		"a long value":     {func(s *Spec) { s.Tags["x"] = strings.Repeat("x", 257) }, "Invalid tag", "256", 3},
		"twice":            {func(s *Spec) { s.Filters = map[string][]string{"tag:service": {"a"}} }, "Duplicate filter", `"service" stands in tags and in filters`, 4},
		"state":            {func(s *Spec) { s.Filters = map[string][]string{"instance-state-name": {"running"}} }, "Meaningless filter", "running instances take traffic", 4},
		"unknown":          {func(s *Spec) { s.Filters = map[string][]string{"vpc": {"a"}, "ami": {}} }, "Unsupported filter", `not selected by "ami", "vpc". Filters are: architecture,`, 4},
		"no tag":           {func(s *Spec) { s.Filters = map[string][]string{"tag:": {"a"}} }, "Unsupported filter", `by "tag:". Filters`, 4},
		"no value":         {func(s *Spec) { s.Filters = map[string][]string{"vpc-id": {}} }, "Empty filter", "selects nothing", 4},
		"no port":          {func(s *Spec) { s.Port = 0 }, "Missing port", "port_tag", 5},
		"two credentials": {func(s *Spec) {
			s.Connection, s.Credentials = "main", gateway.Ref{ID: gateway.ID{Kind: "secret", Name: "aws"}}
		}, "Two credentials", "Remove either", 6},
		"no endpoint":     {func(s *Spec) { s.Endpoint = "ec2.internal" }, "Invalid endpoint", "https://", 7},
		"a path":          {func(s *Spec) { s.Endpoint = "https://ec2.internal/x" }, "Invalid endpoint", "https://", 7},
		"a fine endpoint": {func(s *Spec) { s.Endpoint = "https://ec2.internal:8443/" }, "", "", 0},
	} {
		s := shop("")
		s.Range = block
		c.change(s)
		diags := s.Check(ranges)
		switch {
		case c.summary == "" && len(diags) > 0:
			t.Errorf("%s: %v", name, diags)
		case c.summary == "":
		case len(diags) != 1 || diags[0].Summary != c.summary || !strings.Contains(diags[0].Detail, c.says) || diags[0].Subject.Start.Line != c.line:
			t.Errorf("%s: %v", name, diags)
		}
	}
	// All mistakes at once.
	if diags := (&Spec{Region: "x", Endpoint: "x"}).Check(nil); len(diags) != 4 {
		t.Errorf("%v", diags)
	}
}

// Every attribute makes another listing.
func TestSourceKey(t *testing.T) {
	base := func() *Spec {
		return &Spec{Region: "us-east-1", Tags: map[string]string{"a": "b"}, Port: 80, Address: usualAddress, Interval: usualInterval}
	}
	keys := map[gateway.SourceKey]string{base().SourceKey(): "nothing"}
	changes := map[string]func(*Spec){
		"Region":       func(s *Spec) { s.Region = "us-east-2" },
		"Tags":         func(s *Spec) { s.Tags["a"] = "c" },
		"Filters":      func(s *Spec) { s.Filters = map[string][]string{"vpc-id": {"v"}} },
		"Port":         func(s *Spec) { s.Port = 81 },
		"PortTag":      func(s *Spec) { s.PortTag = "port" },
		"Address":      func(s *Spec) { s.Address = "public" },
		"StatusChecks": func(s *Spec) { s.StatusChecks = true },
		"Connection":   func(s *Spec) { s.Connection = "main" },
		"Credentials":  func(s *Spec) { s.Credentials.Name = "main" },
		"Endpoint":     func(s *Spec) { s.Endpoint = "http://x" },
		"Interval":     func(s *Spec) { s.Interval = time.Minute },
	}
	for field := range reflect.TypeFor[Spec]().Fields() {
		name := field.Name
		if name == "Range" {
			continue
		}
		s := base()
		changes[name](s)
		k := s.SourceKey()
		if other := keys[k]; other != "" {
			t.Errorf("%s and %s have the key %s", name, other, k)
		}
		keys[k] = name
	}
	one, two := base(), base()
	one.Filters = map[string][]string{"vpc-id": {"a", "b"}}
	two.Filters = map[string][]string{"vpc-id": {"b", "a", "b"}, "tag:a": {"b"}}
	two.Tags = nil
	if one.SourceKey() != two.SourceKey() {
		t.Errorf("%s and %s are the same", one.SourceKey(), two.SourceKey())
	}
	tricky := base()
	tricky.Tags = map[string]string{"a": "b,tag:c=d port=81"}
	if got := tricky.SourceKey().Query; !strings.Contains(got, `tag:a="b,tag:c=d port=81"`) {
		t.Errorf("the key is %s", got)
	}
	if !slices.Contains(strings.Fields(base().SourceKey().Query), "tag:a=b") {
		t.Errorf("the key is %s", base().SourceKey())
	}
}
