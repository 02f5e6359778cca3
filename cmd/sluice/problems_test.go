package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl/v2"
)

func TestAMistakeIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	p := &plane{cfg: planeConfig{log: hclog.New(&hclog.LoggerOptions{Output: &out})}}
	mistake := func(line int) *hcl.Diagnostic {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown upstream", Detail: "There is none.",
			Subject: &hcl.Range{Filename: "shop.hcl", Start: hcl.Pos{Line: line}},
		}
	}
	var all hcl.Diagnostics
	for i := range mostTold + 5 {
		all = append(all, mistake(i+1))
	}
	said := p.tell(all[:1], map[string]bool{})
	said = p.tell(all[:1], said)
	if n := strings.Count(out.String(), "file=shop.hcl line=1"); n != 1 {
		t.Errorf("a mistake is logged %d times:\n%s", n, &out)
	}
	said = p.tell(all, said)
	if n := strings.Count(out.String(), "[WARN]"); n != mostTold+2 {
		t.Errorf("%d lines about %d mistakes:\n%s", n, len(all), &out)
	}
	p.tell(nil, said)
	if !strings.Contains(out.String(), "all documents are in force") {
		t.Errorf("the log does not say that all is well again:\n%s", &out)
	}
}
