package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var agentBlock = regexp.MustCompile("(?ms)^```\n(# /etc/sluice.d/.*?|state_dir = .*?)^```$")

// The agent configurations that the pages show are ones that the server takes.
func TestPagesShowValidAgentConfiguration(t *testing.T) {
	for _, page := range []string{"cli.md", "operations.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		found := agentBlock.FindAllSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s shows no agent configuration", page)
		}
		for _, m := range found {
			name := filepath.Join(t.TempDir(), "server.hcl")
			if err := os.WriteFile(name, m[1], 0o600); err != nil {
				t.Fatal(err)
			}
			_, diags, _, err := readAgentConfig([]string{name})
			if err != nil || diags.HasErrors() {
				t.Errorf("%s: %v %v", page, err, diags)
			}
		}
	}
}
